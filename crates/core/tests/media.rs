//! A photo leaves without its place, a memo with its length, and nothing that is thrown at either does harm.

#[path = "../../../tests/src/fixtures.rs"]
mod fixtures;

use std::io::Cursor;
use std::sync::LazyLock;

use image::codecs::png::PngEncoder;
use image::{DynamicImage, GenericImageView, ImageFormat, Rgba, RgbaImage};
use little_exif::exif_tag::ExifTag;
use little_exif::filetype::FileExtension;
use little_exif::metadata::Metadata;
use proptest::prelude::*;
use undertone_core::media::{
    FileKind, MediaError, PREVIEW_BYTES, WAVEFORM_BARS, clean_picture, describe_memo,
    fuzzing::fuzz_media, sniff,
};

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// The three angles as EXIF stores them, in either byte order.
fn gps_bytes(parts: [(u32, u32); 3]) -> [Vec<u8>; 2] {
    [
        parts
            .iter()
            .flat_map(|(n, d)| [n.to_le_bytes(), d.to_le_bytes()].concat())
            .collect(),
        parts
            .iter()
            .flat_map(|(n, d)| [n.to_be_bytes(), d.to_be_bytes()].concat())
            .collect(),
    ]
}

fn place() -> Vec<Vec<u8>> {
    [
        gps_bytes(fixtures::PHOTO_LATITUDE),
        gps_bytes(fixtures::PHOTO_LONGITUDE),
    ]
    .concat()
}

#[test]
fn a_photo_leaves_without_its_place() {
    let photo = fixtures::photo().expect("the fixture");
    assert_eq!(sniff(&photo).kind, FileKind::Picture);
    assert!(
        place().iter().any(|angle| holds(&photo, angle)),
        "the fixture must hold a place to lose"
    );
    assert!(
        fixtures::PHOTO_SECRETS
            .iter()
            .all(|secret| holds(&photo, secret.as_bytes()))
    );

    // Something an app might hide behind the end of the picture, such as a motion photo's film.
    let mut with_tail = photo.clone();
    with_tail.extend_from_slice(b"ftypmp42 and the film of where it was");

    let clean = clean_picture(&with_tail).expect("a good photo");
    assert_eq!((clean.content_type, clean.extension), ("image/jpeg", "jpg"));
    for bytes in [&clean.bytes, &clean.preview] {
        for hidden in place()
            .iter()
            .map(Vec::as_slice)
            .chain(fixtures::PHOTO_SECRETS.map(str::as_bytes))
        {
            assert!(!holds(bytes, hidden));
        }
        for marker in [
            &b"Exif"[..],
            b"http://ns.adobe.com",
            b"ICC_PROFILE",
            b"ftypmp42",
            b"GPS",
        ] {
            assert!(!holds(bytes, marker));
        }
        let left = Metadata::new_from_vec(bytes, FileExtension::JPEG)
            .map(|found| found.into_iter().count());
        assert!(
            left.is_err() || left.is_ok_and(|tags| tags == 0),
            "no tags left"
        );
    }
}

#[test]
fn a_photo_is_turned_upright_and_keeps_its_looks() {
    let clean = clean_picture(&fixtures::photo().expect("the fixture")).expect("a good photo");
    let (stored_width, stored_height) = fixtures::PHOTO_STORED;
    assert_eq!((clean.width, clean.height), (stored_height, stored_width));

    let shown = image::load_from_memory(&clean.bytes)
        .expect("it opens")
        .to_rgb8();
    let expected = DynamicImage::ImageRgb8(fixtures::photo_pixels())
        .rotate90()
        .to_rgb8();
    assert_eq!(shown.dimensions(), expected.dimensions());
    let difference: u64 = shown
        .as_raw()
        .iter()
        .zip(expected.as_raw())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    let average = difference as f64 / shown.as_raw().len() as f64;
    assert!(average < 3.0, "average difference {average} of 255");

    assert!(clean.preview.len() <= PREVIEW_BYTES);
    let preview =
        image::load_from_memory_with_format(&clean.preview, ImageFormat::Jpeg).expect("it opens");
    assert!(
        preview.width() < preview.height() && preview.height() >= 64,
        "{:?}",
        preview.dimensions()
    );
}

