//! What a person sees in the terminal.
//!
//! Everything here turns values into lines of text; nothing here talks to the network or the store. Two things must stay
//! true. Text that somebody else wrote (names, messages, file names) reaches the terminal only through [`sanitize`], so that
//! no contact can move the cursor, colour a line, or make one thing look like another. And every rendering takes a
//! [`Style`] and a width from outside, so that it reads the same without colour, in a narrow window, and in a test.

pub mod chat_list;
pub mod conversation;
pub mod names;
pub mod qr;
pub mod sanitize;
pub mod style;
pub mod time;
pub mod waveform;
pub mod width;

pub use sanitize::{multi_line, single_line};
pub use style::{Screen, Style};
