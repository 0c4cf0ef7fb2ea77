//! Message status reports (draft-mahy-mimi-message-status-01): which messages have arrived, and which were read.

use crate::cbor::{Reader, Writer};
use crate::error::{ContentError, Refusal};
use crate::id::MessageId;

/// The media type of a report.
pub const MESSAGE_STATUS: &str = "application/mimi-message-status";
/// Messages that one report tells of, at most.
pub const STATUSES: usize = 1000;

/// What has become of a message (section 3). Others of the draft's values mean nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageStatus {
    /// 1: a device of the report's sender has it.
    Delivered,
    /// 2: the report's sender has read it.
    Read,
    /// Any other.
    Other(u8),
}

impl MessageStatus {
    const fn number(self) -> u8 {
        match self {
            Self::Delivered => 1,
            Self::Read => 2,
            Self::Other(number) => number,
        }
    }

    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Delivered,
            2 => Self::Read,
            other => Self::Other(other),
        }
    }
}

/// Encodes a report (section 4).
#[must_use]
pub fn encode_report(statuses: &[(MessageId, MessageStatus)]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.array(statuses.len());
    for (id, status) in statuses {
        writer.array(2);
        writer.bytes(id.as_bytes());
        writer.unsigned(u64::from(status.number()));
    }
    writer.finish()
}

/// Reads a report.
///
/// # Errors
/// What is not the deterministic encoding of a report of at most [`STATUSES`] messages.
pub fn decode_report(bytes: &[u8]) -> Result<Vec<(MessageId, MessageStatus)>, ContentError> {
    let mut reader = Reader::new(bytes);
    let start = reader.offset();
    let count = reader.array()?;
    if count > STATUSES {
        return Err(ContentError::new(Refusal::TooLarge, start));
    }
    let mut statuses = Vec::with_capacity(count);
    for _ in 0..count {
        let start = reader.offset();
        if reader.array()? != 2 {
            return Err(ContentError::new(Refusal::FieldLength, start));
        }
        let id = MessageId::from_bytes(reader.bytes_exact()?)?;
        let start = reader.offset();
        let status = u8::try_from(reader.unsigned()?)
            .map_err(|_| ContentError::new(Refusal::OutOfRange, start))?;
        statuses.push((id, MessageStatus::from_number(status)));
    }
    reader.finish()?;
    Ok(statuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the draft, section 5.
    const EXAMPLE: &str = "84\
        825820017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f402\
        825820015354973c2b65ca937bf1e035ae53a5ab80e947afa43d46920d4202e5cc0b2702\
        825820018d825adf9f6be00dcafc5704c4102f5022e74219d0b603e4ba7622654042af00\
        82582001e59db8173939facc2c8a4a0f0ae8d0c7a11a81239626630c9464a8d6717a0303";

    #[test]
    fn the_drafts_example_reads_and_writes_byte_for_byte() {
        let bytes = data_encoding::HEXLOWER
            .decode(EXAMPLE.as_bytes())
            .expect("hex");
        let statuses = decode_report(&bytes).expect("a report");
        let told: Vec<_> = statuses.iter().map(|(_, status)| *status).collect();
        assert_eq!(
            told,
            [
                MessageStatus::Read,
                MessageStatus::Read,
                MessageStatus::Other(0),
                MessageStatus::Other(3)
            ]
        );
        assert_eq!(encode_report(&statuses), bytes);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let bytes = data_encoding::HEXLOWER
            .decode(EXAMPLE.as_bytes())
            .expect("hex");
        for end in 0..bytes.len() {
            assert!(decode_report(&bytes[..end]).is_err(), "{end} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(decode_report(&longer).is_err());
        // An array of 2^64 - 1 messages.
        assert!(decode_report(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert_eq!(decode_report(&[0x80]).expect("none"), []);
    }
}
