//! QR codes in half blocks, dark on light whatever the terminal's colours are.

use qrcodegen::{QrCode, QrCodeEcc};

use super::style::Screen;

/// Light modules around a code that scanners need (ISO/IEC 18004).
const QUIET_ZONE: i32 = 2;

/// Draws `text` as a QR code, two modules a character cell high. `None` when it is too long or wouldn't fit the width.
#[must_use]
pub fn draw(text: &str, screen: Screen) -> Option<Vec<String>> {
    draw_code(&QrCode::encode_text(text, QrCodeEcc::Low).ok()?, screen)
}

/// As [`draw`], for bytes.
#[must_use]
pub fn draw_bytes(bytes: &[u8], screen: Screen) -> Option<Vec<String>> {
    draw_code(&QrCode::encode_binary(bytes, QrCodeEcc::Low).ok()?, screen)
}

fn draw_code(code: &QrCode, screen: Screen) -> Option<Vec<String>> {
    let modules = code.size() + 2 * QUIET_ZONE;
    if usize::try_from(modules).ok()? > screen.width {
        return None;
    }
    let dark = |x: i32, y: i32| code.get_module(x - QUIET_ZONE, y - QUIET_ZONE);
    let rows = (0..modules).step_by(2).map(|y| {
        // Blocks are drawn for light modules, so that a scanner sees dark on light on the usual dark terminal too.
        let row: String = (0..modules)
            .map(|x| match (dark(x, y), y + 1 >= modules || dark(x, y + 1)) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            })
            .collect();
        // With colours, say which is black and which is white; without, the terminal's own must do.
        if screen.style == super::Style::coloured() {
            format!("\u{1b}[97;40m{row}\u{1b}[0m")
        } else {
            row
        }
    });
    Some(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_square_in_half_blocks_and_framed_by_light() {
        let rows = draw("undertone:test", Screen::plain(80)).expect("fits");
        let width = rows[0].chars().count();
        assert_eq!(rows.len(), width.div_ceil(2));
        assert!(rows.iter().all(|row| row.chars().count() == width));
        assert!(rows[0].chars().all(|c| c == '█'));
        assert!(
            rows.iter()
                .all(|row| row.starts_with("██") || row.starts_with("▀▀"))
        );
    }

    /// Dark modules of what was drawn, frame included: a half block that is not drawn is dark.
    fn read_back(rows: &[String]) -> Vec<Vec<bool>> {
        rows.iter()
            .flat_map(|row| {
                let half = |drawn: [char; 2]| row.chars().map(|c| !drawn.contains(&c)).collect();
                [half(['█', '▀']), half(['█', '▄'])]
            })
            .collect()
    }

    #[test]
    fn what_is_drawn_is_the_code() {
        for text in ["undertone:test", &"undertone:c:".repeat(16)] {
            let code = QrCode::encode_text(text, QrCodeEcc::Low).expect("short enough");
            let modules = code.size() + 2 * QUIET_ZONE;
            let wanted: Vec<Vec<bool>> = (0..modules)
                .map(|y| {
                    (0..modules)
                        .map(|x| code.get_module(x - QUIET_ZONE, y - QUIET_ZONE))
                        .collect()
                })
                .collect();
            let mut read = read_back(&draw(text, Screen::plain(100)).expect("fits"));
            // An odd number of rows leaves half of the last line over.
            read.truncate(wanted.len());
            assert!(read == wanted, "{text}");
        }
    }

    #[test]
    fn a_code_that_does_not_fit_is_not_drawn() {
        assert!(draw(&"x".repeat(400), Screen::plain(40)).is_none());
        assert!(draw(&"x".repeat(9000), Screen::plain(400)).is_none());
    }
}
