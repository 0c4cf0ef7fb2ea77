//! A voice memo's loudness as a row of bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws amplitudes (0 to 255, any number) in at most `width` bars, each the loudest of the part it stands for.
#[must_use]
pub fn bars(amplitudes: &[u8], width: usize) -> String {
    let width = width.min(amplitudes.len());
    (0..width)
        .map(|column| {
            let from = column * amplitudes.len() / width;
            let to = ((column + 1) * amplitudes.len() / width).max(from + 1);
            let loudest = amplitudes[from..to].iter().copied().max().unwrap_or(0);
            BARS[usize::from(loudest) * BARS.len() / 256]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loud_parts_are_tall() {
        assert_eq!(bars(&[0, 40, 80, 120, 160, 200, 240, 255], 8), "▁▂▃▄▆▇██");
        assert_eq!(bars(&[0, 255, 0, 0], 2), "█▁");
        assert_eq!(bars(&[], 10), "");
        assert_eq!(bars(&[255; 100], 10).chars().count(), 10);
    }
}
