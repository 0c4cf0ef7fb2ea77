//! A Welcome: somebody adds this device to a conversation, or lets it in again.
//!
//! By which address it came says who may send it: a link's key package leads to a direct conversation with whoever holds the link; a direct
//! conversation's key package to a group that this contact made or manages; a resync's to the conversation that asked.

use undertone_mls::{AccountId, Group, Joined, Kind as GroupKind};
use undertone_wire::{
    client_proto::{BlobPointer, Welcome},
    origin::Origin,
};

use super::{
    Work, absent,
    address::{self, Address, Kind},
    channel,
    conversation::{self, New, State},
    devices, elsewhere, gaps, heard, held, ignored, intent, invite_told, join, link,
    message::{self, Place},
    pool::{self, Pool},
    profile, proof, resync,
    siblings::{self, Standing},
    spare,
};
use crate::{
    error::{Error, Result},
    view::Notice,
};

/// Whether this address waits for a Welcome at all.
pub(crate) fn is_expected(work: &Work<'_>, address: &Address) -> Result<bool> {
    Ok(pool::landed(work, address.id)?.is_some()
        || resync::awaits(work, address.id)?.is_some()
        || join::awaited(work, address.id)?.is_some())
}

/// The server that a Welcome's body is on, as stored: another one than this account's only if whoever is expected to send one may name it.
pub(crate) fn named(work: &Work<'_>, address: &Address, pointer: &BlobPointer) -> Result<String> {
    if pointer.origin.is_empty() {
        return Ok(String::new());
    }
    let conversation = match reason(work, address)? {
        Some(Reason::Resync(conversation)) => conversation,
        Some(Reason::Contact(_)) => {
            pool::landed(work, address.id)?.map_or(0, |landed| landed.conversation)
        }
        // The link's server, which this device has asked for its key.
        Some(Reason::Invite(_)) => 0,
        // This account's devices are on its server, and anybody may have a link.
        Some(Reason::Sibling | Reason::Link(_)) | None => return Ok(String::new()),
    };
    elsewhere::named(work, conversation, &pointer.origin, &pointer.pin)
}

/// Why this device joins.
enum Reason {
    Link(i64),
    Contact(AccountId),
    /// Another device of this account.
    Sibling,
    /// Whose link to a group this device asked by.
    Invite(AccountId),
    /// conversations.id
    Resync(i64),
}

/// Whether it is for a key package of a direct conversation whose other side is not accepted, or has not proven their link, yet: nobody in there
/// adds this account to a group, until they may.
pub(crate) fn is_early(work: &Work<'_>, address: &Address) -> Result<bool> {
    let Some(landed) = pool::landed(work, address.id)?.filter(|landed| landed.conversation != 0)
    else {
        return Ok(false);
    };
    Ok(conversation::get(work.db, landed.conversation)?
        .is_some_and(|row| row.link != 0 || row.request))
}

/// What became of a Welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    /// It is not right, and never will be.
    No,
    /// This device is in that group as far as it knows, or has not heard of the device of its account that sent it. It may hear of the one
    /// or the other yet.
    Early,
}

/// Takes a Welcome. One that is not right leaves no trace.
pub(crate) fn process(work: &Work<'_>, address: &Address, welcome: &Welcome) -> Result<Taken> {
    if let Some(conversation) = resync::awaits(work, address.id)?
        && proof::is_under_way(work, conversation)?
    {
        proof::keep_welcome(work, conversation, address, welcome)?;
        return Ok(Taken::Yes);
    }
    try_now(work, address, welcome)
}

/// Takes a Welcome now. False: it was not right.
pub(crate) fn try_answer(work: &Work<'_>, address: &Address, welcome: &Welcome) -> Result<bool> {
    Ok(try_now(work, address, welcome)? == Taken::Yes)
}

fn try_now(work: &Work<'_>, address: &Address, welcome: &Welcome) -> Result<Taken> {
    let Some(reason) = reason(work, address)? else {
        return Ok(Taken::No);
    };
    work.db.execute_batch("SAVEPOINT welcome")?;
    match take_in(work, address, welcome, &reason) {
        Ok(Taken::Yes) => {
            work.db.execute_batch("RELEASE welcome")?;
            held::welcome_came(work, address.id)?;
            if let Reason::Resync(conversation) = reason {
                spare::release_all(work, conversation)?;
            }
            Ok(Taken::Yes)
        }
        Ok(Taken::No) => {
            ignored::note("welcome.unexpected");
            undo(work, Taken::No)
        }
        Ok(Taken::Early) => undo(work, Taken::Early),
        Err(Error::Mls(undertone_mls::Error::GroupExists)) => undo(work, Taken::Early),
        Err(Error::Mls(
            error @ (undertone_mls::Error::UnknownKeyPackage
            | undertone_mls::Error::Malformed(_)
            | undertone_mls::Error::Refused(_)),
        )) => {
            ignored::note(error.code());
            undo(work, Taken::No)
        }
        Err(error) => Err(error),
    }
}

