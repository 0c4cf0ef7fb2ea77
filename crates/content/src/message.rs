//! A whole message, and its way to bytes and back (draft-ietf-mimi-content-08 section 4.1).

use std::fmt;

use zeroize::Zeroizing;

use crate::cbor::{Reader, Writer};
use crate::error::{ContentError, Refusal};
use crate::extension::{ExtensionKey, ExtensionValue, Extensions};
use crate::id::{MessageId, Salt};
use crate::limits;
use crate::part::{
    Disposition, ExternalPart, MultiPart, NestedPart, PartBody, PartSemantics, SinglePart,
};

type Result<T> = std::result::Result<T, ContentError>;

/// A MIMI content message.
#[derive(Clone, PartialEq, Eq)]
pub struct MimiContent {
    /// 16 random bytes that make the message id unguessable.
    pub salt: Salt,
    /// The message that this one edits or deletes.
    pub replaces: Option<MessageId>,
    /// Groups messages by topic; empty for none, at most 4,096 bytes.
    pub topic_id: Vec<u8>,
    /// When receivers should delete it.
    pub expires: Option<Expiration>,
    /// The message that this one answers or reacts to.
    pub in_reply_to: Option<MessageId>,
    /// Fields beyond the draft's.
    pub extensions: Extensions,
    /// What the message says.
    pub body: NestedPart,
}

/// When receivers should delete a message. A wish: nothing can make them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiration {
    /// True: seconds after it was read. False: seconds since 1970.
    pub relative: bool,
    /// That many seconds.
    pub seconds: u32,
}

impl fmt::Debug for MimiContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MimiContent({} parts)", self.body.walk().count())
    }
}

impl MimiContent {
    /// The message's one encoding. What this returns, [`MimiContent::decode`] accepts.
    ///
    /// # Errors
    /// A field over its limit, fewer than two parts in a nesting part, or too many parts or levels.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut writer = Writer::default();
        writer.array(7);
        writer.bytes(self.salt.as_bytes());
        write_id(&mut writer, self.replaces.as_ref());
        writer.bytes(&self.topic_id);
        match self.expires {
            None => writer.null(),
            Some(Expiration { relative, seconds }) => {
                writer.array(2);
                writer.bool(relative);
                writer.unsigned(u64::from(seconds));
            }
        }
        write_id(&mut writer, self.in_reply_to.as_ref());
        self.extensions.write(&mut writer);
        write_part(&mut writer, &self.body, 1)?;
        let bytes = writer.finish();
        // One set of limits, checked in one place.
        Self::decode(&bytes)?;
        Ok(bytes)
    }

    /// Reads a message and refuses every encoding of it but the deterministic one.
    ///
    /// # Errors
    /// The first reason to refuse, with the byte it was found at.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > limits::MESSAGE_BYTES {
            return Err(ContentError::new(Refusal::TooLarge, limits::MESSAGE_BYTES));
        }
        let mut reader = Reader::new(bytes);
        items(&mut reader, 7)?;
        let message = Self {
            salt: Salt::from_random(reader.bytes_exact()?),
            replaces: read_id(&mut reader)?,
            topic_id: reader.bytes_up_to(limits::TOPIC_BYTES)?.to_vec(),
            expires: read_expiration(&mut reader)?,
            in_reply_to: read_id(&mut reader)?,
            extensions: Extensions::read(&mut reader)?,
            body: read_part(&mut reader, 1, &mut 0)?,
        };
        reader.finish()?;
        Ok(message)
    }

    /// Whether a private extension says yes.
    #[must_use]
    pub fn is_marked(&self, mark: &ExtensionKey) -> bool {
        self.extensions
            .get(mark)
            .and_then(ExtensionValue::as_unsigned)
            == Some(1)
    }

    /// The message id, given who sent it where according to MLS.
    ///
    /// # Errors
    /// As [`MimiContent::encode`] and [`MessageId::of`].
    pub fn id(&self, sender: &str, room: &str) -> Result<MessageId> {
        MessageId::of(&self.encode()?, &self.salt, sender, room)
    }

    /// Refuses a message that names another sender or room than MLS says it came from.
    /// A message that names none passes.
    ///
    /// # Errors
    /// [`Refusal::ClaimMismatch`].
    pub fn check_claims(&self, sender: &str, room: &str) -> Result<()> {
        for (key, actual) in [
            (ExtensionKey::SENDER_URI, sender),
            (ExtensionKey::ROOM_URI, room),
        ] {
            if self
                .extensions
                .get(&key)
                .is_some_and(|claimed| claimed.as_text() != Some(actual))
            {
                return Err(ContentError::new(Refusal::ClaimMismatch, 0));
            }
        }
        Ok(())
    }

    /// When the sender's device says it wrote this, in milliseconds since 1970.
    #[must_use]
    pub fn sent_at_ms(&self) -> Option<u64> {
        self.extensions
            .get(&ExtensionKey::SENT_AT_MS)?
            .as_unsigned()
    }

    /// Which message of its device in this group this is, counted from 1.
    #[must_use]
    pub fn device_counter(&self) -> Option<u64> {
        self.extensions
            .get(&ExtensionKey::DEVICE_COUNTER)?
            .as_unsigned()
    }

    /// The proof that the sender holds a contact link, if the message carries one of the right length.
    #[must_use]
    pub fn link_proof(&self) -> Option<[u8; 32]> {
        self.extensions
            .get(&ExtensionKey::LINK_PROOF)?
            .as_bytes()?
            .try_into()
            .ok()
    }
}

fn write_id(writer: &mut Writer, id: Option<&MessageId>) {
    match id {
        None => writer.null(),
        Some(id) => writer.bytes(id.as_bytes()),
    }
}

