//! People who are no contacts (yet): who waits to be accepted, who is blocked, what was kept about somebody, and who asks to be let in
//! to a group.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::AccountId;

use super::{CONTACT, chat, contact_row, conversation_of, link_life, select};
use crate::{
    error::{Reason, Result},
    ids::{ChatId, ContactId, InviteId, ReportId},
    sync::{account::Me, conversation},
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

/// The links to a group, the first one first: those that this device made, the text of an open one made by `uri` from its row, and those that
/// other devices told of.
pub(crate) fn invites(
    db: &Connection,
    me: &Me,
    conversation: i64,
    chat: &ChatId,
    now_ms: i64,
    uri: impl Fn(i64) -> Result<String>,
) -> Result<Vec<InviteInfo>> {
    let mut statement = db.prepare_cached(
        "SELECT id, invite_id, created_at_ms, expires_at_ms, uses_left, approve, state, ?2 FROM invites WHERE conversation = ?1
         UNION ALL SELECT 0, invite_id, heard_at_ms, expires_at_ms, uses_left, approve,
            CASE WHEN state = 1 AND expires_at_ms BETWEEN 1 AND ?3 THEN 3 ELSE state END, account_id FROM invites_told WHERE conversation = ?1
         ORDER BY 3, 1, 2",
    )?;
    let rows = statement
        .query_map(
            params![conversation, me.account.as_bytes(), now_ms],
            |row| {
                let (own, maker): (i64, [u8; 32]) = (row.get(0)?, row.get(7)?);
                Ok((
                    own,
                    AccountId::new(maker),
                    InviteInfo {
                        id: InviteId::from_bytes(&row.get::<_, Vec<u8>>(1)?),
                        chat: chat.clone(),
                        maker: ContactId::from_bytes(&maker),
                        maker_name: String::new(),
                        is_mine: maker == *me.account.as_bytes(),
                        is_here: own != 0,
                        uri: String::new(),
                        created_ms: row.get(2)?,
                        expires_ms: Some(row.get::<_, i64>(3)?).filter(|at| *at > 0),
                        uses_left: row.get(4)?,
                        approve: row.get(5)?,
                        state: link_life(row.get(6)?),
                    },
                ))
            },
        )?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(own, maker, mut info)| {
            if info.is_here && info.state == LinkLife::Open {
                info.uri = uri(own)?;
            }
            info.maker_name = conversation::name_of(db, conversation, &maker)?;
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
