//! What this account does to messages: new versions, deletions, reactions, pins. Each is an action ([`action`]) that shows here at once
//! and goes out in its turn.

use rusqlite::{OptionalExtension as _, params};
use undertone_content::{
    Disposition, ExtensionKey, Meaning, MessageId, MimiContent, NestedPart, Origin, Salt,
};
use undertone_mls::Act;

use super::{
    Work,
    action::{self, PIN, UNPIN},
    card,
    conversation::{self, Conversation},
    erase,
    message::{self, NO_PLACE, Place, Sender, TEXT_BYTES},
    outbox, policy, request,
};
use crate::error::{Reason, Result};

/// A message that something is to be done to.
pub(crate) struct Target {
    pub(crate) local: i64,
    pub(crate) id: MessageId,
    sender: Vec<u8>,
    gone: bool,
    content: Vec<u8>,
    /// The failed one never went out.
    unsent: bool,
}

/// A message of a conversation by its id.
pub(crate) fn target(work: &Work<'_>, conversation: i64, id: &[u8; 32]) -> Result<Target> {
    let found = work
        .db
        .prepare_cached(
            "SELECT id, sender, gone, content, state FROM messages WHERE conversation = ?1 AND message_id = ?2 AND kind = 1 AND gone < 2",
        )?
        .query_row(params![conversation, id], |row| {
            Ok(Target {
                local: row.get(0)?,
                id: MessageId::from_bytes(*id).map_err(|_| rusqlite::Error::QueryReturnedNoRows)?,
                sender: row.get(1)?,
                gone: row.get::<_, i64>(2)? != 0,
                content: row.get(3)?,
                unsent: row.get::<_, i64>(4)? == message::State::Failed as i64,
            })
        })
        .optional()?;
    Ok(found.ok_or(Reason::MessageUnknown)?)
}

/// Where an own content of a conversation comes from.
pub(crate) struct Source {
    sender: String,
    room: String,
    counter: u64,
}

impl Source {
    /// Takes the next counter.
    fn next(work: &Work<'_>, row: &Conversation) -> Result<Self> {
        let counter = conversation::take_counter(work, row.id)?;
        Ok(Self::with_counter(work, row, counter))
    }

    pub(crate) fn with_counter(work: &Work<'_>, row: &Conversation, counter: u64) -> Self {
        let (sender, room) = message::uris(&work.me.account, row);
        Self {
            sender,
            room,
            counter,
        }
    }

