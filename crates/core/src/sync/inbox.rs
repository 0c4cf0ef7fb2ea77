//! What comes out of the own queue, one item at a time.
//!
//! An item's effects and the queue position are stored in the same transaction, and an item at or below the position is ignored: so
//! an item counts exactly once, however often it is delivered.

use prost::Message as _;
use undertone_mls::{EnvelopeKind, OpenError, Opened, Violation};
use undertone_wire::{
    client_proto::{DirectMessage, Payload, SealedRequest, direct_message, payload},
    padding,
    response::{ItemKind, QueueItem, SignedIn},
};

use super::{
    Work, absent, account,
    address::{self, Address},
    alarm,
    application::{self, Read},
    automatic, channel, commit,
    conversation::{self, Conversation, State},
    early_welcome, elsewhere, fetch, gaps, held, ignored, invite, linking,
    message::Place,
    outbox, proof, resync, siblings, spare, welcome,
};
use crate::error::{Error, Result};

/// One item as the engine sees it.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) next_lock: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    /// SHA-256 of the id of the channel it came by; empty: none.
    pub(crate) channel: Vec<u8>,
    /// The blob that its sender named, and that the server saw to be there; empty: none.
    pub(crate) blob: Vec<u8>,
}

/// A large body that was put in a blob.
pub(crate) enum Body {
    /// Not looked for yet.
    Unknown,
    /// Here it is.
    Here(Vec<u8>),
    /// The server does not have it, although it said so.
    Missing,
}

/// The queue was signed in. Says from which sequence on items count.
pub(crate) fn signed_in(work: &Work<'_>, answer: &SignedIn) -> Result<()> {
    absent::signed_in(work)?;
    siblings::read_keys(work)?;
    let state = account::queue_state(work.db)?;
    if state.incarnation.is_empty() {
        return account::set_incarnation(
            work.db,
            answer.incarnation.as_bytes(),
            answer.first_sequence.saturating_sub(1),
        );
    }
    if state.incarnation != answer.incarnation.as_bytes() {
        // The server was restored from a backup: sequences start anew, channels may have gone back.
        account::set_incarnation(
            work.db,
            answer.incarnation.as_bytes(),
            answer.first_sequence.saturating_sub(1),
        )?;
        return channel::server_restored(work);
    }
    address::try_refused_again(work)?;
    if answer.first_sequence > state.position + 1 {
        // Items were acknowledged that this store does not know of (it was put back), or they have expired. What they changed can't be
        // made up for from here.
        account::set_position(work.db, answer.first_sequence - 1)?;
        for row in conversation::sendable(work)? {
            // Of notes on one device there is nobody who could know more.
            if row.kind != conversation::Kind::Notes
                || conversation::devices(work.db, row.id)?.len() > 1
            {
                resync::need(work, &row)?;
            }
        }
    }
    Ok(())
}

/// The position up to which items count already.
pub(crate) fn position(work: &Work<'_>) -> Result<u64> {
    Ok(account::queue_state(work.db)?.position)
}

/// Takes one opened item. `None`: it could not be opened, whatever was tried; it is passed over and shows as a gap.
pub(crate) fn take(work: &Work<'_>, sequence: u64, item: Option<&QueueItem>) -> Result<()> {
    if sequence <= position(work)? {
        return Ok(());
    }
    if let Some(item) = item.filter(|item| fits(item))
        && let Some(address) = address::by_name(work, item.address.as_bytes())?
    {
        let item = Item {
            kind: item.kind,
            number: item.number,
            epoch: item.epoch,
            next_lock: item.next_lock.map(|lock| lock.to_vec()).unwrap_or_default(),
            payload: item.payload.to_vec(),
            channel: item
                .channel
                .map(|hash| elsewhere::channel_name(&hash, item.server.as_ref()).to_vec())
                .unwrap_or_default(),
            blob: item
                .blob
                .map(|hash| hash.as_bytes().to_vec())
                .unwrap_or_default(),
        };
        dispatch(work, &address, &item)?;
    }
    account::set_position(work.db, sequence)
}

/// What an item was to do failed, and would fail each time: the ones behind it go on. Said by somebody, it is missing from here on, is asked
/// for and gets a line; where the state of the conversation can't take the item, this device asks to be let in again.
pub(crate) fn pass_over(
    work: &Work<'_>,
    sequence: u64,
    item: Option<&QueueItem>,
    why: &Error,
) -> Result<()> {
    ignored::note(why.code());
    if let Some(item) = item
        && let Some(address) = address::by_name(work, item.address.as_bytes())?
    {
        let is_said = item.kind == ItemKind::Application && matches!(why, Error::Store(_));
        for row in conversation::at_address(work, address.id)? {
            // The way of asking may be what fails. Then there is nothing left to do but to go on.
            let done = work.apart(|| {
                if is_said {
                    is_missing(work, &row, item)
                } else {
                    resync::need(work, &row)
                }
            })?;
            if let Err(error) = done {
                ignored::note(error.code());
            }
        }
    }
    take(work, sequence, None)
}

