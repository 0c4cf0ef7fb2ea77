//! Messages that apps send each other without anybody writing them: the proof of a link, and asking for what is missing,
//! and receipts.
//!
//! They are ordinary MIMI content with counter 0, so that they need no kind of their own in the protocol; a part's content type says
//! what they are (docs/protocol.md section 7).

use prost::Message as _;
use undertone_content::{
    Disposition, MESSAGE_STATUS, MessageId, MessageStatus, MimiContent, NestedPart, Origin,
    PartBody, Salt, decode_report, encode_report,
};

use rusqlite::params;

use super::{
    Work, action, alarm,
    conversation::{self, Conversation},
    invite_told,
    message::{self, Place},
    profile, shared,
};
use crate::error::{Reason, Result};

/// How long automatic messages are kept to close gaps with.
const AUTOMATIC_KEPT_MS: i64 = 14 * 24 * 3600 * 1000;
/// Content type of [`Ask`].
const ASK: &str = "application/vnd.undertone.ask-again";
/// Content type of [`Again`].
const AGAIN: &str = "application/vnd.undertone.again";

/// Content type of [`Heard`].
const HEARD: &str = "application/vnd.undertone.heard";
/// Content type of what says nothing but that its sender is in the same state.
const VOUCH: &str = "application/vnd.undertone.vouch";

/// Content type of [`shared::Entries`], in the account's own group.
const SYNC: &str = "application/vnd.undertone.sync";
/// Content type of [`alarm::Agreement`].
const ALARM: &str = "application/vnd.undertone.alarm";
/// Content type of [`profile::Profile`], in a part whose disposition says the same.
const PROFILE: &str = "application/vnd.undertone.profile";
/// Content type of what says that the device that sends it is wiped.
const GONE: &str = "application/vnd.undertone.gone";
/// Content type of [`invite_told::Links`].
const LINKS: &str = "application/vnd.undertone.links";
/// Content type of what says that its sender is writing.
const TYPING: &str = "application/vnd.undertone.typing";

/// What is missing.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ask {
    /// Numbers of the channel that never came.
    #[prost(message, repeated, tag = "1")]
    pub(crate) numbers: Vec<Number>,
    /// Messages of one device, by its counter.
    #[prost(message, repeated, tag = "2")]
    pub(crate) counters: Vec<Counter>,
}

/// A place in the conversation.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Number {
    #[prost(uint32, tag = "1")]
    pub(crate) generation: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) number: u64,
}

/// A message of a device.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Counter {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) device: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) counter: u64,
}

/// What was sent before, unchanged.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Again {
    #[prost(message, repeated, tag = "1")]
    pub(crate) messages: Vec<Repeated>,
}

/// One message sent before.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Repeated {
    #[prost(uint32, tag = "1")]
    pub(crate) generation: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) number: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) content: Vec<u8>,
}

/// How far this device and the others have come, by their counters: told after coming back, so that both sides notice what the other
/// one missed without waiting for the next message.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Heard {
    /// The counter of the last message that its sender wrote here.
    #[prost(uint64, tag = "1")]
    pub(crate) last: u64,
    /// The highest counter that its sender has of each other device.
    #[prost(message, repeated, tag = "2")]
    pub(crate) of: Vec<Counter>,
}

/// A content read as one of these.
pub(crate) enum Automatic {
    LinkProof([u8; 32]),
    Ask(Ask),
    Again(Again),
    Heard(Heard),
    /// What has become of messages.
    Status(Vec<(MessageId, MessageStatus)>),
    /// What another device of the account changed.
    Sync(shared::Entries),
    /// How the alarm of its sender is known.
    Alarm(alarm::Agreement),
    /// What its sender is called and looks like.
    Profile(profile::Profile),
    /// Links to the group that were made, or have ended.
    Links(invite_told::Links),
    /// The device of its sender is wiped.
    Gone,
    /// Its sender is writing; means something only where nothing is kept.
    Typing,
    /// Of a kind that this version does not know.
    Unknown,
}

fn compose(work: &Work<'_>, row: &Conversation, body: NestedPart) -> MimiContent {
    let (sender, room) = message::uris(&work.me.account, row);
    MimiContent::new(
        &Origin {
            salt: Salt::from_random(work.random()),
            sender: &sender,
            room: &room,
            sent_at_ms: u64::try_from(work.now_ms).unwrap_or(0),
            device_counter: 0,
        },
        body,
    )
}

fn encode(content: &MimiContent) -> Result<Vec<u8>> {
    Ok(content.encode().map_err(|_| Reason::ContentMalformed)?)
}

/// Proves the link.
pub(crate) fn link_proof(work: &Work<'_>, row: &Conversation, proof: &[u8; 32]) -> Result<Vec<u8>> {
    let body = NestedPart::null(Disposition::Unspecified);
    encode(&compose(work, row, body).with_link_proof(proof))
}