    pub(crate) fn origin(&self, work: &Work<'_>) -> Origin<'_> {
        Origin {
            salt: Salt::from_random(work.random()),
            sender: &self.sender,
            room: &self.room,
            sent_at_ms: u64::try_from(work.now_ms).unwrap_or(0),
            device_counter: self.counter,
        }
    }
}

fn open(work: &Work<'_>, id: i64) -> Result<Conversation> {
    let row = conversation::load(work.db, id)?;
    let closed = matches!(
        row.state,
        conversation::State::Left | conversation::State::Removed
    );
    if closed || row.leaving {
        return Err(Reason::ChatClosed.into());
    }
    request::check(&row)?;
    Ok(row)
}

/// Puts an own action into the store and the outbox; it shows at once.
fn enqueue(work: &Work<'_>, row: &Conversation, content: &MimiContent) -> Result<()> {
    let bytes = content.encode().map_err(|_| Reason::MessageTooLong)?;
    if bytes.len() > message::CONTENT_BYTES {
        return Err(Reason::MessageTooLong.into());
    }
    let (sender_uri, room) = message::uris(&work.me.account, row);
    let id = content
        .id(&sender_uri, &room)
        .map_err(|_| Reason::ContentMalformed)?;
    let action = action::read(content).ok_or(Reason::ContentMalformed)?;
    let me = Sender {
        account: work.me.account,
        device: work.me.device,
    };
    let place = Place {
        generation: NO_PLACE,
        number: content.device_counter().unwrap_or(0),
    };
    let kept =
        action::keep(work, row, &me, &id, &bytes, &action, place)?.ok_or(Reason::StateBroken)?;
    outbox::push_action(work, row.id, kept, &bytes)?;
    action::apply(work, row, action.kind, &action.target, &work.me.account)
}

/// Gives an own message a new text.
pub(crate) fn edit(
    work: &Work<'_>,
    id: i64,
    target: &Target,
    text: &str,
    markdown: bool,
) -> Result<()> {
    let row = open(work, id)?;
    policy::check(work, &row, Act::Post)?;
    if target.sender != work.me.account.as_bytes() {
        return Err(Reason::MessageNotYours.into());
    }
    if target.gone || target.unsent {
        return Err(Reason::MessageGone.into());
    }
    if text.len() > TEXT_BYTES {
        return Err(Reason::MessageTooLong.into());
    }
    if card::is_in(&target.content) {
        return Err(Reason::MessageNotText.into());
    }
    let source = Source::next(work, &row)?;
    let old = if target.content.is_empty() {
        // What could be opened once, from another device of this account: its files are not here.
        MimiContent::emptied(&source.origin(work))
    } else {
        MimiContent::decode(&target.content).map_err(|_| Reason::ContentMalformed)?
    };
    let old = if old.is_marked(&ExtensionKey::VIEW_ONCE) {
        // A new version does not carry what goes when it is opened.
        MimiContent::emptied(&source.origin(work))
    } else {
        old
    };
    if text.is_empty() && old.shown().files.is_empty() {
        return Err(Reason::MessageEmpty.into());
    }
    let new = old
        .revised(&source.origin(work), text, markdown)
        .replacing(target.id);
    enqueue(work, &row, &new)
}

/// Deletes an own message on every device.
pub(crate) fn delete(work: &Work<'_>, id: i64, target: &Target) -> Result<()> {
    if target.sender != work.me.account.as_bytes() {
        return Err(Reason::MessageNotYours.into());
    }
    if target.gone {
        return Ok(());
    }
    if target.unsent {
        return erase::message(work, target.local, erase::Gone::Here);
    }
    let row = open(work, id)?;
    let source = Source::next(work, &row)?;
    let content = MimiContent::delete(&source.origin(work), target.id);
    enqueue(work, &row, &content)
}

/// Pins a message for everybody, or ends that.
pub(crate) fn pin(work: &Work<'_>, id: i64, target: &Target, pinned: bool) -> Result<()> {
    let row = open(work, id)?;
    if target.gone || target.unsent {
        return Err(Reason::MessageGone.into());
    }
    policy::check(work, &row, Act::Pin)?;
    let is_pinned = work
        .db
        .prepare_cached("SELECT 1 FROM pins WHERE conversation = ?1 AND target = ?2")?
        .exists(params![row.id, target.id.as_bytes()])?;
    if is_pinned == pinned {
        return Ok(());
    }
    let source = Source::next(work, &row)?;
    let kind = if pinned { PIN } else { UNPIN };
    let body = NestedPart::single(Disposition::Session, kind, Vec::new());
    let content = MimiContent::new(&source.origin(work), body).answering(target.id);
    enqueue(work, &row, &content)
}

/// Reacts, or takes the reaction back.
pub(crate) fn react(
    work: &Work<'_>,
    id: i64,
    target: &Target,
    text: &str,
    stands: bool,
) -> Result<()> {
    let row = open(work, id)?;
    if target.gone || target.unsent {
        return Err(Reason::MessageGone.into());
    }
    let text = text.trim();
    if !action::is_reaction(text) {
        return Err(Reason::ReactionInvalid.into());
    }
    let own = standing(work, row.id, target, text)?;
    if stands {
        if own.is_empty() {
            let source = Source::next(work, &row)?;
            let content = MimiContent::reaction(&source.origin(work), target.id, text);
            enqueue(work, &row, &content)?;
        }
        return Ok(());
    }
    for reaction in own {
        let source = Source::next(work, &row)?;
        let content = MimiContent::unlike(&source.origin(work), reaction, target.id);
        enqueue(work, &row, &content)?;
    }
    Ok(())
}

/// One's own reactions with this text that stand: one for each device that gave it.
fn standing(
    work: &Work<'_>,
    conversation: i64,
    target: &Target,
    text: &str,
) -> Result<Vec<MessageId>> {
    let mut statement = work.db.prepare_cached(
        "SELECT a.message_id, a.content FROM actions a
         WHERE a.conversation = ?1 AND a.target = ?2 AND a.sender = ?3 AND a.kind = 3 AND NOT EXISTS (
            SELECT 1 FROM actions b WHERE b.conversation = ?1 AND b.sender = ?3 AND b.kind = 2 AND b.target = a.message_id)",
    )?;
    let rows = statement
        .query_map(
            params![
                conversation,
                target.id.as_bytes(),
                work.me.account.as_bytes()
            ],
            |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?)),
        )?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let says = |content: &[u8]| {
        MimiContent::decode(content).is_ok_and(|content| {
            matches!(content.meaning(), Meaning::Reaction { reactions, .. } if reactions == [text])
        })
    };
    Ok(rows
        .into_iter()
        .filter(|(_, content)| says(content))
        .filter_map(|(id, _)| MessageId::from_bytes(id.try_into().ok()?).ok())
        .collect())
}
