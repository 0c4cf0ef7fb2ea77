//! How many columns a text takes, and how to make it fit.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns that `text` takes on a terminal.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in at most `width` columns, with an ellipsis where something was left out. Never cuts inside a grapheme.
#[must_use]
pub fn truncate(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let next = columns(grapheme);
        if used + next + 1 > width {
            break;
        }
        used += next;
        out.push_str(grapheme);
    }
    if width > 0 {
        out.push('…');
    }
    if out.contains('\u{2068}') && !out.contains('\u{2069}') {
        out.push('\u{2069}');
    }
    out
}

/// `text` filled with spaces to `width` columns.
#[must_use]
pub fn pad(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(columns(text));
    format!("{text}{}", " ".repeat(missing))
}

/// `line` broken at spaces into lines of at most `width` columns; a word longer than that is broken where it must be.
#[must_use]
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for word in line.split_word_bounds() {
        let wide = columns(word);
        if used + wide <= width {
            current.push_str(word);
            used += wide;
            continue;
        }
        if word.chars().all(char::is_whitespace) {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            used = 0;
            continue;
        }
        if wide <= width {
            // Punctuation that closes a word goes with the word: break before the word instead.
            let keep = current.trim_end_matches(|c: char| !c.is_whitespace()).len();
            let carried = if keep > 0 && columns(&current[keep..]) + wide <= width {
                current.split_off(keep)
            } else {
                String::new()
            };
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            current = carried;
            current.push_str(word);
            used = columns(&current);
            continue;
        }
        for grapheme in word.graphemes(true) {
            let next = columns(grapheme);
            if used + next > width {
                lines.push(std::mem::take(&mut current));
                used = 0;
            }
            current.push_str(grapheme);
            used += next;
        }
    }
    if !current.is_empty() || lines.is_empty() {
        lines.push(current.trim_end().to_owned());
    }
    lines
}

/// A size as people say it: `45 kB`, `1.2 MB` (SI units).
#[must_use]
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    if size < 1000 {
        return if size == 1 {
            "1 byte".to_owned()
        } else {
            format!("{size} bytes")
        };
    }
    let mut unit = 0;
    let mut tenths = u128::from(size) * 10;
    while tenths >= 9_995 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    if tenths < 100 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", (tenths + 5) / 10, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_count_double() {
        assert_eq!(columns("日本"), 4);
        assert_eq!(truncate("日本語", 5), "日本…");
        assert_eq!(truncate("Ada", 3), "Ada");
        assert_eq!(truncate("Adam", 3), "Ad…");
        assert_eq!(pad("日本", 6), "日本  ");
    }

    #[test]
    fn text_wraps_at_words_and_long_words_break() {
        assert_eq!(
            wrap("the quick brown fox, jumps", 10),
            ["the quick", "brown fox,", "jumps"]
        );
        assert_eq!(wrap("abcdefghijkl", 8), ["abcdefgh", "ijkl"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("see you there!", 9), ["see you", "there!"]);
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_234), "1.2 kB");
        assert_eq!(bytes(45_120), "45 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(bytes(1_500_000_000), "1.5 GB");
        assert!(!bytes(u64::MAX).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn wrapping_fits_and_loses_only_spaces(text in "[ -~äß日本語é]{0,200}", width in 8_usize..60) {
            let lines = wrap(&text, width);
            proptest::prop_assert!(lines.iter().all(|line| columns(line) <= width));
            let kept: String = lines.concat().chars().filter(|c| !c.is_whitespace()).collect();
            let given: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            proptest::prop_assert_eq!(kept, given);
        }
    }
}