/// What stood there came, and could not be taken.
fn is_missing(work: &Work<'_>, row: &Conversation, item: &QueueItem) -> Result<()> {
    let Some(hash) = &item.channel else {
        return Ok(());
    };
    let name = elsewhere::channel_name(hash, item.server.as_ref());
    let place = match channel::standing(work, row, &name)? {
        Some(channel::Standing::Present) => channel::place(work, row, item.number)?,
        Some(channel::Standing::Past(generation)) => Place {
            generation,
            number: item.number,
        },
        _ => return Ok(()),
    };
    gaps::number_missing(work, row.id, place)
}

/// Whether its numbers are such as can be stored. Anybody can make a channel that begins at any epoch; none that is honest does so.
fn fits(item: &QueueItem) -> bool {
    // What is never stored comes another way.
    item.kind != ItemKind::Ephemeral
        && i64::try_from(item.number).is_ok()
        && i64::try_from(item.epoch).is_ok_and(|epoch| epoch < i64::MAX)
}

fn dispatch(work: &Work<'_>, address: &Address, item: &Item) -> Result<()> {
    if item.kind == ItemKind::Direct {
        if alarm::came(work, address, &item.payload)? {
            return Ok(());
        }
        return direct(work, address, item, Body::Unknown);
    }
    let candidates: Vec<_> = conversation::at_address(work, address.id)?
        .into_iter()
        .filter(|row| !matches!(row.state, State::Left | State::Removed))
        .collect();
    if candidates.is_empty() {
        // Only where a Welcome may still come: a conversation that is over has nothing to wait for.
        if welcome::is_expected(work, address)? {
            held::hold_for_welcome(work, address, item)?;
        }
        return Ok(());
    }
    if held::blocked(work, address.id)? {
        return held::hold_behind(work, address, item);
    }
    in_conversation(work, address, item, Body::Unknown)
}

/// Takes a channel item in whichever conversation of the address it belongs to.
pub(crate) fn in_conversation(
    work: &Work<'_>,
    address: &Address,
    item: &Item,
    body: Body,
) -> Result<()> {
    let kind = match item.kind {
        ItemKind::Application => EnvelopeKind::Application,
        ItemKind::Commit => EnvelopeKind::Commit,
        // Nothing of this version goes by control.
        ItemKind::Control | ItemKind::Direct | ItemKind::Ephemeral => return Ok(()),
    };
    let candidates = conversation::at_address(work, address.id)?;
    let last = candidates.len().saturating_sub(1);
    for (index, row) in candidates.iter().enumerate() {
        if matches!(row.state, State::Left | State::Removed) || !work.has_group(&row.group)? {
            continue;
        }
        let proving = proof::is_under_way(work, row.id)?;
        if row.state == State::Active && !proving {
            // What came there before this device did goes first.
            spare::release(work, row)?;
        }
        let row = &conversation::load(work.db, row.id)?;
        // Whoever knows an address can make a channel of their own: only the conversation's channels count.
        let mut standing = channel::standing(work, row, &item.channel)?;
        if let Some(channel::Standing::Next(moves)) = standing
            && !proving
            && row.kind == conversation::Kind::Direct
            && opens(work, row, kind, item)?
        {
            // Between two people nobody was removed who could lead this device astray: where the other one is, it goes.
            channel::go_on(work, row, moves)?;
            standing = Some(channel::Standing::Present);
        }
        if matches!(standing, Some(channel::Standing::Next(_)))
            || (proving && standing != Some(channel::Standing::Present))
        {
            spare::keep(work, row, address, item)?;
            return channel::doubt(work, row);
        }
        let Some(standing) = standing else {
            // It may be a channel that the others have moved to without this device. If it does not catch up soon, it asks.
            if item.epoch > row.epoch {
                resync::behind(work, row, item.epoch)?;
            }
            continue;
        };
        let row = &conversation::load(work.db, row.id)?;
        if standing != channel::Standing::Present && item.kind == ItemKind::Commit {
            // Those who are still on that channel take it in; this device is not among them.
            if item.epoch >= row.epoch {
                resync::behind(work, row, item.epoch + 1)?;
            } else if went_on_without(work, row, item)? {
                resync::need(work, row)?;
            }
            return Ok(());
        }
        let opened = work.group(&row.group, |group| {
            match group.open(&work.mls, kind, item.epoch, &item.payload) {
                Err(OpenError::Local(error)) => Err(error.into()),
                other => Ok(other),
            }
        })?;
        if matches!(opened, Err(OpenError::Malformed)) && index < last {
            continue;
        }
        if proving && matches!(opened, Err(OpenError::Malformed | OpenError::Ahead)) {
            // Of the group, if the state that is tried is not.
            spare::keep(work, row, address, item)?;
            return resync::behind(work, row, item.epoch.max(row.epoch + 1));
        }
        return channel_item(work, row, address, item, opened, body, standing);
    }
    Ok(())
}

