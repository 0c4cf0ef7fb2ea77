//! Conversation rows: where each one's channel stands, and who is in it as far as showing goes.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, Row, params};
use undertone_mls::{AccountId, ChannelId, DeviceId, Group, GroupId};

use super::{
    Work, address, change::Change, departures, elsewhere, intent, invite_told, message,
    other_account, policy, pool, proof, shared, siblings,
};
use crate::{
    error::{Reason, Result},
    ids::ContactId,
    view::{Notice, NoticePerson},
};

/// As stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Direct = 1,
    Group = 2,
    Notes = 3,
}

impl Kind {
    fn from_row(value: i64) -> Self {
        match value {
            1 => Self::Direct,
            2 => Self::Group,
            _ => Self::Notes,
        }
    }

    pub(crate) fn from_mls(kind: undertone_mls::Kind) -> Self {
        match kind {
            undertone_mls::Kind::Direct => Self::Direct,
            undertone_mls::Kind::Group => Self::Group,
            undertone_mls::Kind::Notes => Self::Notes,
        }
    }
}

/// As stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Made here, the first commit is on its way; or joined, the proof of the link is awaited.
    Joining = 1,
    Active = 2,
    /// An epoch could not be processed; a member is asked to let this device in again.
    Resyncing = 3,
    Left = 4,
    Removed = 5,
}

impl State {
    fn from_row(value: i64) -> Self {
        match value {
            1 => Self::Joining,
            2 => Self::Active,
            3 => Self::Resyncing,
            4 => Self::Left,
            _ => Self::Removed,
        }
    }
}

/// A conversation row.
#[derive(Clone)]
pub(crate) struct Conversation {
    pub(crate) id: i64,
    pub(crate) group: GroupId,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) state: State,
    /// Direct: the other account.
    pub(crate) peer: Option<AccountId>,
    pub(crate) epoch: u64,
    pub(crate) generation: u32,
    /// Moves to a fallback channel in this epoch.
    pub(crate) moves: u32,
    pub(crate) channel: ChannelId,
    /// Whether the server is known to have the channel.
    pub(crate) channel_made: bool,
    /// Highest number seen in this generation.
    pub(crate) top_number: u64,
    /// One's own address (addresses.id).
    pub(crate) address: i64,
    /// The own link it came by, as long as its proof is awaited; 0: none.
    pub(crate) link: i64,
    pub(crate) leaving: bool,
    /// How long new messages may stay once they were read, seconds; 0: for good.
    pub(crate) timer_s: u32,
    /// The other side waits to be accepted.
    pub(crate) request: bool,
    /// The server of its channel (`host:port+pin`); empty: this account's own.
    pub(crate) server: String,
}

const COLUMNS: &str = "id, group_id, kind, name, state, peer, epoch, generation, channel_id, channel_made, top_number, address, link, leaving, moves, timer_s, request, server";

struct Raw {
    group: Vec<u8>,
    peer: Vec<u8>,
    channel: Vec<u8>,
    rest: Conversation,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        group: row.get(1)?,
        peer: row.get(5)?,
        channel: row.get(8)?,
        rest: Conversation {
            id: row.get(0)?,
            group: GroupId::new([0; 16]),
            kind: Kind::from_row(row.get(2)?),
            name: row.get(3)?,
            state: State::from_row(row.get(4)?),
            peer: None,
            epoch: row.get(6)?,
            generation: row.get(7)?,
            channel: ChannelId::new([0; 32]),
            channel_made: row.get(9)?,
            top_number: row.get(10)?,
            address: row.get(11)?,
            link: row.get(12)?,
            leaving: row.get(13)?,
            moves: row.get(14)?,
            timer_s: row.get(15)?,
            request: row.get(16)?,
            server: row.get(17)?,
        },
    })
}

fn whole(raw: Raw) -> Result<Conversation> {
    Ok(Conversation {
        group: GroupId::from_slice(&raw.group)?,
        peer: if raw.peer.is_empty() {
            None
        } else {
            Some(AccountId::from_slice(&raw.peer)?)
        },
        channel: ChannelId::from_slice(&raw.channel)?,
        ..raw.rest
    })
}

/// By row id.
pub(crate) fn get(db: &rusqlite::Connection, id: i64) -> Result<Option<Conversation>> {
    find(db, "id = ?1", id)
}

/// By row id; it must exist.
pub(crate) fn load(db: &rusqlite::Connection, id: i64) -> Result<Conversation> {
    Ok(get(db, id)?.ok_or(Reason::StateBroken)?)
}

/// By group id.
pub(crate) fn by_group(
    db: &rusqlite::Connection,
    group: &[u8; 16],
) -> Result<Option<Conversation>> {
    find(db, "group_id = ?1", group)
}

