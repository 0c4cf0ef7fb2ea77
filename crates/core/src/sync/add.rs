//! Adding a contact by their link: take their key packages, make the direct conversation, prove the link.
//!
//! Everything is a row before it is done, so that it goes on after a restart.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, ChannelId, Group, Kind as GroupKind, KpKey, NewGroup, Policy};
use undertone_wire::secrets::LinkSecret;

use super::{
    Work,
    address::{self, Kind},
    automatic, contact,
    conversation::{self, Conversation, New, State},
    intent, outbox,
    pool::{self, Pool},
    take::{self, Source},
};
use crate::error::{Reason, Result};

/// A contact link, read.
pub(crate) struct Link {
    pub(crate) account: AccountId,
    pub(crate) secret: LinkSecret,
    pub(crate) sources: Vec<Source>,
    /// Their server, as stored: empty is this account's own.
    pub(crate) server: String,
    /// As it was given, to be kept until it is done with.
    pub(crate) text: String,
}

/// Begins to add a contact. Answers the row that tells how it goes.
pub(crate) fn begin(work: &Work<'_>, link: &Link) -> Result<i64> {
    if link.account == work.me.account {
        return Err(Reason::LinkOwn.into());
    }
    if contact::conversation(work.db, &link.account)?.is_some() {
        return Err(Reason::AlreadyContact.into());
    }
    let under_way: Option<(i64, String)> = work
        .db
        .query_row(
            "SELECT id, failure FROM adds WHERE account_id = ?1",
            [link.account.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((id, failure)) = under_way {
        if failure.is_empty() {
            return Ok(id);
        }
        work.db.execute("DELETE FROM adds WHERE id = ?1", [id])?;
    }
    work.db.execute(
        "INSERT INTO adds (account_id, link, secret, failure, conversation, created_at_ms) VALUES (?1, ?2, ?3, '', 0, ?4)",
        params![
            link.account.as_bytes(),
            link.text,
            link.secret.expose(),
            work.now_ms
        ],
    )?;
    let id = work.last_id();
    take::push_at(
        work,
        take::Purpose::Add,
        id,
        &link.account,
        &link.sources,
        &link.server,
    )?;
    Ok(id)
}

/// It can't be done.
pub(crate) fn failed(work: &Work<'_>, add: i64, reason: Reason) -> Result<()> {
    work.db.execute(
        "UPDATE adds SET failure = ?2, link = '', secret = x'' WHERE id = ?1",
        params![add, reason.code()],
    )?;
    work.wake();
    Ok(())
}

/// How it goes.
pub(crate) struct Progress {
    pub(crate) failure: Option<Reason>,
}

/// How it goes; None: done long ago.
pub(crate) fn progress(db: &rusqlite::Connection, add: i64) -> Result<Option<Progress>> {
    let row = db
        .query_row("SELECT failure FROM adds WHERE id = ?1", [add], |row| {
            row.get::<_, String>(0)
        })
        .optional()?;
    Ok(row.map(|failure| Progress {
        failure: Reason::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == failure),
    }))
}

/// Their key packages are here: the conversation is made, with this device alone at first.
pub(crate) fn key_packages_came(work: &Work<'_>, add: i64) -> Result<()> {
    let account: Vec<u8> =
        work.db
            .query_row("SELECT account_id FROM adds WHERE id = ?1", [add], |row| {
                row.get(0)
            })?;
    let account = AccountId::from_slice(&account)?;
    let packages = take::packages(work, take::Purpose::Add, add)?;
    let name = packages
        .first()
        .map(|package| package.name().to_owned())
        .unwrap_or_default();
    let id = create(work, GroupKind::Direct, "", Some(account))?;
    let intent = intent::add(
        work,
        id,
        intent::Kind::Add,
        account.as_bytes(),
        0,
        work.now_ms,
    )?;
    // What was taken for the link is now taken for the intent.
    work.db.execute(
        "UPDATE takes SET purpose = ?2, reference = ?3 WHERE purpose = ?4 AND reference = ?1",
        params![
            add,
            take::Purpose::Intent as i64,
            intent,
            take::Purpose::Add as i64
        ],
    )?;
    intent::key_packages_came(work, intent)?;
    work.db.execute(
        "UPDATE adds SET conversation = ?2, link = '' WHERE id = ?1",
        params![add, id],
    )?;
    contact::put(work, &account, &name, id, false)
}

/// Makes a conversation with this device as its only member.
pub(crate) fn create(
    work: &Work<'_>,
    kind: GroupKind,
    name: &str,
    peer: Option<AccountId>,
) -> Result<i64> {
    let address = address::create(work, Kind::Conversation, 0)?;
    let kp_key = (kind == GroupKind::Direct).then(KpKey::random);
    let profile = pool::profile(work, address.secret, kp_key.as_ref());
    let channel = ChannelId::random();
    let group = Group::create(
        &work.mls,
        &work.keys(),
        &profile,
        NewGroup {
            kind,
            name: name.to_owned(),
            peer,
            origin: work.me.server.origin.to_string(),
            pin: work.me.server.pin,
            channel_id: channel,
            policy: Policy::default(),
        },
    )?;
    let id = conversation::create(
        work,
        &New {
            group: &group,
            state: if kind == GroupKind::Notes {
                State::Active
            } else {
                State::Joining
            },
            peer,
            generation: 0,
            channel,
            channel_made: false,
            top_number: 0,
            address: address.id,
            link: 0,
        },
    )?;
    address::assign(work, address.id, id)?;
    if let Some(kp_key) = kp_key {
        pool::create(
            work,
            &Pool {
                address: address.id,
                kp_key,
                link: 0,
                wanted: pool::WANTED_CONVERSATION,
                last_resort: true,
            },
        )?;
    }
    work.keep(group);
    Ok(id)
}

/// The commit that adds the other side is merged: the link is proven before anything else is said.
pub(crate) fn first_commit_merged(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let add = work
        .db
        .query_row(
            "SELECT id, account_id, secret FROM adds WHERE conversation = ?1",
            [row.id],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                ))
            },
        )
        .optional()?;
    let Some((add, account, secret)) = add else {
        return Ok(());
    };
    let secret = LinkSecret::from_slice(&secret)?;
    let proof = work.group(
        &row.group,
        |group| Ok(group.link_proof(&work.mls, &secret)?),
    )?;
    let content = automatic::link_proof(work, row, &proof)?;
    outbox::push_first(work, row.id, &content)?;
    contact::put(work, &AccountId::from_slice(&account)?, "", row.id, true)?;
    work.db.execute("DELETE FROM adds WHERE id = ?1", [add])?;
    Ok(())
}