/// Asks for what is missing.
pub(crate) fn ask(work: &Work<'_>, row: &Conversation, ask: &Ask) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, ASK, ask.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Sends again.
pub(crate) fn again(work: &Work<'_>, row: &Conversation, again: &Again) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, AGAIN, again.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Tells how far this device has come.
pub(crate) fn heard(work: &Work<'_>, row: &Conversation, heard: &Heard) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, HEARD, heard.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Tells what has become of messages.
pub(crate) fn status(
    work: &Work<'_>,
    row: &Conversation,
    statuses: &[(MessageId, MessageStatus)],
) -> Result<Vec<u8>> {
    let report = encode_report(statuses);
    let body = NestedPart::single(Disposition::Session, MESSAGE_STATUS, report);
    encode(&compose(work, row, body))
}

/// Shows a device that came back that this one is in the same state: a message is signed together with all of it (RFC 9420 section 6.1).
pub(crate) fn vouch(work: &Work<'_>, row: &Conversation) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, VOUCH, Vec::new());
    encode(&compose(work, row, body))
}

/// Tells the account's other devices of entries.
pub(crate) fn sync(
    work: &Work<'_>,
    row: &Conversation,
    entries: &shared::Entries,
) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, SYNC, entries.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Tells a contact how the alarm of this device is known.
pub(crate) fn alarm(
    work: &Work<'_>,
    row: &Conversation,
    agreement: &alarm::Agreement,
) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, ALARM, agreement.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Tells what this account is called and looks like.
pub(crate) fn profile(
    work: &Work<'_>,
    row: &Conversation,
    profile: &profile::Profile,
) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Profile, PROFILE, profile.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Tells of links to the group.
pub(crate) fn links(
    work: &Work<'_>,
    row: &Conversation,
    links: &invite_told::Links,
) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, LINKS, links.encode_to_vec());
    encode(&compose(work, row, body))
}

/// Says that this device is wiped.
pub(crate) fn gone(work: &Work<'_>, row: &Conversation) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, GONE, Vec::new());
    encode(&compose(work, row, body))
}

/// Says that this account is writing.
pub(crate) fn typing(work: &Work<'_>, row: &Conversation) -> Result<Vec<u8>> {
    let body = NestedPart::single(Disposition::Session, TYPING, Vec::new());
    encode(&compose(work, row, body))
}

/// None: somebody wrote it.
pub(crate) fn read(content: &MimiContent) -> Option<Automatic> {
    if let Some(proof) = content.link_proof() {
        return Some(Automatic::LinkProof(proof));
    }
    if content.body.disposition == Disposition::Profile {
        return Some(read_profile(&content.body.body));
    }
    if content.body.disposition != Disposition::Session || action::is_pin(content) {
        return None;
    }
    let PartBody::Single(part) = &content.body.body else {
        return Some(Automatic::Unknown);
    };
    Some(match part.content_type.as_str() {
        ASK => Ask::decode(&part.content[..]).map_or(Automatic::Unknown, Automatic::Ask),
        AGAIN => Again::decode(&part.content[..]).map_or(Automatic::Unknown, Automatic::Again),
        HEARD => Heard::decode(&part.content[..]).map_or(Automatic::Unknown, Automatic::Heard),
        SYNC => {
            shared::Entries::decode(&part.content[..]).map_or(Automatic::Unknown, Automatic::Sync)
        }
        MESSAGE_STATUS => {
            decode_report(&part.content).map_or(Automatic::Unknown, Automatic::Status)
        }
        ALARM => {
            alarm::Agreement::decode(&part.content[..]).map_or(Automatic::Unknown, Automatic::Alarm)
        }
        LINKS => invite_told::Links::decode(&part.content[..])
            .map_or(Automatic::Unknown, Automatic::Links),
        GONE => Automatic::Gone,
        TYPING => Automatic::Typing,
        _ => Automatic::Unknown,
    })
}

fn read_profile(body: &PartBody) -> Automatic {
    match body {
        PartBody::Single(part) if part.content_type == PROFILE => {
            profile::Profile::decode(&part.content[..])
                .map_or(Automatic::Unknown, Automatic::Profile)
        }
        _ => Automatic::Unknown,
    }
}

/// The conversation goes on on another channel, whose numbers start at 1. What is missing before stays missing.
pub(crate) fn new_generation(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM automatic_sent WHERE conversation = ?1 AND sent_at_ms < ?2",
        params![conversation, work.now_ms - AUTOMATIC_KEPT_MS],
    )?;
    Ok(())
}

/// What this device put at a place says nothing to anybody who missed it: a change that was taken in, a wish to leave, or a copy of what stands
/// elsewhere. Who asks for it hears so.
pub(crate) fn keep_nothing(work: &Work<'_>, row: &Conversation, place: Place) -> Result<()> {
    let nothing = sync(work, row, &shared::Entries::default())?;
    work.db.execute(
        "INSERT OR IGNORE INTO automatic_sent (conversation, generation, number, content, sent_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![row.id, place.generation, place.number, nothing, work.now_ms],
    )?;
    Ok(())
}

/// An automatic message of this device has its number: it is kept, so that a gap there can be closed.
pub(crate) fn keep_automatic(
    work: &Work<'_>,
    row: &Conversation,
    place: Place,
    content: &[u8],
) -> Result<()> {
    // What the account's devices tell each other may hold a draft that is long deleted, and what was sent again a message: its place is kept,
    // and not what it said.
    let says_again = MimiContent::decode(content)
        .is_ok_and(|content| matches!(read(&content), Some(Automatic::Again(_))));
    if says_again || row.kind == conversation::Kind::Notes {
        return keep_nothing(work, row, place);
    }
    work.db.execute(
        "INSERT OR REPLACE INTO automatic_sent (conversation, generation, number, content, sent_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![row.id, place.generation, place.number, content, work.now_ms],
    )?;
    Ok(())
}
