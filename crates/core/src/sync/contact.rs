//! Contacts: accounts that this one has a direct conversation with.

use rusqlite::{OptionalExtension as _, params};
use undertone_mls::AccountId;

use super::{Work, change::Change, conversation, other_account, profile, request, shared};
use crate::error::Result;

/// Adds or completes a contact, and tells the account's other devices.
pub(crate) fn put(
    work: &Work<'_>,
    account: &AccountId,
    name: &str,
    conversation: i64,
    ready: bool,
) -> Result<()> {
    enter(work, account, name, conversation, ready)?;
    if ready {
        shared::put_contact(work, account)?;
    }
    Ok(())
}

/// Adds or completes a contact. The name is the one its device goes by; verification stays as it is.
pub(crate) fn enter(
    work: &Work<'_>,
    account: &AccountId,
    name: &str,
    conversation: i64,
    ready: bool,
) -> Result<()> {
    // What they said of themselves since counts for more than what their device brought along.
    let told = profile::name(work.db, account)?;
    let name = told.as_deref().unwrap_or(name);
    let known: Option<i64> = work
        .db
        .query_row(
            "SELECT state FROM contacts WHERE account_id = ?1",
            [account.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    work.db.execute(
        "INSERT INTO contacts (account_id, name, verified, conversation, state, added_at_ms) VALUES (?1, ?2, 0, ?3, ?4, ?5)
         ON CONFLICT (account_id) DO UPDATE SET conversation = excluded.conversation, state = max(state, excluded.state),
            name = CASE WHEN excluded.name = '' THEN name ELSE excluded.name END",
        params![
            account.as_bytes(),
            name,
            conversation,
            if ready { 2 } else { 1 },
            work.now_ms
        ],
    )?;
    if conversation::load(work.db, conversation)?.request {
        work.tell(Change::Request(conversation));
        return Ok(());
    }
    if ready {
        request::is_contact(work, account)?;
    }
    if ready && known != Some(2) {
        work.tell(Change::ContactAdded(*account.as_bytes()));
        // It may have been told before, with the key packages.
        let name: String = work.db.query_row(
            "SELECT name FROM contacts WHERE account_id = ?1",
            [account.as_bytes()],
            |row| row.get(0),
        )?;
        other_account::came(work, conversation, account, &name)?;
    } else {
        work.tell(Change::Contact(*account.as_bytes()));
    }
    Ok(())
}

/// Whether this account is a contact that messages can go to, and its direct conversation.
pub(crate) fn conversation(
    db: &rusqlite::Connection,
    account: &AccountId,
) -> Result<Option<(i64, bool)>> {
    Ok(db
        .query_row(
            "SELECT c.conversation, c.state = 2 AND coalesce(v.request, 0) = 0
             FROM contacts c LEFT JOIN conversations v ON v.id = c.conversation WHERE c.account_id = ?1",
            [account.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?)
}

/// Marks the safety number as compared, or not.
pub(crate) fn set_verified(work: &Work<'_>, account: &AccountId, verified: bool) -> Result<bool> {
    let changed = work.db.execute(
        "UPDATE contacts SET verified = ?2 WHERE account_id = ?1",
        params![account.as_bytes(), verified],
    )?;
    shared::put_contact(work, account)?;
    work.tell(Change::Contact(*account.as_bytes()));
    Ok(changed > 0)
}
