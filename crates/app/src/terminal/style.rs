//! Colour and weight, or none.

use std::io::IsTerminal;

/// Whether lines carry ANSI styling. Meaning never depends on colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    coloured: bool,
}

/// Where output goes: how it may be styled and how wide it is.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Styling that the output understands.
    pub style: Style,
    /// Columns of a line.
    pub width: usize,
    /// Whether a person is looking at it.
    pub is_terminal: bool,
}

/// Widest a line gets, for reading.
const WIDEST: usize = 100;
/// Width where nobody says (a pipe, a file).
const USUAL: usize = 80;
const NARROWEST: usize = 30;

impl Screen {
    /// What standard output is: a terminal's own width and colours, or plain 80 columns. Honours `NO_COLOR`
    /// (<https://no-color.org>), `TERM=dumb` and `COLUMNS`.
    #[must_use]
    pub fn of_stdout() -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let from_environment = std::env::var("COLUMNS")
            .ok()
            .and_then(|value| value.parse::<usize>().ok());
        let measured = if is_terminal {
            console::Term::stdout()
                .size_checked()
                .map(|(_, columns)| usize::from(columns))
        } else {
            None
        };
        let width = measured
            .or(from_environment)
            .filter(|width| *width > 0)
            .unwrap_or(USUAL)
            .clamp(NARROWEST, WIDEST);
        Self {
            style: Style {
                coloured: is_terminal && !refused && !dumb,
            },
            width,
            is_terminal,
        }
    }

    /// Plain text of a given width, as in tests and pipes.
    #[must_use]
    pub fn plain(width: usize) -> Self {
        Self {
            style: Style { coloured: false },
            width,
            is_terminal: false,
        }
    }
}

impl Style {
    /// Coloured, whatever the output is. For tests.
    #[must_use]
    pub fn coloured() -> Self {
        Self { coloured: true }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.coloured && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// For what the eye should find first.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what is there when looked for: times, ids, states.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// For what needs attention.
    #[must_use]
    pub fn warning(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// For what is well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// A person's name, always in the same colour for the same account.
    #[must_use]
    pub fn person(self, account: &str, name: &str) -> String {
        const COLOURS: [&str; 6] = ["1;36", "1;35", "1;34", "1;32", "1;33", "1;31"];
        let mixed = account.bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        self.wrap(COLOURS[mixed % COLOURS.len()], name)
    }
}
