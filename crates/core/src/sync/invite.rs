//! Links to groups that this device made, and who asks to be let in by them.
//!
//! A link holds an address of its own with a small quota, the key that requests are sealed to, and a secret; the group and its name are
//! not in it. What comes there is a key package of whoever asks ([`undertone_mls::invite`]). This device adds them at once, or lists
//! them until somebody says yes; either way it is an ordinary addition, judged by all members. That there is such a link the others know, and
//! may end it: [`super::invite_told`].

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, Act, PeerKeyPackage, invite};
use undertone_wire::{client_proto::SealedRequest, secrets::LinkSecret};

use super::{
    Work,
    address::{self, Address, Kind},
    change::Change,
    conversation::{self, Conversation, State},
    ignored, intent, invite_told, link, policy, settings, take,
};
use crate::{
    error::{Reason, Result},
    view::Notice,
};

/// People who may wait for an answer in one group.
const WAITING: i64 = 100;

/// How a link is made.
pub(crate) struct New {
    pub(crate) expires_at_ms: i64,
    pub(crate) uses: u32,
    pub(crate) approve: bool,
}

/// Makes a link to a group. It can be given away once its address is on the server ([`is_made`]); the group hears of it then
/// ([`invite_told`]), after a random wait, so that the address can't be joined to the group. Gives its row and its public id.
pub(crate) fn create(work: &Work<'_>, row: &Conversation, new: &New) -> Result<(i64, [u8; 8])> {
    policy::check(work, row, Act::Add)?;
    let open: i64 = work.one(
        "SELECT (SELECT count(*) FROM invites WHERE conversation = ?1 AND state = 1)
            + (SELECT count(*) FROM invites_told WHERE conversation = ?1 AND account_id = ?2 AND state = 1 AND (expires_at_ms = 0 OR expires_at_ms > ?3))",
        params![row.id, work.me.account.as_bytes(), work.now_ms],
        |found| found.get(0),
    )?;
    if open >= invite_told::OF_ACCOUNT {
        return Err(Reason::LinkTooMany.into());
    }
    let address = address::create(work, Kind::Contact, 0)?;
    let id = work.random::<8>();
    work.db.execute(
        "INSERT INTO invites (invite_id, conversation, address, secret, expires_at_ms, uses_left, approve, state, created_at_ms, tell_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id,
            row.id,
            address.id,
            LinkSecret::random().expose(),
            new.expires_at_ms,
            new.uses,
            new.approve,
            link::OPEN,
            work.now_ms,
            work.automatic_at()
        ],
    )?;
    Ok((work.last_id(), id))
}

/// Whether the server knows its address.
pub(crate) fn is_made(work: &Work<'_>, invite: i64) -> Result<bool> {
    let address: i64 = work.db.query_row(
        "SELECT address FROM invites WHERE id = ?1",
        [invite],
        |row| row.get(0),
    )?;
    address::is_made(work, address)
}

/// Withdraws it. Who waits by it still waits.
pub(crate) fn revoke(work: &Work<'_>, invite: i64) -> Result<()> {
    end(work, invite, link::REVOKED)
}

