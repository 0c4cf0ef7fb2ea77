//! Makes text that others wrote safe to print.
//!
//! A terminal obeys what it is sent. A name with an escape sequence in it could clear the screen, rewrite an earlier line,
//! or set the clipboard; a bidirectional override could make a program's name end in `.jpg`. So control characters
//! become the visible replacement character, characters that only change direction or hide go away, and text that holds
//! right-to-left letters is isolated (Unicode UAX #9, FSI and PDI) so that it can't reorder what stands beside it.

/// Combining marks kept on one letter; more ("zalgo") would spill over neighbouring lines.
const MAX_COMBINING: usize = 4;
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';
const TAB: &str = "    ";

/// A name, title or file name: one line, nothing invisible; `(no name)` where nothing visible is left.
#[must_use]
pub fn single_line(text: &str) -> String {
    let clean = clean(text, false);
    if clean.chars().any(is_visible) {
        isolate(clean.trim())
    } else {
        "(no name)".to_owned()
    }
}

/// A message's text: line breaks stay, everything else as in [`single_line`]. Each line is isolated by itself.
#[must_use]
pub fn multi_line(text: &str) -> Vec<String> {
    clean(text, true)
        .trim_end_matches('\n')
        .split('\n')
        .map(isolate)
        .collect()
}

fn clean(text: &str, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut combining = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let is_break = matches!(
            c,
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{0b}' | '\u{0c}'
        );
        if is_break {
            if c == '\r' && characters.peek() == Some(&'\n') {
                characters.next();
            }
            out.push(if keep_lines { '\n' } else { ' ' });
            combining = 0;
        } else if c == '\t' {
            out.push_str(if keep_lines { TAB } else { " " });
            combining = 0;
        } else if c.is_control() {
            out.push('\u{fffd}');
            combining = 0;
        } else if is_joiner(c) {
            // Joiners are needed by emoji and by several scripts, but only between two visible characters.
            let joins = out
                .chars()
                .last()
                .is_some_and(|before| !before.is_whitespace() && !is_joiner(before))
                && characters
                    .peek()
                    .is_some_and(|after| !after.is_whitespace() && !is_dropped(*after));
            if joins {
                out.push(c);
            }
        } else if is_dropped(c) {
        } else if unicode_width::UnicodeWidthChar::width(c) == Some(0) {
            combining += 1;
            if combining <= MAX_COMBINING {
                out.push(c);
            }
        } else {
            combining = 0;
            out.push(c);
        }
    }
    out
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Characters that show nothing and change how others are shown or compared, and those that stand for nothing.
fn is_dropped(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
        || (c as u32) & 0xfffe == 0xfffe
}

fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && c != '\u{2800}'
        && unicode_width::UnicodeWidthChar::width(c).is_some_and(|width| width > 0)
}

/// Whether a character belongs to a right-to-left script (UAX #9 classes R, AL, AN, by block).
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

fn isolate(line: &str) -> String {
    if line.chars().any(is_right_to_left) {
        format!("{FIRST_STRONG_ISOLATE}{line}{POP_DIRECTIONAL_ISOLATE}")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_in_a_name_is_shown_and_not_obeyed() {
        assert_eq!(
            single_line("Ada\u{1b}[2J\u{1b}]52;c;aGk=\u{7}"),
            "Ada\u{fffd}[2J\u{fffd}]52;c;aGk=\u{fffd}"
        );
        assert_eq!(single_line("\u{9b}31mred"), "\u{fffd}31mred");
        assert_eq!(single_line("a\u{8}\u{7f}b"), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn a_carriage_return_cannot_overwrite_the_line_before_it() {
        assert_eq!(single_line("Ben\rAda (verified)"), "Ben Ada (verified)");
        assert_eq!(multi_line("one\rtwo\r\nthree"), ["one", "two", "three"]);
    }

    #[test]
    fn a_direction_override_shows_a_file_name_as_it_is() {
        assert_eq!(single_line("photo\u{202e}gpj.exe"), "photogpj.exe");
        assert_eq!(single_line("\u{2067}x\u{2069}\u{2069}"), "x");
    }

    #[test]
    fn right_to_left_text_is_kept_and_isolated() {
        assert_eq!(single_line("שלום"), "\u{2068}שלום\u{2069}");
        assert_eq!(
            multi_line("مرحبا\nhello"),
            ["\u{2068}مرحبا\u{2069}", "hello"]
        );
    }

    #[test]
    fn a_name_of_nothing_but_invisible_characters_has_no_name() {
        for name in [
            "",
            "   ",
            "\u{200b}\u{200b}",
            "\u{3164}",
            "\u{2800}",
            "\u{200d}",
            "\u{e0041}",
        ] {
            assert_eq!(single_line(name), "(no name)", "{name:?}");
        }
    }

    #[test]
    fn two_names_that_differ_only_in_hidden_characters_print_alike() {
        assert_eq!(single_line("Ad\u{200b}a"), single_line("Ada"));
        assert_eq!(single_line("Ad\u{ad}a"), single_line("Ada"));
    }

    #[test]
    fn emoji_sequences_survive_and_piled_up_marks_do_not() {
        assert_eq!(single_line("👩‍🚀"), "👩‍🚀");
        assert_eq!(single_line("é"), "é");
        let pile = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(single_line(&pile).chars().count(), 1 + MAX_COMBINING);
    }

    #[test]
    fn text_keeps_its_lines_and_tabs_become_spaces() {
        assert_eq!(multi_line("a\tb\n\nc\n"), ["a    b", "", "c"]);
        assert_eq!(single_line("a\tb\nc"), "a b c");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_terminal_obeys_ever_comes_through(text: String) {
            let lines = multi_line(&text);
            for line in lines.iter().chain([&single_line(&text)]) {
                proptest::prop_assert!(!line.chars().any(|c| c.is_control()));
                let overrides = line.chars().any(|c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}' | '\u{2067}'));
                proptest::prop_assert!(!overrides);
                let opens = line.matches('\u{2068}').count();
                proptest::prop_assert_eq!(opens, line.matches('\u{2069}').count());
                proptest::prop_assert!(opens <= 1);
            }
        }
    }
}