fn find(
    db: &rusqlite::Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> Result<Option<Conversation>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM conversations WHERE {condition}"
    ))?
    .query_row([value], raw)
    .optional()?
    .map(whole)
    .transpose()
}

/// Those that an item at this address may belong to: usually one; several where they were joined by one last-resort key package.
pub(crate) fn at_address(work: &Work<'_>, address: i64) -> Result<Vec<Conversation>> {
    list(
        work.db,
        "address = ?1 OR id = (SELECT conversation FROM addresses WHERE id = ?1)",
        address,
    )
}

/// Those in a state in which something may be sent.
pub(crate) fn sendable(work: &Work<'_>) -> Result<Vec<Conversation>> {
    list(work.db, "state IN (1, 2) AND ?1", true)
}

/// Those begun with an own link by somebody who has not proven it.
pub(crate) fn unproven(work: &Work<'_>, condition: &str, value: i64) -> Result<Vec<Conversation>> {
    list(
        work.db,
        &format!("link <> 0 AND state = 1 AND {condition}"),
        value,
    )
}

/// Deletes one of those, and everything that is kept for it, as if it had never been.
pub(crate) fn drop_unproven(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.drop_group(&row.group);
    Group::forget(&work.mls, &row.group)?;
    pool::remove(work, row.address)?;
    address::revoke(work, row.address)?;
    intent::drop_all(work, row.id)?;
    work.db.execute(
        "DELETE FROM send_attempts WHERE send IN (SELECT id FROM sends WHERE conversation = ?1)",
        [row.id],
    )?;
    work.db.execute(
        "DELETE FROM fetches WHERE item IN (SELECT id FROM held_items WHERE address = ?1)",
        [row.address],
    )?;
    work.db
        .execute("DELETE FROM held_items WHERE address = ?1", [row.address])?;
    for table in HELD_BY_CONVERSATION {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [row.id],
        )?;
    }
    work.db
        .execute("DELETE FROM conversations WHERE id = ?1", [row.id])?;
    if let Some(peer) = &row.peer {
        for table in ["names", "profiles"] {
            work.db.execute(
                &format!(
                    "DELETE FROM {table} WHERE account_id = ?1 AND NOT EXISTS (SELECT 1 FROM members WHERE account_id = ?1)
                        AND NOT EXISTS (SELECT 1 FROM contacts WHERE account_id = ?1)"
                ),
                [peer.as_bytes()],
            )?;
        }
    }
    Ok(())
}

/// Tables with rows of one conversation each.
const HELD_BY_CONVERSATION: &[&str] = &[
    "automatic_sent",
    "behind",
    "commits",
    "departures",
    "device_counters",
    "gaps",
    "leave_wishes",
    "member_since",
    "members",
    "messages",
    "misses",
    "old_channels",
    "outbox",
    "resyncs",
    "rules",
    "sends",
    "sent_again",
    "stuck",
];

fn list(
    db: &rusqlite::Connection,
    condition: &str,
    value: impl rusqlite::ToSql,
) -> Result<Vec<Conversation>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM conversations WHERE {condition} ORDER BY id"
    ))?;
    let rows = statement
        .query_map([value], raw)?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter().map(whole).collect()
}

/// What a new row starts with.
pub(crate) struct New<'a> {
    pub(crate) group: &'a Group,
    pub(crate) state: State,
    pub(crate) peer: Option<AccountId>,
    pub(crate) generation: u32,
    pub(crate) channel: ChannelId,
    pub(crate) channel_made: bool,
    pub(crate) top_number: u64,
    pub(crate) address: i64,
    pub(crate) link: i64,
}

/// Makes a row for a group that was created or joined, and its members.
pub(crate) fn create(work: &Work<'_>, new: &New<'_>) -> Result<i64> {
    work.db.execute(
        "INSERT INTO conversations (group_id, kind, name, state, peer, epoch, generation, moves, channel_id, channel_made, top_number,
            address, next_counter, link, leaving, read_up_to, created_at_ms, changed_at_ms, server)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, 1, ?12, 0, 0, ?13, ?13, ?14)",
        params![
            new.group.id().as_bytes(),
            Kind::from_mls(new.group.kind()) as i64,
            new.group.name(),
            new.state as i64,
            new.peer.as_ref().map_or(&[][..], |peer| peer.as_bytes()),
            new.group.epoch(),
            new.generation,
            new.channel.as_bytes(),
            new.channel_made,
            new.top_number,
            new.address,
            new.link,
            work.now_ms,
            elsewhere::of_group(work, new.group)
        ],
    )?;
    let id = work.last_id();
    refresh(work, id, new.group)?;
    shared::apply_for(work, new.group.id().as_bytes())?;
    work.tell(Change::Chat(id));
    Ok(id)
}

