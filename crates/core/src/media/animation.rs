//! GIFs: written anew frame by frame, so that comments, XMP, colour profiles and applications' data stay behind.
//!
//! Colours are kept as they are: indices and palettes go from the decoder to the encoder unchanged.

use std::borrow::Cow;
use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, Encoder, Frame, MemoryLimit};

use super::MediaError;
use super::picture::PICTURE_PIXELS;

/// Most pixels of all frames together: ten of the largest pictures.
const ANIMATION_PIXELS: u64 = 10 * PICTURE_PIXELS;

/// Writes the GIF anew with nothing but its frames, their timing and how often it repeats.
pub(super) fn rewrite(bytes: &[u8]) -> Result<Vec<u8>, MediaError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(
        NonZeroU64::new(PICTURE_PIXELS).unwrap_or(NonZeroU64::MIN),
    ));
    let mut decoder = options.read_info(bytes).map_err(|_| MediaError::Damaged)?;
    let palette = decoder.global_palette().unwrap_or_default().to_vec();
    let mut frames = Vec::new();
    let mut pixels = 0;
    {
        let mut encoder = Encoder::new(&mut frames, decoder.width(), decoder.height(), &palette)
            .map_err(damaged)?;
        let mut first = true;
        while let Some(frame) = decoder.read_next_frame().map_err(|error| match error {
            gif::DecodingError::MemoryLimit => MediaError::TooLarge,
            _ => MediaError::Damaged,
        })? {
            pixels += u64::from(frame.width) * u64::from(frame.height);
            if pixels > ANIMATION_PIXELS {
                return Err(MediaError::TooLarge);
            }
            let clean = Frame {
                delay: frame.delay,
                dispose: frame.dispose,
                transparent: frame.transparent,
                needs_user_input: false,
                top: frame.top,
                left: frame.left,
                width: frame.width,
                height: frame.height,
                // The decoder has put the lines in order.
                interlaced: false,
                palette: frame.palette.clone(),
                buffer: Cow::Owned(frame.buffer.to_vec()),
            };
            // How often it repeats is known once the first frame has been read, and stands before it.
            if first {
                encoder.set_repeat(decoder.repeat()).map_err(damaged)?;
                first = false;
            }
            encoder.write_frame(&clean).map_err(damaged)?;
        }
        if first {
            return Err(MediaError::Damaged);
        }
    }
    Ok(frames)
}

fn damaged(_: gif::EncodingError) -> MediaError {
    MediaError::Damaged
}