fn undo(work: &Work<'_>, taken: Taken) -> Result<Taken> {
    work.forget_all_groups();
    work.db
        .execute_batch("ROLLBACK TO welcome; RELEASE welcome")?;
    Ok(taken)
}

fn reason(work: &Work<'_>, address: &Address) -> Result<Option<Reason>> {
    if let Some(conversation) = resync::awaits(work, address.id)? {
        return Ok(Some(Reason::Resync(conversation)));
    }
    if let Some(account) = join::awaited(work, address.id)? {
        return Ok(Some(Reason::Invite(account)));
    }
    let Some(landed) = pool::landed(work, address.id)? else {
        return Ok(None);
    };
    if landed.link != 0 {
        return Ok(link::is_open(work, landed.link)?.then_some(Reason::Link(landed.link)));
    }
    if landed.conversation == 0 {
        return Ok(Some(Reason::Sibling));
    }
    let contact = conversation::get(work.db, landed.conversation)?
        .filter(|row| row.link == 0 && !row.request)
        .and_then(|row| row.peer);
    Ok(contact.map(Reason::Contact))
}

fn take_in(
    work: &Work<'_>,
    address: &Address,
    welcome: &Welcome,
    reason: &Reason,
) -> Result<Taken> {
    let joined = Group::join(&work.mls, welcome)?;
    if joined.came_back != matches!(reason, Reason::Resync(_)) {
        return Ok(Taken::No);
    }
    let accounts: Vec<AccountId> = joined.group.accounts()?.into_keys().collect();
    let peer = accounts
        .iter()
        .find(|account| **account != work.me.account)
        .copied();
    // The place is the adder's word: what no channel can have reached is no place.
    let possible = joined.channel.generation < u32::MAX / 2
        && i64::try_from(joined.channel.number).is_ok()
        && i64::try_from(joined.group.epoch()).is_ok();
    let right = possible
        && is_at_its_place(work, &joined.group, reason)?
        && match reason {
            Reason::Link(_) => {
                joined.group.kind() == GroupKind::Direct
                    && accounts.len() == 2
                    && peer == Some(joined.adder.account)
            }
            Reason::Contact(contact) | Reason::Invite(contact) => {
                joined.group.kind() == GroupKind::Group && joined.adder.account == *contact
            }
            Reason::Sibling => joined.adder.account == work.me.account,
            Reason::Resync(conversation) => is_known(work, *conversation, &joined, peer)?,
        };
    if !right {
        return Ok(Taken::No);
    }
    if matches!(reason, Reason::Sibling) {
        match siblings::may_bring_in(work, &joined)? {
            Standing::Known => {}
            Standing::Removed => return Ok(Taken::No),
            Standing::Unheard => return Ok(Taken::Early),
        }
    }
    elsewhere::keys_handed_on(work, &joined)?;
    if let Reason::Resync(conversation) = reason {
        let row = conversation::load(work.db, *conversation)?;
        proof::begin(work, &row, address, joined)?;
        return Ok(Taken::Yes);
    }
    let id = put_row(work, address, &joined, reason, peer)?;
    heard::handed_on(work, id, &joined)?;
    settle_in(work, id, address, joined, reason)?;
    if matches!(reason, Reason::Invite(_)) {
        join::came(work, address.id, id)?;
    }
    Ok(Taken::Yes)
}

/// Whether the group is on a server where it can be: the account's own devices on theirs, one that this device was in where it was.
fn is_at_its_place(work: &Work<'_>, group: &Group, reason: &Reason) -> Result<bool> {
    let server = elsewhere::of_group(work, group);
    Ok(match reason {
        Reason::Resync(conversation) => {
            conversation::load(work.db, *conversation)?.server == server
        }
        Reason::Sibling if group.kind() == GroupKind::Notes => server.is_empty(),
        Reason::Sibling | Reason::Link(_) | Reason::Contact(_) | Reason::Invite(_) => {
            group.origin().parse::<Origin>().is_ok()
        }
    })
}

/// Whether what a device is let in to again can be the conversation it was in: of the same kind, further on, and by one of its members
/// as it knew them. That it is that conversation has to be proven.
fn is_known(
    work: &Work<'_>,
    conversation: i64,
    joined: &Joined,
    peer: Option<AccountId>,
) -> Result<bool> {
    let row = conversation::load(work.db, conversation)?;
    if row.group != *joined.group.id()
        || row.state != State::Resyncing
        || proof::is_refused(work, row.id, &joined.adder.device)?
        || siblings::is_removed(work, &joined.adder)?
    {
        return Ok(false);
    }
    let member = work
        .db
        .prepare_cached("SELECT 1 FROM members WHERE conversation = ?1 AND account_id = ?2")?
        .exists(rusqlite::params![row.id, joined.adder.account.as_bytes()])?;
    // Where this device went its own way since, only what it had been through before that counts.
    let channel = elsewhere::name_in(&row, &joined.channel.channel_id)?;
    let came_to = channel::left_in(work, row.id, &channel)?
        .map_or(row.epoch, |left_in| left_in.min(row.epoch));
    let same_kind = conversation::Kind::from_mls(joined.group.kind()) == row.kind;
    let same_peer = row.kind != conversation::Kind::Direct || peer == row.peer;
    Ok(member && same_kind && same_peer && joined.group.epoch() > came_to)
}

