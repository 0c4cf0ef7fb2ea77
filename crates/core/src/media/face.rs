//! Pictures of people: small, square, and encoded here, whoever chose them.

use std::io::Cursor;

use image::{DynamicImage, GenericImageView, ImageFormat, ImageReader, imageops::FilterType};

use super::{
    MediaError, PICTURE_BYTES,
    picture::{decode, jpeg, limits, on_white, refusal},
};

/// Edge of a profile's picture, pixels.
pub const FACE_EDGE: u32 = 192;
/// Longest profile picture, bytes: with everything around it, it fits the second largest size class of a message.
pub const FACE_BYTES: usize = 15 * 1024;

/// Longest edge of one that somebody sent, pixels; another version of this program may make them larger.
const RECEIVED_EDGE: u32 = 512;
/// Qualities, best first.
const QUALITIES: [u8; 5] = [85, 75, 60, 45, 30];

/// Makes the picture of a profile from a JPEG, PNG, WebP or GIF: the middle of it, small, and nothing but its pixels.
///
/// # Errors
/// As [`clean_picture`](super::clean_picture).
pub fn profile_picture(bytes: &[u8]) -> Result<Vec<u8>, MediaError> {
    if bytes.len() > PICTURE_BYTES {
        return Err(MediaError::TooLarge);
    }
    let format = image::guess_format(bytes).map_err(|_| MediaError::CannotClean)?;
    match format {
        ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Gif => {}
        _ => return Err(MediaError::CannotClean),
    }
    face(&decode(bytes, format)?)
}

/// The same from what somebody sent as the picture of their profile: a small JPEG, and nothing else. It is encoded anew, so that whoever
/// shows it decodes nothing that a stranger made.
///
/// # Errors
/// [`MediaError::TooLarge`] over [`FACE_BYTES`] or 512 pixels, [`MediaError::CannotClean`] if it is no JPEG, [`MediaError::Damaged`].
pub fn received_profile_picture(bytes: &[u8]) -> Result<Vec<u8>, MediaError> {
    if bytes.len() > FACE_BYTES {
        return Err(MediaError::TooLarge);
    }
    if !matches!(image::guess_format(bytes), Ok(ImageFormat::Jpeg)) {
        return Err(MediaError::CannotClean);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    reader.limits(limits());
    let (width, height) = reader.into_dimensions().map_err(refusal)?;
    if width > RECEIVED_EDGE || height > RECEIVED_EDGE {
        return Err(MediaError::TooLarge);
    }
    face(&decode(bytes, ImageFormat::Jpeg)?)
}

fn face(picture: &DynamicImage) -> Result<Vec<u8>, MediaError> {
    let (width, height) = picture.dimensions();
    let edge = width.min(height);
    let middle = picture.crop_imm((width - edge) / 2, (height - edge) / 2, edge, edge);
    let small = if edge > FACE_EDGE {
        middle.resize_exact(FACE_EDGE, FACE_EDGE, FilterType::Triangle)
    } else {
        middle
    };
    let small = DynamicImage::ImageRgb8(on_white(&small));
    for quality in QUALITIES {
        let bytes = jpeg(&small, quality)?;
        if bytes.len() <= FACE_BYTES {
            return Ok(bytes);
        }
    }
    Err(MediaError::TooLarge)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use image::{RgbImage, codecs::jpeg::JpegEncoder};

    /// A wide picture of noise, which is the hardest to make small, with a red middle.
    fn wide(width: u32, height: u32) -> DynamicImage {
        let mut seed = 7_u32;
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
            let (dx, dy) = (x.abs_diff(width / 2), y.abs_diff(height / 2));
            if dx < height / 8 && dy < height / 8 {
                return image::Rgb([250, 0, 0]);
            }
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, _] = seed.to_be_bytes();
            image::Rgb([a, b, c])
        }))
    }

    fn encoded(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        picture
            .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 90))
            .unwrap();
        bytes
    }

    #[test]
    fn the_middle_of_a_picture_becomes_a_small_square_without_anything_else() {
        let mut file = encoded(&wide(900, 400));
        // An EXIF segment behind the start of the image.
        file.splice(2..2, *b"\xff\xe1\x00\x0eExif\0\0secret");
        let face = profile_picture(&file).unwrap();
        assert!(face.len() <= FACE_BYTES);
        assert!(!face.windows(6).any(|bytes| bytes == b"secret"));
        let shown = image::load_from_memory(&face).unwrap();
        assert_eq!(shown.dimensions(), (FACE_EDGE, FACE_EDGE));
        let [red, green, blue, _] = shown.get_pixel(FACE_EDGE / 2, FACE_EDGE / 2).0;
        assert!(red > 180 && green < 90 && blue < 90, "{red} {green} {blue}");
        // What was made by one is taken by the other.
        assert!(received_profile_picture(&face).is_ok());
    }

    #[test]
    fn small_ones_stay_small() {
        let face = profile_picture(&encoded(&wide(60, 40))).unwrap();
        let shown = image::load_from_memory(&face).unwrap();
        assert_eq!(shown.dimensions(), (40, 40));
    }

    #[test]
    fn what_is_no_small_jpeg_is_not_taken_from_others() {
        let large = encoded(&DynamicImage::ImageRgb8(RgbImage::new(600, 600)));
        assert!(large.len() <= FACE_BYTES);
        assert_eq!(received_profile_picture(&large), Err(MediaError::TooLarge));
        assert_eq!(
            received_profile_picture(&vec![0xff; FACE_BYTES + 1]),
            Err(MediaError::TooLarge)
        );
        let mut png = Vec::new();
        DynamicImage::ImageRgb8(RgbImage::new(8, 8))
            .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
            .unwrap();
        assert_eq!(received_profile_picture(&png), Err(MediaError::CannotClean));
        assert_eq!(
            received_profile_picture(b"<svg onload=alert(1)>"),
            Err(MediaError::CannotClean)
        );
        assert_eq!(
            received_profile_picture(b"\xff\xd8\xff\xe0\x00\x10JFIF"),
            Err(MediaError::Damaged)
        );
    }
}
