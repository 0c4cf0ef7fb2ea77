//! Why a step of a script did not work, so that a test's or the demo's last line says it in plain words.

use std::fmt;

/// What a step gives.
pub type Outcome<T = ()> = Result<T, Failed>;

/// A step that did not work.
pub struct Failed {
    /// What was tried, such as `ben: undertone send Ada Hello`.
    pub step: String,
    /// The program's stable code, or `harness` where the script itself could not go on.
    pub code: String,
    /// One sentence.
    pub sentence: String,
    /// The program's exit code, if it ended by itself.
    pub exit: Option<i32>,
}

impl Failed {
    /// A failure of the script itself.
    pub fn harness(step: impl Into<String>, sentence: impl fmt::Display) -> Self {
        Self {
            step: step.into(),
            code: "harness".into(),
            sentence: sentence.to_string(),
            exit: None,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}", self.step, self.sentence, self.code)?;
        match self.exit {
            Some(exit) => write!(f, ", exit code {exit})"),
            None => write!(f, ")"),
        }
    }
}

/// Tests that return a `Result` print this.
impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Failed {}