/// Whether a member of the present epoch made it.
fn opens(work: &Work<'_>, row: &Conversation, kind: EnvelopeKind, item: &Item) -> Result<bool> {
    work.group(&row.group, |group| {
        match group.open(&work.mls, kind, item.epoch, &item.payload) {
            Err(OpenError::Local(error)) => Err(error.into()),
            opened => Ok(opened.is_ok()),
        }
    })
}

/// Whether a channel that this device has left went on to later epochs than the one it left it in: then others are still there, and what this
/// device has been through since is its own way only. Where all left it because of a commit that was nothing, nobody says more there.
fn went_on_without(work: &Work<'_>, row: &Conversation, item: &Item) -> Result<bool> {
    let left_in = channel::left_in(work, row.id, &item.channel)?;
    Ok(left_in.is_some_and(|epoch| item.epoch > epoch))
}

/// Takes what somebody said on a fallback channel that came to nothing: the group went on elsewhere, and what was said was said.
pub(crate) fn said_elsewhere(work: &Work<'_>, row: &Conversation, item: &Item) -> Result<()> {
    if item.kind != ItemKind::Application {
        return Ok(());
    }
    let opened = work.group(&row.group, |group| {
        match group.open(
            &work.mls,
            EnvelopeKind::Application,
            item.epoch,
            &item.payload,
        ) {
            Err(OpenError::Local(error)) => Err(error.into()),
            other => Ok(other),
        }
    })?;
    let Ok(Opened::Inline(body)) = opened else {
        return Ok(());
    };
    let place = Place {
        generation: row.generation,
        number: row.top_number,
    };
    application::process(work, row, item.epoch, &body, place).map(|_| ())
}

fn channel_item(
    work: &Work<'_>,
    row: &Conversation,
    address: &Address,
    item: &Item,
    opened: std::result::Result<Opened, OpenError>,
    body: Body,
    standing: channel::Standing,
) -> Result<()> {
    if let channel::Standing::Past(generation) = standing {
        return from_past(work, row, item, opened, generation);
    }
    let body = match (opened, body) {
        (Ok(Opened::Inline(bytes)), _) => Ok(bytes.to_vec()),
        // No app says anything so long.
        (Ok(Opened::Blob(_)), _) if item.kind != ItemKind::Commit => Err(Violation::Envelope),
        // Seen alike by all who get the item, now and later. What refers to the blob that was named is there for all of them.
        (Ok(Opened::Blob(pointer)), _) if !fetch::is_named(&pointer, &item.blob) => {
            Err(Violation::BlobMissing)
        }
        (Ok(Opened::Blob(_)), Body::Here(bytes)) => Ok(bytes),
        // The server lost it, or keeps it back, or this device comes too late: others may well have got it.
        (Ok(Opened::Blob(_)), Body::Missing) => return resync::need_after_loss(work, row),
        (Ok(Opened::Blob(pointer)), Body::Unknown) => {
            match commit::own_body(work, row.id, &item.payload)? {
                Some(body) => Ok(body),
                None => {
                    let id = held::hold(work, address, item, held::WaitsFor::Blob)?;
                    // The server took the item for having the blob, whatever else the pointer names.
                    return fetch::push(work, id, &pointer, &row.server);
                }
            }
        }
        (Err(OpenError::TooOld), _) => {
            let missed = channel::is_missed(work, row, item.number)?;
            let place = channel::place(work, row, item.number)?;
            return unread(work, row, item, place, missed);
        }
        (Err(OpenError::Ahead), _) => return resync::need(work, row),
        (Err(OpenError::Malformed), _) => Err(Violation::Envelope),
        (Err(OpenError::Local(error)), _) => return Err(error.into()),
    };
    let missed = channel::is_missed(work, row, item.number)?;
    let place = channel::place(work, row, item.number)?;
    let row = conversation::load(work.db, row.id)?;
    match (item.kind, body) {
        (ItemKind::Commit, body) => commit::process(
            work,
            &row,
            item.epoch,
            &item.next_lock,
            body.as_deref().map_err(|v| *v),
            place,
        ),
        (_, Ok(body)) => {
            if outbox::own_copy(work, &row, &item.payload, place)? {
                return Ok(());
            }
            match application::process(work, &row, item.epoch, &body, place)? {
                Read::TooLate => unread(work, &row, item, place, missed),
                Read::Own => automatic::keep_nothing(work, &row, place),
                Read::Yes => Ok(()),
            }
        }
        // Nobody can read it; its number is taken note of.
        (_, Err(violation)) => {
            ignored::note(violation.code());
            outbox::own_copy_is_void(work, &row, &item.payload).map(|_| ())
        }
    }
}

