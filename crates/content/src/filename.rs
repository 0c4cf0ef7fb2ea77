//! File names that other people suggest, made safe to show and to save under.

use crate::part::ExternalPart;

/// Longest name that is kept, bytes: fits every common file system with room for " (12)".
const LONGEST: usize = 200;

/// The name used when nothing is left of the suggestion.
const FALLBACK: &str = "file";

/// Device names that Windows reserves, with any extension.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

impl ExternalPart {
    /// The suggested name without anything that could leave a folder, hide the file or disguise its ending:
    /// separators, control characters, text-direction overrides, leading and trailing dots and spaces, and the
    /// device names of Windows. At most 200 bytes, the ending kept; `file` if nothing is left.
    #[must_use]
    pub fn safe_filename(&self) -> String {
        let last = self.filename.rsplit(['/', '\\']).next().unwrap_or_default();
        let kept: String = last.chars().filter(|c| !is_hostile(*c)).collect();
        let kept = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
        if kept.is_empty() {
            return FALLBACK.to_owned();
        }
        let stem = kept
            .split('.')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        let shortened = shorten(kept);
        if RESERVED.contains(&bare) {
            format!("_{shortened}")
        } else {
            shortened
        }
    }
}

/// Characters that no file name needs: what Windows forbids, controls, and invisible direction marks.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// Cuts the stem so that name and ending fit.
fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let ending = name
        .rfind('.')
        .map(|at| &name[at..])
        .filter(|ending| ending.len() <= 20)
        .unwrap_or_default();
    let mut cut = LONGEST - ending.len();
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{ending}", &name[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(filename: &str) -> String {
        ExternalPart {
            filename: filename.to_owned(),
            ..ExternalPart::default()
        }
        .safe_filename()
    }

    #[test]
    fn names_that_try_something_are_tamed() {
        assert_eq!(safe("holiday.jpg"), "holiday.jpg");
        assert_eq!(safe("../../etc/passwd"), "passwd");
        assert_eq!(safe("C:\\Windows\\system.ini"), "system.ini");
        assert_eq!(safe(".bashrc"), "bashrc");
        assert_eq!(safe(".."), "file");
        assert_eq!(safe(""), "file");
        assert_eq!(safe("a/"), "file");
        assert_eq!(safe("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(safe("line\nbreak\0.txt"), "linebreak.txt");
        assert_eq!(safe("nul.txt"), "_nul.txt");
        assert_eq!(safe("COM1"), "_COM1");
        assert_eq!(safe("report. "), "report");
        assert_eq!(safe("übung.pdf"), "übung.pdf");
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = safe(&format!("{}.jpeg", "ü".repeat(400)));
        assert!(name.len() <= LONGEST && name.ends_with(".jpeg"));
    }
}
