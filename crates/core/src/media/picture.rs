//! Pictures: decoded, turned upright, encoded anew, with a tiny preview.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::{
    DynamicImage, GenericImageView, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
};

use super::{MediaError, animation};

/// Largest picture file that is taken into memory, bytes.
pub const PICTURE_BYTES: usize = 64 << 20;
/// Most pixels of a picture; decoding takes up to 8 bytes for each, twice if it must be turned.
pub const PICTURE_PIXELS: u64 = 64_000_000;
/// Longest preview, bytes.
pub const PREVIEW_BYTES: usize = 4096;

/// Quality of re-encoded JPEGs: what is lost can't be seen beside the original.
const JPEG_QUALITY: u8 = 90;
/// Longer edge of a preview and its quality, best first.
const PREVIEWS: [(u32, u8); 7] = [
    (160, 60),
    (128, 60),
    (128, 40),
    (96, 40),
    (64, 40),
    (48, 30),
    (16, 30),
];

/// A picture that holds nothing but its pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct CleanPicture {
    /// The picture, encoded anew.
    pub bytes: Vec<u8>,
    /// Its media type: `image/jpeg`, `image/png` or `image/gif`. WebP becomes JPEG, or PNG where it has transparency.
    pub content_type: &'static str,
    /// The file name ending that fits, without a dot.
    pub extension: &'static str,
    /// Width in pixels, as it is shown.
    pub width: u32,
    /// Height in pixels, as it is shown.
    pub height: u32,
    /// A tiny JPEG of at most [`PREVIEW_BYTES`].
    pub preview: Vec<u8>,
}

/// Takes everything out of a JPEG, PNG, WebP or GIF but its pixels, and turns it upright.
///
/// # Errors
/// - [`MediaError::TooLarge`]: over [`PICTURE_BYTES`] or [`PICTURE_PIXELS`], decompression bombs included.
/// - [`MediaError::CannotClean`]: another kind of picture, or an animated PNG or WebP.
/// - [`MediaError::Damaged`]: can't be decoded.
pub fn clean_picture(bytes: &[u8]) -> Result<CleanPicture, MediaError> {
    if bytes.len() > PICTURE_BYTES {
        return Err(MediaError::TooLarge);
    }
    let format = image::guess_format(bytes).map_err(|_| MediaError::CannotClean)?;
    let moves = match format {
        ImageFormat::Jpeg | ImageFormat::Gif => false,
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(refusal)?;
            decoder.is_apng().map_err(refusal)?
        }
        ImageFormat::WebP => WebPDecoder::new(Cursor::new(bytes))
            .map_err(refusal)?
            .has_animation(),
        _ => return Err(MediaError::CannotClean),
    };
    if moves {
        return Err(MediaError::CannotClean);
    }
    let picture = decode(bytes, format)?;
    let preview = preview(&picture)?;
    let (width, height) = picture.dimensions();
    let (bytes, content_type, extension) = match format {
        ImageFormat::Gif => (animation::rewrite(bytes)?, "image/gif", "gif"),
        ImageFormat::Png => (png(&picture)?, "image/png", "png"),
        ImageFormat::WebP if picture.color().has_alpha() => (png(&picture)?, "image/png", "png"),
        _ => (jpeg(&picture, JPEG_QUALITY)?, "image/jpeg", "jpg"),
    };
    Ok(CleanPicture {
        bytes,
        content_type,
        extension,
        width,
        height,
        preview,
    })
}

pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(65_535);
    limits.max_image_height = Some(65_535);
    limits.max_alloc = Some(PICTURE_PIXELS * 8 + (64 << 20));
    limits
}

pub(super) fn refusal(error: image::ImageError) -> MediaError {
    match error {
        image::ImageError::Limits(_) => MediaError::TooLarge,
        image::ImageError::Unsupported(_) => MediaError::CannotClean,
        _ => MediaError::Damaged,
    }
}

/// Decodes the picture (of an animation: the first frame) and turns it as its orientation tag says.
pub(super) fn decode(bytes: &[u8], format: ImageFormat) -> Result<DynamicImage, MediaError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PICTURE_PIXELS
        || decoder.total_bytes() > PICTURE_PIXELS * 8
    {
        return Err(MediaError::TooLarge);
    }
    if width == 0 || height == 0 {
        return Err(MediaError::Damaged);
    }
    // A damaged tag costs the orientation, not the picture.
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

pub(super) fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    let encoded = match picture {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => {
            picture.write_with_encoder(encoder)
        }
        other => DynamicImage::ImageRgb8(other.to_rgb8()).write_with_encoder(encoder),
    };
    encoded.map_err(refusal)?;
    Ok(bytes)
}

fn png(picture: &DynamicImage) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(PngEncoder::new(&mut bytes))
        .map_err(refusal)?;
    Ok(bytes)
}

/// The largest of a few tiny JPEGs that fits.
fn preview(picture: &DynamicImage) -> Result<Vec<u8>, MediaError> {
    for (edge, quality) in PREVIEWS {
        let (width, height) = picture.dimensions();
        let small = if width.max(height) > edge {
            picture.thumbnail(edge, edge)
        } else {
            picture.clone()
        };
        let bytes = jpeg(&DynamicImage::ImageRgb8(on_white(&small)), quality)?;
        if bytes.len() <= PREVIEW_BYTES {
            return Ok(bytes);
        }
    }
    Err(MediaError::Damaged)
}

/// The picture without transparency, as it looks on white.
pub(super) fn on_white(picture: &DynamicImage) -> RgbImage {
    let source = picture.to_rgba8();
    RgbImage::from_fn(source.width(), source.height(), |x, y| {
        let [red, green, blue, alpha] = source.get_pixel(x, y).0;
        let mix = |value: u8| {
            let mixed =
                (u16::from(value) * u16::from(alpha) + 255 * (255 - u16::from(alpha))) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Rgb([mix(red), mix(green), mix(blue)])
    })
}