/// An item came too late to be read: the secrets of its epoch are gone. It is asked for like one that never came, unless it was read before
/// (`missed` is false then), or is this device's own.
fn unread(
    work: &Work<'_>,
    row: &Conversation,
    item: &Item,
    place: Place,
    missed: bool,
) -> Result<()> {
    if outbox::own_copy_is_void(work, row, &item.payload)? {
        return automatic::keep_nothing(work, row, place);
    }
    if missed {
        gaps::number_missing(work, row.id, place)?;
    }
    Ok(())
}

/// Takes a message that was still on its way on a channel that the conversation has left. It changes nothing about the present
/// channel: its numbers are not counted, and what does not open is nothing.
fn from_past(
    work: &Work<'_>,
    row: &Conversation,
    item: &Item,
    opened: std::result::Result<Opened, OpenError>,
    generation: u32,
) -> Result<()> {
    let place = Place {
        generation,
        number: item.number,
    };
    if matches!(opened, Err(OpenError::Ahead)) {
        return resync::behind(work, row, item.epoch);
    }
    if matches!(opened, Err(OpenError::Malformed | OpenError::TooOld))
        && !outbox::own_copy_is_void(work, row, &item.payload)?
        && went_on_without(work, row, item)?
    {
        return resync::need(work, row);
    }
    let Ok(Opened::Inline(body)) = opened else {
        return Ok(());
    };
    if outbox::own_copy(work, row, &item.payload, place)? {
        return Ok(());
    }
    application::process(work, row, item.epoch, &body, place).map(|_| ())
}

/// Takes what was sent to an address outside any channel: a Welcome, or a request for resync.
pub(crate) fn direct(work: &Work<'_>, address: &Address, item: &Item, body: Body) -> Result<()> {
    let Ok(plain) = padding::unpad_payload(&item.payload) else {
        return Ok(());
    };
    let Ok(payload) = Payload::decode(plain) else {
        return Ok(());
    };
    let bytes = match (payload.body, body) {
        (Some(payload::Body::Inline(bytes)), _) => bytes.to_vec(),
        (Some(payload::Body::Blob(_)), Body::Here(bytes)) => bytes,
        (Some(payload::Body::Blob(pointer)), Body::Unknown) => {
            // Only what was expected is fetched: a Welcome to an address that waits for one.
            if !fetch::is_named(&pointer, &item.blob) || !welcome::is_expected(work, address)? {
                return Ok(());
            }
            if welcome::is_early(work, address)? {
                return early_welcome::hold(work, address, item);
            }
            let id = held::hold(work, address, item, held::WaitsFor::Blob)?;
            let server = welcome::named(work, address, &pointer)?;
            return fetch::push(work, id, &pointer, &server);
        }
        (Some(payload::Body::Blob(_)), Body::Missing) | (None, _) => return Ok(()),
    };
    let Ok(message) = DirectMessage::decode(&bytes[..]) else {
        return Ok(());
    };
    match message.body {
        Some(direct_message::Body::Welcome(bundle)) => {
            if welcome::is_early(work, address)?
                || welcome::process(work, address, &bundle)? == welcome::Taken::Early
            {
                early_welcome::hold(work, address, item)?;
            }
            Ok(())
        }
        Some(direct_message::Body::Request(request)) => request_came(work, &request),
        Some(direct_message::Body::Linking(sealed)) => linking::came(work, address, &sealed),
        Some(direct_message::Body::Join(request)) => invite::asked(work, address, &request),
        None => Ok(()),
    }
}

fn request_came(work: &Work<'_>, request: &SealedRequest) -> Result<()> {
    resync::requested(work, request)
}
