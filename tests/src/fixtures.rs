//! A photo and a voice memo as a phone makes them, made here so that no real person's file is in the repository.

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};
use little_exif::exif_tag::ExifTag;
use little_exif::filetype::FileExtension;
use little_exif::metadata::Metadata;
use little_exif::rational::uR64;
use ruopus::ogg::{OggOpusWriter, OpusHead, OpusTags};
use ruopus::{Application, Bandwidth, OpusEncoder};

/// Words that stand in the photo's metadata and must not arrive anywhere.
pub const PHOTO_SECRETS: [&str; 3] = [
    "Fixture Camera 3000",
    "Serial 4711-0815",
    "Under the third bridge",
];

/// Where the photo says it was taken: 52 degrees 30' 58.68" north, 13 degrees 22' 39.72" east.
pub const PHOTO_LATITUDE: [(u32, u32); 3] = [(52, 1), (30, 1), (5868, 100)];
/// See [`PHOTO_LATITUDE`].
pub const PHOTO_LONGITUDE: [(u32, u32); 3] = [(13, 1), (22, 1), (3972, 100)];

/// Width and height of the photo as it is stored; its orientation tag turns it by 90 degrees clockwise.
pub const PHOTO_STORED: (u32, u32) = (640, 480);

/// The colour of the scene at a place, both from 0 to 1, as the camera stored it: a bright band above, dark below.
fn scene(x: f32, y: f32) -> Rgb<u8> {
    let level = |value: f32| (value.clamp(0.0, 1.0) * 255.0) as u8;
    let wave = ((x * 9.0).sin() + (y * 7.0).cos()) * 0.05;
    if y < 0.5 {
        Rgb([level(0.9 + wave), level(0.6 - x * 0.3), level(0.2 + wave)])
    } else {
        Rgb([level(0.1), level(0.2 + x * 0.3), level(0.5 + wave)])
    }
}

/// The photo's pixels as they are stored.
pub fn photo_pixels() -> RgbImage {
    let (width, height) = PHOTO_STORED;
    RgbImage::from_fn(width, height, |x, y| {
        scene(x as f32 / width as f32, y as f32 / height as f32)
    })
}

/// A JPEG with EXIF as phones write it: place, camera, serial number, comment, and an orientation tag.
///
/// # Errors
/// Never in practice; what the encoders say.
pub fn photo() -> std::io::Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    photo_pixels()
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 92))
        .map_err(std::io::Error::other)?;
    let angle = |parts: [(u32, u32); 3]| {
        parts
            .map(|(nominator, denominator)| uR64 {
                nominator,
                denominator,
            })
            .to_vec()
    };
    let [camera, serial, comment] = PHOTO_SECRETS;
    let mut metadata = Metadata::new();
    for tag in [
        ExifTag::Make(camera.to_owned()),
        ExifTag::SerialNumber(serial.to_owned()),
        ExifTag::ImageDescription(comment.to_owned()),
        ExifTag::Orientation(vec![6]),
        ExifTag::GPSLatitudeRef("N".to_owned()),
        ExifTag::GPSLatitude(angle(PHOTO_LATITUDE)),
        ExifTag::GPSLongitudeRef("E".to_owned()),
        ExifTag::GPSLongitude(angle(PHOTO_LONGITUDE)),
    ] {
        metadata.set_tag(tag);
    }
    metadata.write_to_vec(&mut jpeg, FileExtension::JPEG)?;
    Ok(jpeg)
}

/// Length of the memo, in milliseconds.
pub const MEMO_MS: u64 = 3_000;

/// An Ogg Opus memo of three seconds: three tones with silence between them, audible in any player.
///
/// # Errors
/// Never in practice; what the encoder says.
pub fn memo() -> std::io::Result<Vec<u8>> {
    const RATE: usize = 48_000;
    /// 20 ms, the usual length of an Opus packet.
    const PACKET: usize = RATE / 50;
    let tone = |at: usize| {
        let second = at as f32 / RATE as f32;
        let pitch = [440.0, 554.4, 659.3][(second as usize).min(2)];
        // Each tone swells and fades within the first 700 ms of its second.
        let volume = if second.fract() < 0.7 {
            (second.fract() / 0.7 * std::f32::consts::PI).sin() * 0.4
        } else {
            0.0
        };
        let overtone = |nth: u8| {
            (second * pitch * f32::from(nth) * std::f32::consts::TAU).sin() / f32::from(nth)
        };
        volume * (1..=5).map(overtone).sum::<f32>()
    };
    let packets = RATE * MEMO_MS as usize / 1000 / PACKET;

    // Variable bit rate and silence suppressed, as phones record speech.
    let mut encoder = OpusEncoder::new(1);
    encoder.set_application(Application::Voip);
    encoder.set_bandwidth(Bandwidth::WideBand);
    encoder.set_bitrate(Some(24_000));
    encoder.set_dtx(true);
    let pre_skip = u16::try_from(encoder.lookahead()).unwrap_or_default();
    let tags = OpusTags {
        vendor: b"undertone-fixtures".to_vec(),
        comments: Vec::new(),
    };
    let mut file = OggOpusWriter::new(&OpusHead::family0(1, pre_skip, RATE as u32), &tags, 1);
    for packet in 0..packets {
        let pcm: Vec<f32> = (packet * PACKET..(packet + 1) * PACKET).map(tone).collect();
        let encoded = encoder
            .encode_auto(&pcm, 1275)
            .map_err(|error| std::io::Error::other(format!("{error:?}")))?;
        file.push(&encoded, packet + 1 == packets);
    }
    Ok(file.finish())
}
