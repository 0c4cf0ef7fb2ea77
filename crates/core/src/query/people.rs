//! People who are no contacts (yet): who waits to be accepted, who is blocked, what was kept about somebody, and who asks to be let in
//! to a group.

use rusqlite::{Connection, OptionalExtension as _};

use super::{CONTACT, chat, contact_row, conversation_of, link_life, select};
use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId, InviteId, ReportId},
    sync::account::Me,
    view::*,
};

/// Those who wait to be accepted, the newest first.
pub(crate) fn requests(db: &Connection, me: &Me) -> Result<Vec<RequestInfo>> {
    let mut statement = db.prepare_cached(&format!(
        "{CONTACT} WHERE v.request = 1 ORDER BY c.added_at_ms DESC, c.account_id"
    ))?;
    let people = statement
        .query_map([], contact_row)?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    people
        .into_iter()
        .filter_map(|person| {
            let id = person.chat.clone()?;
            let shown = conversation_of(db, &id).and_then(|row| chat(db, me, &row));
            Some(shown.map(|chat| RequestInfo { person, chat }))
        })
        .collect()
}

/// The request that a person means.
pub(crate) fn find_request(db: &Connection, me: &Me, selector: &str) -> Result<RequestInfo> {
    select(
        requests(db, me)?,
        selector,
        |request| request.person.id.to_string(),
        |request| request.person.name.clone(),
        Reason::RequestUnknown,
        Reason::ContactAmbiguous,
    )
}

/// Who is blocked: account ids, and names as far as they are known.
pub(crate) fn blocked(db: &Connection) -> Result<Vec<BlockedInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT p.account_id, coalesce((SELECT name FROM contacts c WHERE c.account_id = p.account_id),
            (SELECT name FROM profiles f WHERE f.account_id = p.account_id),
            (SELECT name FROM names n WHERE n.account_id = p.account_id), '') FROM people p WHERE p.blocked = 1 ORDER BY 2, 1",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok(BlockedInfo {
                id: ContactId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
                name: row.get(1)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// What was kept about people, the newest first.
pub(crate) fn reports(db: &Connection) -> Result<Vec<ReportInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT report_id, account_id, name, created_at_ms FROM reports ORDER BY id DESC",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok(ReportInfo {
                id: ReportId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
                contact: ContactId::from_bytes(&row.get::<_, Vec<u8>>(1)?),
                name: row.get(2)?,
                created_ms: row.get(3)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// What a report holds.
pub(crate) fn report(db: &Connection, id: &ReportId) -> Result<String> {
    Ok(db
        .query_row(
            "SELECT content FROM reports WHERE report_id = ?1",
            [id.bytes()?],
            |row| row.get(0),
        )
        .optional()?
        .ok_or(Reason::ReportUnknown)?)
}

/// The links to a group that this device made; the text of an open one is made by `uri` from its row.
pub(crate) fn invites(
    db: &Connection,
    conversation: i64,
    chat: &ChatId,
    uri: impl Fn(i64) -> Result<String>,
) -> Result<Vec<InviteInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT id, invite_id, created_at_ms, expires_at_ms, uses_left, approve, state FROM invites WHERE conversation = ?1 ORDER BY id",
    )?;
    let rows = statement
        .query_map([conversation], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                InviteInfo {
                    id: InviteId::from_bytes(&row.get::<_, Vec<u8>>(1)?),
                    chat: chat.clone(),
                    uri: String::new(),
                    created_ms: row.get(2)?,
                    expires_ms: Some(row.get::<_, i64>(3)?).filter(|at| *at > 0),
                    uses_left: row.get(4)?,
                    approve: row.get(5)?,
                    state: link_life(row.get(6)?),
                },
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(row, mut info)| {
            if info.state == LinkLife::Open {
                info.uri = uri(row)?;
            }
            Ok(info)
        })
        .collect()
}

/// Who asks to be let in to a group, the first one first.
pub(crate) fn join_requests(db: &Connection, conversation: i64) -> Result<Vec<JoinRequestInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT j.account_id, coalesce(nullif(c.name, ''), j.name), c.account_id IS NOT NULL, j.asked_at_ms
         FROM join_requests j LEFT JOIN contacts c ON c.account_id = j.account_id
         WHERE j.conversation = ?1 ORDER BY j.asked_at_ms, j.account_id",
    )?;
    let rows = statement
        .query_map([conversation], |row| {
            Ok(JoinRequestInfo {
                id: ContactId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
                name: row.get(1)?,
                is_contact: row.get(2)?,
                asked_ms: row.get(3)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}