/// Withdraws a link by its public id, whoever made it, if this account may: its own device does so at once, another one when it hears of it.
pub(crate) fn withdraw(work: &Work<'_>, id: [u8; 8]) -> Result<()> {
    let own: Option<i64> = work
        .db
        .query_row("SELECT id FROM invites WHERE invite_id = ?1", [id], |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(invite) = own {
        return revoke(work, invite);
    }
    if invite_told::withdraw(work, id)? {
        Ok(())
    } else {
        Err(Reason::LinkUnknown.into())
    }
}

/// Somebody who may has ended a link of this account: if this device made it, it does so.
pub(crate) fn ended_by_other(work: &Work<'_>, conversation: i64, id: [u8; 8]) -> Result<()> {
    let own: Option<i64> = work
        .db
        .prepare_cached("SELECT id FROM invites WHERE conversation = ?1 AND invite_id = ?2")?
        .query_row(params![conversation, id], |row| row.get(0))
        .optional()?;
    own.map_or(Ok(()), |invite| revoke(work, invite))
}

fn end(work: &Work<'_>, invite: i64, state: i64) -> Result<()> {
    let ended: Option<(i64, i64, [u8; 8], bool)> = work
        .db
        .query_row(
            "UPDATE invites SET state = ?2, secret = x'' WHERE id = ?1 AND state = 1 RETURNING address, conversation, invite_id, told",
            params![invite, state],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let Some((address, conversation, id, told)) = ended else {
        return Ok(());
    };
    address::revoke(work, address)?;
    if told {
        invite_told::own_ended(work, conversation, id, state)?;
    }
    Ok(())
}

/// Ends links whose time is over, or whose group this device has left; tells groups of the others. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let over = {
        let mut statement = work.db.prepare_cached(
            "SELECT i.id FROM invites i LEFT JOIN conversations c ON c.id = i.conversation
             WHERE i.state = 1 AND ((i.expires_at_ms > 0 AND i.expires_at_ms <= ?1) OR coalesce(c.state, 4) IN (4, 5))",
        )?;
        statement
            .query_map([work.now_ms], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for invite in over {
        end(work, invite, link::EXPIRED)?;
    }
    invite_told::tick(work)
}

/// An open link with this address.
struct Open {
    id: i64,
    conversation: i64,
    secret: LinkSecret,
    approve: bool,
}

fn at(work: &Work<'_>, address: &Address) -> Result<Option<Open>> {
    let found: Option<(i64, i64, Vec<u8>, bool)> = work
        .db
        .prepare_cached(
            "SELECT id, conversation, secret, approve FROM invites
             WHERE address = ?1 AND state = 1 AND (expires_at_ms = 0 OR expires_at_ms > ?2)",
        )?
        .query_row(params![address.id, work.now_ms], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    found
        .map(|(id, conversation, secret, approve)| {
            Ok(Open {
                id,
                conversation,
                secret: LinkSecret::from_slice(&secret)?,
                approve,
            })
        })
        .transpose()
}

/// Somebody asks to be let in. What is not right, or comes to a link that has ended, is nothing.
pub(crate) fn asked(work: &Work<'_>, address: &Address, sealed: &SealedRequest) -> Result<()> {
    let Some(open) = at(work, address)? else {
        return Ok(());
    };
    let package = match invite::open(&work.mls, &work.keys(), &open.secret, sealed) {
        Ok(package) => package,
        Err(undertone_mls::Error::Storage(error)) => return Err(error.into()),
        Err(error) => {
            ignored::note(error.code());
            return Ok(());
        }
    };
    let row = conversation::load(work.db, open.conversation)?;
    let account = package.account_id();
    if row.state != State::Active
        || account == work.me.account
        || package.last_resort()
        || !policy::may(work, &row, &work.me.account, Act::Add)?
        || settings::is_blocked(work.db, &account)?
        || is_member(work, &row, &account)?
    {
        return Ok(());
    }
    let waiting: i64 = work
        .db
        .prepare_cached("SELECT count(*) FROM join_requests WHERE conversation = ?1")?
        .query_row([row.id], |found| found.get(0))?;
    if waiting >= WAITING {
        return Ok(());
    }
    let name = name(&package);
    let known = work
        .db
        .prepare_cached("SELECT 1 FROM join_requests WHERE conversation = ?1 AND account_id = ?2")?
        .exists(params![row.id, account.as_bytes()])?;
    // Who asks again has lost the key package before.
    work.db.execute(
        "INSERT OR REPLACE INTO join_requests (conversation, account_id, invite, name, key_package, asked_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            row.id,
            account.as_bytes(),
            open.id,
            name,
            package.encode()?,
            work.now_ms
        ],
    )?;
    work.tell(Change::Chat(row.id));
    if !open.approve {
        return admit(work, &row, &account);
    }
    if known {
        return Ok(());
    }
    let who = conversation::person_called(work, &account, name);
    conversation::notice(work, row.id, &Notice::AsksByLink { who })
}

/// The name somebody gives, as it may stand in a line.
fn name(package: &PeerKeyPackage) -> String {
    let name: String = package
        .name()
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    if name.trim().is_empty() {
        "Somebody".to_owned()
    } else {
        name
    }
}

fn is_member(work: &Work<'_>, row: &Conversation, account: &AccountId) -> Result<bool> {
    work.group(&row.group, |group| {
        Ok(group.accounts()?.contains_key(account))
    })
}

/// Lets somebody in who asked: an ordinary addition, with the key package that came.
pub(crate) fn admit(work: &Work<'_>, row: &Conversation, account: &AccountId) -> Result<()> {
    policy::check(work, row, Act::Add)?;
    let (invite, package): (i64, Vec<u8>) = work
        .db
        .query_row(
            "DELETE FROM join_requests WHERE conversation = ?1 AND account_id = ?2 RETURNING invite, key_package",
            params![row.id, account.as_bytes()],
            |found| Ok((found.get(0)?, found.get(1)?)),
        )
        .optional()?
        .ok_or(Reason::RequestUnknown)?;
    let subject = account.as_bytes();
    let intent = intent::add(work, row.id, intent::Kind::Add, subject, 0, work.now_ms)?;
    take::given(work, intent, account, package)?;
    intent::key_packages_came(work, intent)?;
    let left: Option<i64> = work
        .db
        .query_row(
            "UPDATE invites SET uses_left = uses_left - 1 WHERE id = ?1 AND state = 1 RETURNING uses_left",
            [invite],
            |found| found.get(0),
        )
        .optional()?;
    if left.is_some_and(|left| left <= 0) {
        end(work, invite, link::USED)?;
    }
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// Says no, without a word to them.
pub(crate) fn decline(work: &Work<'_>, row: &Conversation, account: &AccountId) -> Result<()> {
    let gone = work.db.execute(
        "DELETE FROM join_requests WHERE conversation = ?1 AND account_id = ?2",
        params![row.id, account.as_bytes()],
    )?;
    work.tell(Change::Chat(row.id));
    if gone == 0 {
        return Err(Reason::RequestUnknown.into());
    }
    Ok(())
}