#[test]
fn a_png_keeps_its_transparency_and_loses_its_text() {
    let pixels = RgbaImage::from_fn(40, 30, |x, y| {
        Rgba([x as u8 * 6, y as u8 * 8, 99, if x < 20 { 0 } else { 255 }])
    });
    let mut png = Vec::new();
    pixels
        .write_with_encoder(PngEncoder::new(&mut png))
        .expect("memory");
    let mut metadata = Metadata::new();
    metadata.set_tag(ExifTag::ImageDescription(
        "Under the third bridge".to_owned(),
    ));
    metadata
        .write_to_vec(
            &mut png,
            FileExtension::PNG {
                as_zTXt_chunk: false,
            },
        )
        .expect("memory");

    let clean = clean_picture(&png).expect("a good picture");
    assert_eq!(
        (clean.content_type, clean.width, clean.height),
        ("image/png", 40, 30)
    );
    assert!(clean.bytes != png && !holds(&clean.bytes, b"eXIf") && !holds(&clean.bytes, b"Text"));
    let shown = image::load_from_memory(&clean.bytes)
        .expect("it opens")
        .to_rgba8();
    assert!(shown == pixels);
}

#[test]
fn a_webp_becomes_a_jpeg_or_a_png() {
    let webp = |picture: DynamicImage| {
        let mut bytes = Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, ImageFormat::WebP)
            .expect("memory");
        bytes.into_inner()
    };
    let opaque = clean_picture(&webp(DynamicImage::new_rgb8(20, 10))).expect("a good picture");
    assert_eq!(
        (opaque.content_type, opaque.extension, opaque.width),
        ("image/jpeg", "jpg", 20)
    );
    let clear = clean_picture(&webp(DynamicImage::new_rgba8(20, 10))).expect("a good picture");
    assert_eq!((clear.content_type, clear.extension), ("image/png", "png"));
}

#[test]
fn a_gif_keeps_moving_and_loses_its_comments() {
    let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255];
    let mut original = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut original, 4, 2, &palette).expect("memory");
        encoder.set_repeat(gif::Repeat::Finite(7)).expect("memory");
        encoder
            .write_raw_extension(gif::AnyExtension(0xFE), &[b"Under the third bridge"])
            .expect("memory");
        for (colour, delay) in [(0u8, 10), (1, 20), (2, 30)] {
            let frame = gif::Frame {
                width: 4,
                height: 2,
                delay,
                buffer: vec![colour; 8].into(),
                ..gif::Frame::default()
            };
            encoder.write_frame(&frame).expect("memory");
        }
    }
    assert!(holds(&original, b"third bridge"));

    let clean = clean_picture(&original).expect("a good animation");
    assert_eq!(
        (clean.content_type, clean.width, clean.height),
        ("image/gif", 4, 2)
    );
    assert!(!holds(&clean.bytes, b"third bridge"));
    let mut decoder = gif::DecodeOptions::new()
        .read_info(&clean.bytes[..])
        .expect("it opens");
    let mut frames = Vec::new();
    while let Some(frame) = decoder.read_next_frame().expect("it opens") {
        frames.push((frame.buffer[0], frame.delay));
    }
    assert_eq!(frames, [(0, 10), (1, 20), (2, 30)]);
    assert_eq!(decoder.repeat(), gif::Repeat::Finite(7));
    assert_eq!(
        decoder.global_palette().map(|found| &found[..9]),
        Some(&palette[..])
    );
}

#[test]
fn what_cannot_be_cleaned_is_refused() {
    assert_eq!(
        clean_picture(b"II*\0\x10\0\0\0").err(),
        Some(MediaError::CannotClean)
    );
    assert_eq!(
        clean_picture(b"just text").err(),
        Some(MediaError::CannotClean)
    );
    assert_eq!(clean_picture(b"").err(), Some(MediaError::CannotClean));
    let mut photo = fixtures::photo().expect("the fixture");
    photo.truncate(300);
    assert_eq!(clean_picture(&photo).err(), Some(MediaError::Damaged));
}