/// A new row, or the old one again for a conversation that this device was in before.
fn put_row(
    work: &Work<'_>,
    address: &Address,
    joined: &Joined,
    reason: &Reason,
    peer: Option<AccountId>,
) -> Result<i64> {
    let peer = peer.filter(|_| joined.group.kind() == GroupKind::Direct);
    let channel = joined.channel;
    let Some(row) = conversation::by_group(work.db, joined.group.id().as_bytes())? else {
        let (state, link) = match reason {
            Reason::Link(link) => (State::Joining, *link),
            Reason::Contact(_) | Reason::Invite(_) | Reason::Sibling | Reason::Resync(_) => {
                (State::Active, 0)
            }
        };
        return conversation::create(
            work,
            &New {
                group: &joined.group,
                state,
                peer,
                generation: channel.generation,
                channel: channel.channel_id,
                channel_made: true,
                top_number: channel.number,
                address: address.id,
                link,
            },
        );
    };
    gaps::start_anew(work, row.id)?;
    conversation::set_channel(
        work,
        row.id,
        channel.generation,
        &channel.channel_id,
        0,
        true,
        channel.number,
    )?;
    conversation::set_address(work, row.id, address.id)?;
    conversation::refresh(work, row.id, &joined.group)?;
    work.db.execute(
        "UPDATE conversations SET leaving = 0 WHERE id = ?1",
        [row.id],
    )?;
    conversation::set_state(work, row.id, State::Active)?;
    Ok(row.id)
}

/// What a new member does first.
fn settle_in(
    work: &Work<'_>,
    id: i64,
    address: &Address,
    mut joined: Joined,
    reason: &Reason,
) -> Result<()> {
    pool::used(work, address.id)?;
    if joined.last_resort {
        // Others may have been given the same key package: its address is left as soon as possible.
        let fresh = address::create(work, Kind::Conversation, id)?;
        joined.group.set_own_address(&work.mls, fresh.secret)?;
    } else {
        address::assign(work, address.id, id)?;
    }
    make_pool(work, address.id, &joined.group)?;
    let asks = match reason {
        Reason::Link(link) => link::asks(work, *link)?,
        Reason::Contact(_) | Reason::Invite(_) | Reason::Sibling | Reason::Resync(_) => false,
    };
    if !asks {
        speak_up(work, id, &joined.group)?;
    }
    let place = Place {
        generation: joined.channel.generation,
        number: joined.channel.number,
    };
    let who = || conversation::person(work, id, &joined.adder.account);
    let notice = match reason {
        Reason::Contact(_) => Some(Notice::Added {
            who: who()?,
            whom: conversation::person(work, id, &work.me.account)?,
        }),
        Reason::Invite(_) => Some(Notice::LetInByLink { who: who()? }),
        Reason::Link(_) | Reason::Sibling | Reason::Resync(_) => None,
    };
    if matches!(reason, Reason::Sibling) {
        devices::joined_by_sibling(work, id, &joined.group)?;
    }
    absent::came(work, joined.group.id().as_bytes())?;
    work.keep(joined.group);
    devices::check(work, id)?;
    profile::look(work, id)?;
    invite_told::tell_again(work, id)?;
    if let Some(notice) = notice {
        message::add_notice(work, id, &notice, place)?;
    }
    Ok(())
}

/// A direct conversation's address has key packages, by which its contact adds this device to groups.
pub(crate) fn make_pool(work: &Work<'_>, address: i64, group: &Group) -> Result<()> {
    if let (GroupKind::Direct, Some(kp_key)) = (group.kind(), group.own()?.kp_key) {
        pool::create(
            work,
            &Pool {
                address,
                kp_key,
                link: 0,
                wanted: pool::WANTED_CONVERSATION,
                last_resort: true,
            },
        )?;
    }
    Ok(())
}

/// What a new member tells the others of itself.
pub(crate) fn speak_up(work: &Work<'_>, id: i64, group: &Group) -> Result<()> {
    fill_tree(work, id, group)?;
    if group.shown_generation()? < work.keys().certificate().generation() {
        // Its key package was older than the account's present key.
        intent::show_certificate(work, id)?;
    }
    Ok(())
}

/// Fills this device's part of the tree, after a while, where that helps.
pub(crate) fn fill_tree(work: &Work<'_>, id: i64, group: &Group) -> Result<()> {
    if group.needs_path_update() {
        let members = group.members()?.len();
        let at = work.member_turn_at(members);
        intent::add(work, id, intent::Kind::SelfUpdate, &[], 0, at)?;
    }
    Ok(())
}
