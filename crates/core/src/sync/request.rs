//! Requests: what comes from somebody whom this account's owner does not know, by a link that asks first.
//!
//! Until it is accepted nobody is told anything: no receipt, no typing, no asking for what is missing, no update of the own leaf. Files and
//! previews are neither fetched nor shown, the other side can't add this account to groups, and what is kept is bounded. Refusing
//! deletes everything as if it had never been.

use rusqlite::params;
use undertone_mls::AccountId;

use super::{
    Work,
    change::Change,
    contact,
    conversation::{self, Conversation, State},
    devices, early_welcome, erase,
    message::Place,
    other_account, policy, profile, settings, shared, welcome,
};
use crate::{
    error::{Reason, Result},
    view::{Notice, SettingsPart},
};

/// Messages that are kept of somebody who is not accepted.
const KEPT: i64 = 50;

/// Whether one more message of somebody is kept. If not, a line says so.
pub(crate) fn takes(work: &Work<'_>, row: &Conversation, place: Place) -> Result<bool> {
    if !row.request {
        return Ok(true);
    }
    let kept: i64 = work
        .db
        .prepare_cached("SELECT count(*) FROM messages WHERE conversation = ?1 AND kind = 1")?
        .query_row([row.id], |found| found.get(0))?;
    if kept < KEPT {
        return Ok(true);
    }
    policy::notice_once(work, row.id, &Notice::MoreNotKept {}, place)?;
    Ok(false)
}

/// Refuses what would tell the other side something.
pub(crate) fn check(row: &Conversation) -> Result<()> {
    if row.request {
        return Err(Reason::RequestOpen.into());
    }
    Ok(())
}

/// The conversations in which somebody waits to be accepted: one for each link that they came by. The newest is the last.
fn load(work: &Work<'_>, account: &AccountId) -> Result<Vec<Conversation>> {
    contact::conversation(work.db, account)?.ok_or(Reason::ContactUnknown)?;
    let rows = waiting(work, account)?;
    if rows.is_empty() {
        return Err(Reason::RequestUnknown.into());
    }
    Ok(rows)
}

fn waiting(work: &Work<'_>, account: &AccountId) -> Result<Vec<Conversation>> {
    let mut statement = work.db.prepare_cached(
        "SELECT id FROM conversations WHERE peer = ?1 AND request = 1 ORDER BY id",
    )?;
    let ids = statement
        .query_map([account.as_bytes()], |found| found.get::<_, i64>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    ids.into_iter()
        .map(|id| conversation::load(work.db, id))
        .collect()
}

/// They are a contact from now on.
pub(crate) fn accept(work: &Work<'_>, account: &AccountId) -> Result<()> {
    for row in load(work, account)? {
        accept_in(work, account, &row)?;
    }
    Ok(())
}

/// Whether somebody is a contact already, so that by another link they need not ask.
pub(crate) fn is_needless(work: &Work<'_>, account: &AccountId) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM conversations WHERE kind = 1 AND peer = ?1 AND state IN (2, 3) AND link = 0 AND request = 0",
        )?
        .exists([account.as_bytes()])?)
}

/// Somebody is a contact now by another conversation: both may have used a link of the other, or this account another device. Where they wait
/// they wait no more.
pub(crate) fn is_contact(work: &Work<'_>, account: &AccountId) -> Result<()> {
    for row in waiting(work, account)? {
        accept_in(work, account, &row)?;
    }
    Ok(())
}

fn accept_in(work: &Work<'_>, account: &AccountId, row: &Conversation) -> Result<()> {
    work.db.execute(
        "UPDATE conversations SET request = 0, changed_at_ms = ?2 WHERE id = ?1",
        params![row.id, work.now_ms],
    )?;
    if row.state == State::Active {
        work.group(&row.group, |group| welcome::speak_up(work, row.id, group))?;
        devices::check(work, row.id)?;
    }
    profile::accepted(work, account)?;
    profile::look(work, row.id)?;
    shared::put_contact(work, account)?;
    let name: String = work.db.query_row(
        "SELECT name FROM contacts WHERE account_id = ?1",
        [account.as_bytes()],
        |found| found.get(0),
    )?;
    other_account::came(work, row.id, account, &name)?;
    work.tell(Change::ContactAdded(*account.as_bytes()));
    work.tell(Change::Chat(row.id));
    work.wake();
    early_welcome::try_again(work)
}

/// Deletes the request with everything in it; with `block`, they can't make another one.
pub(crate) fn refuse(work: &Work<'_>, account: &AccountId, block: bool) -> Result<()> {
    let rows = load(work, account)?;
    let mut name = String::new();
    for row in &rows {
        name = conversation::name_of(work.db, row.id, account)?;
    }
    for row in &rows {
        drop_all(work, row)?;
    }
    if block {
        settings::set_person(work, account, Some(true), None)?;
        // So that one knows later who that was.
        work.db.execute(
            "INSERT OR REPLACE INTO names (account_id, name) VALUES (?1, ?2)",
            params![account.as_bytes(), name],
        )?;
    }
    Ok(())
}

/// Deletes the conversation and the contact, and all that is kept of them.
fn drop_all(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let messages = {
        let mut statement = work
            .db
            .prepare("SELECT id FROM messages WHERE conversation = ?1 AND kind = 1")?;
        statement
            .query_map([row.id], |found| found.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for local in messages {
        // Files and everything else that hangs on it.
        erase::message(work, local, erase::Gone::Here)?;
    }
    for table in ["actions", "reactions", "pins", "chat_settings"] {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [row.id],
        )?;
    }
    if let Some(peer) = &row.peer {
        work.db.execute(
            "DELETE FROM contacts WHERE account_id = ?1",
            [peer.as_bytes()],
        )?;
    }
    conversation::drop_unproven(work, row)
}

/// Somebody who is blocked has come by another link: it is as if they had not.
pub(crate) fn turn_away(work: &Work<'_>, row: &Conversation) -> Result<()> {
    conversation::drop_unproven(work, row)
}

/// Keeps what is known about somebody and their last messages, here and nowhere else. Gives its id.
pub(crate) fn report(
    work: &Work<'_>,
    account: &AccountId,
    name: &str,
    content: &str,
) -> Result<[u8; 8]> {
    let id = work.random::<8>();
    work.db.execute(
        "INSERT INTO reports (report_id, account_id, name, content, created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, account.as_bytes(), name, content, work.now_ms],
    )?;
    work.tell(Change::Settings(SettingsPart::Reports));
    Ok(id)
}

/// Deletes a report.
pub(crate) fn forget_report(work: &Work<'_>, id: &[u8; 8]) -> Result<()> {
    let gone = work
        .db
        .execute("DELETE FROM reports WHERE report_id = ?1", [id])?;
    if gone == 0 {
        return Err(Reason::ReportUnknown.into());
    }
    work.tell(Change::Settings(SettingsPart::Reports));
    Ok(())
}