fn read_id(reader: &mut Reader<'_>) -> Result<Option<MessageId>> {
    if reader.null()? {
        return Ok(None);
    }
    let start = reader.offset();
    let id = reader.bytes_exact()?;
    MessageId::from_bytes(id)
        .map(Some)
        .map_err(|error| ContentError::new(error.refusal(), start))
}

fn read_expiration(reader: &mut Reader<'_>) -> Result<Option<Expiration>> {
    if reader.null()? {
        return Ok(None);
    }
    items(reader, 2)?;
    Ok(Some(Expiration {
        relative: reader.bool()?,
        seconds: reader.number()?,
    }))
}

/// Steps into an array that has exactly `wanted` items.
fn items(reader: &mut Reader<'_>, wanted: usize) -> Result<()> {
    let start = reader.offset();
    if reader.array()? == wanted {
        Ok(())
    } else {
        Err(ContentError::new(Refusal::ItemCount, start))
    }
}

fn write_part(writer: &mut Writer, part: &NestedPart, level: usize) -> Result<()> {
    if level > limits::DEPTH {
        return Err(ContentError::new(Refusal::TooDeep, 0));
    }
    let (items, cardinality) = match part.body {
        PartBody::Null => (3, 0),
        PartBody::Single(_) => (5, 1),
        PartBody::External(_) => (15, 2),
        PartBody::Multi(_) => (5, 3),
    };
    writer.array(items);
    writer.unsigned(u64::from(part.disposition.number()));
    writer.text(&part.language);
    writer.unsigned(cardinality);
    match &part.body {
        PartBody::Null => {}
        PartBody::Single(single) => {
            writer.text(&single.content_type);
            writer.bytes(&single.content);
        }
        PartBody::External(external) => write_external(writer, external),
        PartBody::Multi(multi) => {
            writer.unsigned(u64::from(multi.semantics.number()));
            writer.array(multi.parts.len());
            for part in &multi.parts {
                write_part(writer, part, level + 1)?;
            }
        }
    }
    Ok(())
}

fn write_external(writer: &mut Writer, external: &ExternalPart) {
    writer.text(&external.content_type);
    writer.text(&external.url);
    writer.unsigned(u64::from(external.expires));
    writer.unsigned(external.size);
    writer.unsigned(u64::from(external.encryption));
    writer.bytes(&external.key);
    writer.bytes(&external.nonce);
    writer.bytes(&external.aad);
    writer.unsigned(u64::from(external.hash_algorithm));
    writer.bytes(&external.content_hash);
    writer.text(&external.description);
    writer.text(&external.filename);
}

fn read_part(reader: &mut Reader<'_>, level: usize, parts: &mut usize) -> Result<NestedPart> {
    *parts += 1;
    if level > limits::DEPTH {
        return reader.refuse(Refusal::TooDeep);
    }
    if *parts > limits::PARTS {
        return reader.refuse(Refusal::TooMany);
    }
    let start = reader.offset();
    let items = reader.array()?;
    let disposition = Disposition::from_number(reader.number()?);
    let language = reader.text_up_to(limits::LANGUAGE_BYTES)?;
    let kind_at = reader.offset();
    let (wanted, kind) = match reader.unsigned()? {
        0 => (3, PartKind::Null),
        1 => (5, PartKind::Single),
        2 => (15, PartKind::External),
        3 => (5, PartKind::Multi),
        _ => return Err(ContentError::new(Refusal::OutOfRange, kind_at)),
    };
    if items != wanted {
        return Err(ContentError::new(Refusal::ItemCount, start));
    }
    let body = match kind {
        PartKind::Null => PartBody::Null,
        PartKind::Single => PartBody::Single(SinglePart {
            content_type: reader.text_up_to(limits::CONTENT_TYPE_BYTES)?,
            content: reader.bytes()?.to_vec(),
        }),
        PartKind::External => PartBody::External(Box::new(read_external(reader)?)),
        PartKind::Multi => PartBody::Multi(read_multi(reader, level, parts)?),
    };
    Ok(NestedPart {
        disposition,
        language,
        body,
    })
}

#[derive(Clone, Copy)]
enum PartKind {
    Null,
    Single,
    External,
    Multi,
}

fn read_external(reader: &mut Reader<'_>) -> Result<ExternalPart> {
    Ok(ExternalPart {
        content_type: reader.text_up_to(limits::CONTENT_TYPE_BYTES)?,
        url: reader.text_up_to(limits::URL_BYTES)?,
        expires: reader.number()?,
        size: reader.unsigned()?,
        encryption: reader.number()?,
        key: Zeroizing::new(reader.bytes_up_to(limits::KEY_BYTES)?.to_vec()),
        nonce: reader.bytes_up_to(limits::KEY_BYTES)?.to_vec(),
        aad: reader.bytes_up_to(limits::AAD_BYTES)?.to_vec(),
        hash_algorithm: reader.number()?,
        content_hash: reader.bytes_up_to(limits::KEY_BYTES)?.to_vec(),
        description: reader.text_up_to(limits::DESCRIPTION_BYTES)?,
        filename: reader.text_up_to(limits::FILENAME_BYTES)?,
    })
}

fn read_multi(reader: &mut Reader<'_>, level: usize, parts: &mut usize) -> Result<MultiPart> {
    let start = reader.offset();
    let semantics = PartSemantics::from_number(reader.number()?)
        .ok_or_else(|| ContentError::new(Refusal::OutOfRange, start))?;
    let start = reader.offset();
    let len = reader.array()?;
    if len < 2 {
        return Err(ContentError::new(Refusal::ItemCount, start));
    }
    let mut nested = Vec::new();
    for _ in 0..len {
        nested.push(read_part(reader, level + 1, parts)?);
    }
    Ok(MultiPart {
        semantics,
        parts: nested,
    })
}
