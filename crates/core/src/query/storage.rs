//! How much the files of each chat take on this device.

use rusqlite::{Connection, params};

use super::{chat, chat_id};
use crate::{
    error::Result,
    ids::{ChatId, MessageId},
    sync::{account::Me, conversation},
    view::*,
};

/// Files named in one chat.
const LARGEST: i64 = 20;

/// A file that is here.
const HERE: &str = "FROM message_files f JOIN messages m ON m.id = f.message JOIN attachments a ON a.id = f.attachment
    WHERE a.state IN (2, 3) AND (a.direction = 1 OR a.state = 3)";

/// Chats with files on this device, the one that takes most first.
pub(crate) fn storage(db: &Connection, me: &Me) -> Result<Vec<ChatStorage>> {
    let totals = {
        let mut statement = db.prepare_cached(&format!(
            "SELECT m.conversation, count(*), sum(a.size) {HERE} GROUP BY m.conversation ORDER BY 3 DESC"
        ))?;
        statement
            .query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, u32>(1)?,
                    row.get::<_, u64>(2)?,
                ))
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    totals
        .into_iter()
        .map(|(id, files, bytes)| {
            let row = conversation::load(db, id)?;
            Ok(ChatStorage {
                chat: chat_id(db, id)?,
                name: chat(db, me, &row)?.name,
                files,
                bytes,
                largest: largest(db, id)?,
            })
        })
        .collect()
}

fn largest(db: &Connection, conversation: i64) -> Result<Vec<StoredFile>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT m.message_id, f.position, f.name, f.content_type, a.size, m.sent_at_ms {HERE} AND m.conversation = ?1
         ORDER BY a.size DESC, m.id LIMIT ?2"
    ))?;
    let rows = statement
        .query_map(params![conversation, LARGEST], |row| {
            Ok(StoredFile {
                message: MessageId::from_bytes(&row.get::<_, Vec<u8>>(0)?),
                index: row.get(1)?,
                name: row.get(2)?,
                content_type: row.get(3)?,
                bytes: row.get(4)?,
                sent_ms: row.get(5)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// messages.id, position, attachments.id, bytes.
type Removable = (i64, u32, Vec<u8>, u64);

/// Files of a chat, or of all, that are on the server too as far as is known, and fit.
pub(crate) fn removable(
    db: &Connection,
    chat: Option<&ChatId>,
    clean: &CleanUp,
) -> Result<Vec<Removable>> {
    let conversation = match chat {
        Some(chat) => super::conversation_of(db, chat)?.id,
        None => 0,
    };
    // What has not gone out yet is nowhere else.
    let mut statement = db.prepare_cached(&format!(
        "SELECT m.id, f.position, a.id, a.size {HERE} AND a.state = 3 AND m.state IN (1, 6)
            AND (?1 = 0 OR m.conversation = ?1) AND a.size >= ?2 AND m.sent_at_ms < ?3"
    ))?;
    let rows = statement
        .query_map(
            params![
                conversation,
                i64::try_from(clean.larger_than.unwrap_or(0)).unwrap_or(i64::MAX),
                clean.older_than_ms.unwrap_or(i64::MAX)
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(rows)
}