/// Takes name, epoch and members over from the group, after a commit.
pub(crate) fn refresh(work: &Work<'_>, id: i64, group: &Group) -> Result<()> {
    // As long as a state is only tried the members and the name are those of before.
    let trying = proof::is_under_way(work, id)?;
    let known = get(work.db, id)?.map(|row| row.name).unwrap_or_default();
    let name = if trying { &known } else { group.name() };
    work.db
        .prepare_cached(
            "UPDATE conversations SET moves = CASE WHEN epoch = ?2 THEN moves ELSE 0 END, epoch = ?2, name = ?3, timer_s = ?4 WHERE id = ?1",
        )?
        .execute(params![id, group.epoch(), name, group.policy().timer_s])?;
    if trying {
        return Ok(());
    }
    policy::note(work, id, group)?;
    let before = accounts(work.db, id)?;
    departures::note(work, id, group)?;
    work.db
        .prepare_cached("DELETE FROM members WHERE conversation = ?1")?
        .execute([id])?;
    let mut insert = work.db.prepare_cached(
        "INSERT INTO members (conversation, leaf, account_id, device_id, name, role, address, resync_key, server, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for member in group.members()? {
        insert.execute(params![
            id,
            member.leaf,
            member.account.as_bytes(),
            member.device.as_bytes(),
            member.name,
            role_number(member.role),
            member.address.expose(),
            member.resync.encode(),
            elsewhere::of_member(work, group, &member),
            member.key
        ])?;
        if !member.name.is_empty() {
            work.db
                .prepare_cached(
                    "INSERT INTO names (account_id, name) VALUES (?1, ?2)
                     ON CONFLICT (account_id) DO UPDATE SET name = excluded.name",
                )?
                .execute(params![member.account.as_bytes(), member.name])?;
        }
    }
    siblings::note_strangers(work, id)?;
    invite_told::makers_went(work, id)?;
    if group.kind() == undertone_mls::Kind::Group {
        let mut came = BTreeMap::new();
        for member in group.members()? {
            if !before.contains(member.account.as_bytes()) {
                came.insert(member.account, member.name);
            }
        }
        for (account, name) in came {
            other_account::came(work, id, &account, &name)?;
        }
    }
    work.tell(Change::Chat(id));
    Ok(())
}

/// The accounts of the cached members.
fn accounts(db: &rusqlite::Connection, id: i64) -> Result<BTreeSet<[u8; 32]>> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT account_id FROM members WHERE conversation = ?1")?;
    Ok(statement
        .query_map([id], |row| row.get::<_, [u8; 32]>(0))?
        .collect::<std::result::Result<_, _>>()?)
}

/// As stored and sent.
pub(crate) fn role_number(role: undertone_mls::Role) -> i64 {
    match role {
        undertone_mls::Role::Member => 0,
        undertone_mls::Role::Admin => 1,
        undertone_mls::Role::Owner => 2,
    }
}

/// From a row.
pub(crate) fn role_from_number(role: i64) -> undertone_mls::Role {
    match role {
        2 => undertone_mls::Role::Owner,
        1 => undertone_mls::Role::Admin,
        _ => undertone_mls::Role::Member,
    }
}

/// Moves to another state.
pub(crate) fn set_state(work: &Work<'_>, id: i64, state: State) -> Result<()> {
    work.db.execute(
        "UPDATE conversations SET state = ?2, changed_at_ms = ?3 WHERE id = ?1",
        params![id, state as i64, work.now_ms],
    )?;
    work.tell(Change::Chat(id));
    work.wake();
    Ok(())
}

/// The channel is on the server.
pub(crate) fn set_channel_made(work: &Work<'_>, id: i64, channel: &ChannelId) -> Result<()> {
    work.db.execute(
        "UPDATE conversations SET channel_made = 1 WHERE id = ?1 AND channel_id = ?2",
        params![id, channel.as_bytes()],
    )?;
    work.wake();
    Ok(())
}

/// The conversation goes on on another channel.
pub(crate) fn set_channel(
    work: &Work<'_>,
    id: i64,
    generation: u32,
    channel: &ChannelId,
    moves: u32,
    made: bool,
    top_number: u64,
) -> Result<()> {
    let before = load(work.db, id)?;
    work.db.execute(
        "INSERT INTO old_channels (conversation, channel_hash, generation, top_number, epoch) SELECT ?1, ?2, generation, top_number, epoch
            FROM conversations WHERE id = ?1 AND channel_id <> ?3
         ON CONFLICT (conversation, channel_hash) DO UPDATE SET top_number = max(top_number, excluded.top_number), epoch = excluded.epoch",
        params![
            id,
            elsewhere::name_in(&before, &before.channel)?,
            channel.as_bytes()
        ],
    )?;
    work.db.execute(
        "UPDATE conversations SET generation = ?2, channel_id = ?3, channel_made = ?4, top_number = ?5, moves = ?6 WHERE id = ?1",
        params![id, generation, channel.as_bytes(), made, top_number, moves],
    )?;
    work.wake();
    Ok(())
}

