//! People who come with another account than the one they are known by.
//!
//! A safety number is of two accounts, so it changes only when an account does. Nobody can take over the name that somebody else is a contact
//! by without this: an account that goes by a contact's name and is not that contact's is noted when it comes, in a direct chat or in a group,
//! and said in every chat with it until its safety number was compared, or the owner says that they know of it.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::AccountId;

use super::{
    Work,
    change::Change,
    conversation::{self, Kind},
    shared,
};
use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId},
    view::{Notice, OtherAccount},
};

/// Somebody came into a chat and goes by this name.
pub(crate) fn came(
    work: &Work<'_>,
    conversation: i64,
    account: &AccountId,
    name: &str,
) -> Result<()> {
    let name = name.trim();
    if name.is_empty() || *account == work.me.account || is_settled(work.db, account)? {
        return Ok(());
    }
    let noted = work
        .db
        .prepare_cached("SELECT 1 FROM other_accounts WHERE account_id = ?1")?
        .exists([account.as_bytes()])?;
    if !noted {
        let Some(known) = known_by(work, account, name)? else {
            return Ok(());
        };
        work.db.execute(
            "INSERT INTO other_accounts (account_id, known, noticed_at_ms) VALUES (?1, ?2, ?3)",
            params![account.as_bytes(), known.as_bytes(), work.now_ms],
        )?;
    }
    let who = conversation::person(work, conversation, account)?;
    conversation::notice(work, conversation, &Notice::OtherAccount { who })?;
    work.tell(Change::Contact(*account.as_bytes()));
    Ok(())
}

/// The contact who goes by a name and has another account; the one whose number was compared, or else the oldest. Somebody who is a contact
/// already is known by that account.
fn known_by(work: &Work<'_>, account: &AccountId, name: &str) -> Result<Option<AccountId>> {
    let found: Option<Vec<u8>> = work
        .db
        .prepare_cached(
            "SELECT c.account_id FROM contacts c LEFT JOIN conversations v ON v.id = c.conversation
             WHERE c.account_id <> ?1 AND c.state = 2 AND coalesce(v.request, 0) = 0 AND lower(trim(c.name)) = lower(?2)
                AND NOT EXISTS (SELECT 1 FROM other_accounts o WHERE o.account_id = c.account_id)
                AND c.added_at_ms <= coalesce((SELECT own.added_at_ms FROM contacts own WHERE own.account_id = ?1), ?3)
             ORDER BY c.verified DESC, c.added_at_ms, c.account_id LIMIT 1",
        )?
        .query_row(params![account.as_bytes(), name, work.now_ms], |row| {
            row.get(0)
        })
        .optional()?;
    found
        .map(|bytes| Ok(AccountId::from_slice(&bytes)?))
        .transpose()
}

/// Whether its number was compared, or the owner knows of it.
fn is_settled(db: &Connection, account: &AccountId) -> Result<bool> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM contacts WHERE account_id = ?1 AND verified = 1
             UNION ALL SELECT 1 FROM people WHERE account_id = ?1 AND accepted = 1",
        )?
        .exists([account.as_bytes()])?)
}

/// The owner knows of this account: it is another person, or the same one with a new account. The other devices are told.
pub(crate) fn accept(work: &Work<'_>, account: &AccountId) -> Result<()> {
    let noted = work
        .db
        .prepare_cached("SELECT 1 FROM other_accounts WHERE account_id = ?1")?
        .exists([account.as_bytes()])?;
    if !noted {
        return Err(Reason::ContactUnknown.into());
    }
    work.db.execute(
        "INSERT INTO people (account_id, accepted) VALUES (?1, 1) ON CONFLICT (account_id) DO UPDATE SET accepted = 1",
        [account.as_bytes()],
    )?;
    shared::put_person(work, account)?;
    work.tell(Change::Contact(*account.as_bytes()));
    Ok(())
}

/// Those that are not settled, the newest first.
pub(crate) fn open(db: &Connection) -> Result<Vec<OtherAccount>> {
    let mut statement = db.prepare_cached(
        "SELECT o.account_id, o.known, coalesce(c.name, ''), coalesce(c.verified, 0) FROM other_accounts o
         LEFT JOIN contacts c ON c.account_id = o.known ORDER BY o.noticed_at_ms DESC, o.account_id",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, bool>(3)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut open = Vec::new();
    for (account, known, known_name, known_verified) in rows {
        let id = AccountId::from_slice(&account)?;
        if is_settled(db, &id)? {
            continue;
        }
        let (chats, name) = chats(db, &id)?;
        open.push(OtherAccount {
            account: ContactId::from_bytes(&account),
            name,
            known: ContactId::from_bytes(&known),
            known_name,
            known_verified,
            chats,
        });
    }
    Ok(open)
}

/// The chats that an account is in, and what it is called there.
fn chats(db: &Connection, account: &AccountId) -> Result<(Vec<ChatId>, String)> {
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT v.id FROM conversations v JOIN members m ON m.conversation = v.id WHERE m.account_id = ?1 AND v.state IN (1, 2, 3) ORDER BY v.id",
    )?;
    let ids = statement
        .query_map([account.as_bytes()], |row| row.get::<_, i64>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut chats = Vec::new();
    for id in &ids {
        let row = conversation::load(db, *id)?;
        if !row.request && row.kind != Kind::Notes {
            chats.push(ChatId::from_bytes(row.group.as_bytes()));
        }
    }
    let name = conversation::name_of(db, ids.first().copied().unwrap_or(0), account)?;
    Ok((chats, name))
}
