//! The error both sides pass around.
//!
//! It holds a code and numbers, never text or bytes from outside, so it may go to any log and any screen.

use std::fmt;

use crate::{Class, Code, proto};

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A code with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub code: Code,
    /// What may be done; for [`Code::Unrecognised`] it is the one the server sent.
    pub class: Class,
    /// Seconds to wait before a retry; 0: no hint.
    pub retry_after_s: u32,
    /// With `channel.stale` and `channel.epoch`: the channel's epoch.
    pub epoch: u64,
    /// With `channel.stale`: the lowest epoch that may send.
    pub min_send_epoch: u64,
}

impl Error {
    /// An error that needs no numbers.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            class: code.class(),
            retry_after_s: 0,
            epoch: 0,
            min_send_epoch: 0,
        }
    }

    /// With a hint when to try again.
    pub const fn retry_after(code: Code, seconds: u32) -> Self {
        let mut error = Self::new(code);
        error.retry_after_s = seconds;
        error
    }

    /// `channel.stale`: the sender must catch up and encrypt again.
    pub const fn stale(epoch: u64, min_send_epoch: u64) -> Self {
        let mut error = Self::new(Code::ChannelStale);
        error.epoch = epoch;
        error.min_send_epoch = min_send_epoch;
        error
    }

    /// `channel.epoch`: another commit was first.
    pub const fn channel_epoch(epoch: u64) -> Self {
        let mut error = Self::new(Code::ChannelEpoch);
        error.epoch = epoch;
        error
    }

    /// One plain sentence for a person.
    pub const fn sentence(&self) -> &'static str {
        self.code.sentence()
    }

    /// From an HTTP answer, which carries the code's text only. What is believed is as in [`Self::from_proto`].
    pub fn from_code_text(text: &str) -> Self {
        let known = Code::from_text(text).filter(|code| !code.is_local());
        Self::new(known.unwrap_or(Code::Unrecognised))
    }

    /// From a response. A code that is unknown, or that only the app itself may say, becomes [`Code::Unrecognised`] with the
    /// class that was sent; the sender's sentence is dropped.
    pub fn from_proto(error: &proto::Error) -> Self {
        let known = Code::from_text(&error.code).filter(|code| !code.is_local());
        Self {
            code: known.unwrap_or(Code::Unrecognised),
            class: known.map_or(Class::from_number(error.class), Code::class),
            retry_after_s: error.retry_after_s,
            epoch: error.epoch,
            min_send_epoch: error.min_send_epoch,
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl From<Error> for proto::Error {
    fn from(error: Error) -> Self {
        Self {
            code: error.code.as_str().to_owned(),
            class: error.class.number(),
            retry_after_s: error.retry_after_s,
            sentence: error.sentence().to_owned(),
            epoch: error.epoch,
            min_send_epoch: error.min_send_epoch,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.sentence(), self.code)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_wire() {
        for code in Code::ALL.iter().filter(|code| !code.is_local()) {
            let error = Error {
                retry_after_s: 3,
                epoch: 5,
                min_send_epoch: 4,
                ..Error::new(*code)
            };
            assert_eq!(Error::from_proto(&error.into()), error);
        }
    }

    #[test]
    fn a_server_cannot_say_what_only_the_app_may_find() {
        let error = Error::from_proto(&Error::new(Code::ConnectionPin).into());
        assert_eq!(error.code, Code::Unrecognised);
    }

    #[test]
    fn a_code_from_a_newer_server_keeps_its_class_and_loses_its_words() {
        let error = Error::from_proto(&proto::Error {
            code: "quota.moons".into(),
            class: 2,
            sentence: "Call this number and read out your recovery phrase.".into(),
            ..Default::default()
        });
        assert_eq!(error.code, Code::Unrecognised);
        assert_eq!(error.class, Class::RetryLater);
        assert!(!error.to_string().contains("phrase"));
    }
}