#[test]
fn a_decompression_bomb_is_not_unpacked() {
    // A PNG that claims 60,000 by 60,000 pixels; the checksum of its header is right.
    let mut png = Vec::new();
    RgbaImage::new(1, 1)
        .write_with_encoder(PngEncoder::new(&mut png))
        .expect("memory");
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(clean_picture(&png).err(), Some(MediaError::TooLarge));

    // A GIF whose one frame claims 65,535 by 65,535.
    let gif = [&b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02L\x01\x00;"[..]].concat();
    assert_eq!(clean_picture(&gif).err(), Some(MediaError::TooLarge));
}

/// The checksum of PNG chunks.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

#[test]
fn an_opus_memo_tells_its_length_and_where_somebody_speaks() {
    let memo = fixtures::memo().expect("the fixture");
    assert_eq!(sniff(&memo).content_type, "audio/ogg;codecs=opus");
    assert_eq!(sniff(&memo).kind, FileKind::Memo);
    let info = describe_memo(Cursor::new(&memo)).expect("a good memo");
    let duration = info.duration_ms.expect("a length");
    assert!(duration.abs_diff(fixtures::MEMO_MS) <= 20, "{duration} ms");
    let waveform = info.waveform.expect("a waveform");
    assert_eq!(waveform.len(), WAVEFORM_BARS);
    // Each second is a tone of 700 ms and then silence.
    let average = |from: usize, to: usize| {
        waveform[from..to]
            .iter()
            .map(|bar| u32::from(*bar))
            .sum::<u32>()
            / (to - from) as u32
    };
    assert!(average(8, 18) > 2 * average(27, 32), "{waveform:?}");
    assert_eq!(waveform.iter().max(), Some(&255));
}

#[test]
fn a_wav_memo_tells_its_length_and_peaks() {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).expect("memory");
    for at in 0..16_000i32 {
        let loud = if at < 8000 { 16_384 } else { 0 };
        writer
            .write_sample(if at % 2 == 0 { loud } else { -loud })
            .expect("memory");
    }
    writer.finalize().expect("memory");
    let wav = wav.into_inner();

    let info = describe_memo(Cursor::new(&wav)).expect("a good memo");
    assert_eq!(info.duration_ms, Some(2000));
    let waveform = info.waveform.expect("a waveform");
    assert_eq!(
        (
            waveform.len(),
            waveform[0],
            waveform[49],
            waveform[50],
            waveform[99]
        ),
        (100, 127, 127, 0, 0)
    );

    // Half of it is gone: what is there counts.
    let info = describe_memo(Cursor::new(&wav[..44 + 16_000])).expect("half a memo");
    assert_eq!(info.duration_ms, Some(1000));
}

#[test]
fn no_memo_is_no_memo() {
    for bytes in [
        &b""[..],
        b"OggS",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"OggS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        assert_eq!(describe_memo(Cursor::new(bytes)), Err(MediaError::Damaged));
    }
}

/// One good file of each kind.
static ORIGINALS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let tiny = |format| {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(24, 16)
            .write_to(&mut bytes, format)
            .expect("memory");
        bytes.into_inner()
    };
    let mut memo = fixtures::memo().expect("the fixture");
    memo.truncate(4000);
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).expect("memory");
    (0..400i16).for_each(|at| writer.write_sample(at).expect("memory"));
    writer.finalize().expect("memory");
    vec![
        tiny(ImageFormat::Jpeg),
        tiny(ImageFormat::Png),
        tiny(ImageFormat::WebP),
        tiny(ImageFormat::Gif),
        memo,
        wav.into_inner(),
    ]
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz_media(&bytes);
    }

    #[test]
    fn damaged_files_do_no_harm(
        which in 0usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = ORIGINALS[which].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fuzz_media(&bytes);
    }
}
