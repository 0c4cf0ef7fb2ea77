//! Voice memos: how long they play, and a waveform to show before they are fetched.

use std::io::{Read, Seek, SeekFrom};

use undertone_content::MediaInfo;

use super::MediaError;

/// Largest recording that is read to describe it, bytes: about four and a half hours of speech in Opus.
pub const MEMO_BYTES: u64 = 64 << 20;
/// Bars of a waveform; shorter recordings have fewer.
pub const WAVEFORM_BARS: usize = 100;

/// Opus counts time at 48 kHz whatever the recording's own rate (RFC 7845 section 4).
const OPUS_SAMPLES_PER_MS: u64 = 48;

/// Length and waveform of an Ogg Opus or WAV recording.
///
/// A WAV's waveform is its peaks. For Opus it is an estimate: the sizes of the packets, which in variable bit rate
/// follow loudness closely enough to show where somebody speaks; no audio is decoded.
///
/// # Errors
/// - [[`MediaError::TooLarge`]: over [`MEMO_BYTES`].
/// - [`MediaError::Damaged`]: neither of the two kinds, or damaged.
/// - [`MediaError::Unreadable`]: the reader failed.
pub fn describe_memo<R: Read + Seek>(mut reader: R) -> Result<MediaInfo, MediaError> {
    let size = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
    if size > MEMO_BYTES {
        return Err(MediaError::TooLarge);
    }
    reader.rewind().map_err(unreadable)?;
    let mut magic = [0; 4];
    reader
        .read_exact(&mut magic)
        .map_err(|_| MediaError::Damaged)?;
    reader.rewind().map_err(unreadable)?;
    match &magic {
        b"OggS" => describe_opus(reader),
        b"RIFF" => describe_wav(reader),
        _ => Err(MediaError::Damaged),
    }
}

fn unreadable(_: std::io::Error) -> MediaError {
    MediaError::Unreadable
}

fn describe_opus<R: Read + Seek>(reader: R) -> Result<MediaInfo, MediaError> {
    let mut packets = ogg::PacketReader::new(reader);
    let mut next = || packets.read_packet().map_err(|_| MediaError::Damaged);
    // Identification header: "OpusHead", version, channels, then the 16-bit pre-skip (RFC 7845 section 5.1).
    let head = next()?.ok_or(MediaError::Damaged)?;
    let pre_skip = match head.data.get(10..12) {
        Some(&[low, high]) if head.data.starts_with(b"OpusHead") => u16::from_le_bytes([low, high]),
        _ => return Err(MediaError::Damaged),
    };
    let stream = head.stream_serial();
    let tags = next()?.ok_or(MediaError::Damaged)?;
    if !tags.data.starts_with(b"OpusTags") {
        return Err(MediaError::Damaged);
    }
    let mut sizes = Vec::new();
    let mut end = 0;
    while let Some(packet) = next()? {
        if packet.stream_serial() == stream {
            sizes.push(u32::try_from(packet.data.len()).unwrap_or(u32::MAX));
            // A page on which no packet ends has the granule position -1.
            if packet.absgp_page() != u64::MAX {
                end = packet.absgp_page();
            }
        }
    }
    let duration_ms = end.saturating_sub(u64::from(pre_skip)) / OPUS_SAMPLES_PER_MS;
    Ok(MediaInfo {
        duration_ms: Some(duration_ms),
        waveform: Some(bars(&sizes)),
        ..MediaInfo::default()
    })
}

/// Averages the sizes into bars; the loudest is 255. Packets of up to 3 bytes are silence.
fn bars(sizes: &[u32]) -> Vec<u8> {
    let count = sizes.len().min(WAVEFORM_BARS);
    let averages: Vec<u64> = (0..count)
        .map(|bar| {
            let span = &sizes[bar * sizes.len() / count..(bar + 1) * sizes.len() / count];
            let total: u64 = span
                .iter()
                .map(|size| u64::from(size.saturating_sub(3)))
                .sum();
            total / span.len().max(1) as u64
        })
        .collect();
    let loudest = averages.iter().copied().max().unwrap_or_default().max(1);
    averages
        .iter()
        .map(|average| u8::try_from(average * 255 / loudest).unwrap_or(u8::MAX))
        .collect()
}

fn describe_wav<R: Read>(reader: R) -> Result<MediaInfo, MediaError> {
    let mut wav = hound::WavReader::new(reader).map_err(|_| MediaError::Damaged)?;
    let spec = wav.spec();
    if spec.channels == 0 || spec.sample_rate == 0 {
        return Err(MediaError::Damaged);
    }
    let claimed = wav.len() as usize;
    let mut peaks = Peaks::new(claimed);
    match spec.sample_format {
        hound::SampleFormat::Float => wav
            .samples::<f32>()
            .map_while(Result::ok)
            .for_each(|sample| peaks.add(sample)),
        hound::SampleFormat::Int => {
            let full = 2f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
            #[allow(clippy::cast_precision_loss)]
            wav.samples::<i32>()
                .map_while(Result::ok)
                .for_each(|sample| peaks.add(sample as f32 / full));
        }
    }
    // What is there counts, not what the header says.
    let frames = peaks.seen as u64 / u64::from(spec.channels);
    let duration_ms = frames * 1000 / u64::from(spec.sample_rate);
    Ok(MediaInfo {
        duration_ms: Some(duration_ms),
        waveform: Some(peaks.bars()),
        ..MediaInfo::default()
    })
}

/// The highest sample in each of up to [`WAVEFORM_BARS`] equal stretches.
struct Peaks {
    expected: usize,
    seen: usize,
    highest: Vec<f32>,
}

impl Peaks {
    fn new(expected: usize) -> Self {
        Self {
            expected,
            seen: 0,
            highest: vec![0.0; expected.min(WAVEFORM_BARS)],
        }
    }

    fn add(&mut self, sample: f32) {
        let bar = self.seen.saturating_mul(self.highest.len()) / self.expected.max(1);
        if let Some(highest) = self.highest.get_mut(bar) {
            *highest = highest.max(sample.abs());
        }
        self.seen += 1;
    }

    fn bars(&self) -> Vec<u8> {
        // A float converts to an integer with saturation; not-a-number becomes 0.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.highest
            .iter()
            .map(|peak| (peak.min(1.0) * 255.0) as u8)
            .collect()
    }
}