/// One's own address is another one now.
pub(crate) fn set_address(work: &Work<'_>, id: i64, address: i64) -> Result<()> {
    work.db.execute(
        "UPDATE conversations SET address = ?2 WHERE id = ?1",
        params![id, address],
    )?;
    Ok(())
}

/// The next counter of this device's messages.
pub(crate) fn take_counter(work: &Work<'_>, id: i64) -> Result<u64> {
    Ok(work
        .db
        .prepare_cached(
            "UPDATE conversations SET next_counter = next_counter + 1 WHERE id = ?1 RETURNING next_counter - 1",
        )?
        .query_row([id], |row| row.get(0))?)
}

/// What an account is called: as a contact, else as its device says in this conversation. Anybody can call themselves anything, so a name
/// that says somebody else too is followed by the beginning of the account's id.
pub(crate) fn name_of(
    db: &rusqlite::Connection,
    conversation: i64,
    account: &AccountId,
) -> Result<String> {
    Ok(known_name(db, conversation, account)?.unwrap_or_else(|| "Somebody".to_owned()))
}

/// The same, if there is a name.
fn known_name(
    db: &rusqlite::Connection,
    conversation: i64,
    account: &AccountId,
) -> Result<Option<String>> {
    let name: Option<(String, bool)> = db
        .prepare_cached(
            "SELECT name, 1 FROM contacts WHERE account_id = ?2 AND name <> ''
             UNION ALL SELECT name, 0 FROM profiles WHERE account_id = ?2
             UNION ALL SELECT name, 0 FROM members WHERE conversation = ?1 AND account_id = ?2 AND name <> ''
             UNION ALL SELECT name, 0 FROM names WHERE account_id = ?2 LIMIT 1",
        )?
        .query_row(params![conversation, account.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((name, is_contact)) = name else {
        return Ok(None);
    };
    let reserved = ["you", "somebody", "another device of yours"];
    if reserved.contains(&name.trim().to_lowercase().as_str())
        || is_shared(db, conversation, account, &name, is_contact)?
    {
        let id = ContactId::from_bytes(account.as_bytes()).to_string();
        return Ok(Some(format!("{name} ({})", id.get(..8).unwrap_or(&id))));
    }
    Ok(Some(name))
}

/// An account as a notice names it now.
pub(crate) fn person(
    work: &Work<'_>,
    conversation: i64,
    account: &AccountId,
) -> Result<NoticePerson> {
    let name = known_name(work.db, conversation, account)?.unwrap_or_default();
    Ok(person_called(work, account, name))
}

/// The same, by a name that is known.
pub(crate) fn person_called(work: &Work<'_>, account: &AccountId, name: String) -> NoticePerson {
    NoticePerson {
        account: Some(ContactId::from_bytes(account.as_bytes())),
        name,
        me: *account == work.me.account,
    }
}

/// Whether another member of this group goes by the name, or a contact does and this account is none.
fn is_shared(
    db: &rusqlite::Connection,
    conversation: i64,
    account: &AccountId,
    name: &str,
    is_contact: bool,
) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM members m JOIN conversations v ON v.id = m.conversation AND v.kind = 2
                LEFT JOIN contacts c ON c.account_id = m.account_id AND c.name <> ''
                LEFT JOIN profiles p ON p.account_id = m.account_id
                WHERE m.conversation = ?1 AND m.account_id <> ?2 AND lower(trim(coalesce(c.name, p.name, m.name))) = lower(trim(?4))
             UNION ALL SELECT 1 FROM contacts WHERE account_id <> ?2 AND NOT ?3 AND lower(trim(name)) = lower(trim(?4))",
        )?
        .exists(params![
            conversation,
            account.as_bytes(),
            is_contact,
            name
        ])?)
}

/// A plain line in the chat, where the conversation stands now.
pub(crate) fn notice(work: &Work<'_>, id: i64, notice: &Notice) -> Result<()> {
    let row = load(work.db, id)?;
    let place = message::Place {
        generation: row.generation,
        number: row.top_number,
    };
    message::add_notice(work, id, notice, place)
}

/// The device that a leaf belongs to, from the cache (for showing only).
pub(crate) fn devices(db: &rusqlite::Connection, id: i64) -> Result<Vec<DeviceId>> {
    let mut statement =
        db.prepare_cached("SELECT device_id FROM members WHERE conversation = ?1")?;
    let rows = statement
        .query_map([id], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.iter()
        .map(|bytes| Ok(DeviceId::from_slice(bytes)?))
        .collect()
}
