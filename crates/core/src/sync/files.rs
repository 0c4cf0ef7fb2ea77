//! The files of a message: which attachment each is.

use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_content::{
    ENCRYPTION_STREAM, ExternalPart, HASH_SHA_256, MediaInfo, MimiContent, uri,
};
use zeroize::Zeroizing;

use undertone_wire::origin::ServerAddress;

use super::{Work, elsewhere};
use crate::{
    attachments::{AttachmentId, Attachments, Reference, StreamKey},
    error::{Reason, Result},
    ids::{ChatId, MessageId},
};

/// A file.
pub(crate) struct File {
    pub(crate) position: u32,
    /// attachments.id; empty: not taken up.
    pub(crate) attachment: Vec<u8>,
}

/// A message's files.
pub(crate) struct Files {
    pub(crate) chat: ChatId,
    pub(crate) message: MessageId,
    pub(crate) files: Vec<File>,
}

/// The files of a message.
pub(crate) fn of_message(db: &Connection, message: i64) -> Result<Files> {
    let (group, id): (Vec<u8>, Vec<u8>) = db
        .query_row(
            "SELECT c.group_id, m.message_id FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id = ?1",
            [message],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?
        .ok_or(Reason::MessageUnknown)?;
    let mut statement = db.prepare_cached(
        "SELECT position, attachment FROM message_files WHERE message = ?1 ORDER BY position",
    )?;
    let files = statement
        .query_map([message], |row| {
            Ok(File {
                position: row.get(0)?,
                attachment: row.get(1)?,
            })
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(Files {
        chat: ChatId::from_bytes(&group),
        message: MessageId::from_bytes(&id),
        files,
    })
}

/// What a message says of a file.
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) preview: Option<Vec<u8>>,
    pub(crate) info: Option<MediaInfo>,
}

/// How a message names a file.
pub(crate) fn external(reference: &Reference, content_type: String, name: &str) -> ExternalPart {
    ExternalPart {
        content_type,
        url: uri::blob(reference.blob_id.as_bytes()),
        size: reference.size,
        encryption: ENCRYPTION_STREAM,
        key: Zeroizing::new(reference.key.key().to_vec()),
        nonce: reference.key.nonce().to_vec(),
        hash_algorithm: HASH_SHA_256,
        content_hash: reference.content_hash.to_vec(),
        filename: name.to_owned(),
        ..ExternalPart::default()
    }
}

/// What a message says of one of its files.
pub(crate) fn part(db: &Connection, message: i64, index: u32) -> Result<Part> {
    let (name, content_type, preview, content): (String, String, Vec<u8>, Vec<u8>) = db
        .query_row(
            "SELECT f.name, f.content_type, f.preview, m.content FROM message_files f JOIN messages m ON m.id = f.message
             WHERE f.message = ?1 AND f.position = ?2",
            params![message, index],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?
        .ok_or(Reason::AttachmentUnknown)?;
    let content = MimiContent::decode(&content).map_err(|_| Reason::ContentMalformed)?;
    let position = usize::try_from(index).map_err(|_| Reason::AttachmentUnknown)?;
    let info = content
        .shown()
        .files
        .get(position)
        .map(|file| file.info.clone());
    Ok(Part {
        name,
        content_type,
        preview: (!preview.is_empty()).then_some(preview),
        info: info.filter(|info| *info != MediaInfo::default()),
    })
}

/// The server that a message's file is on; None: this account's own.
pub(crate) fn server(db: &Connection, message: i64, index: u32) -> Result<Option<ServerAddress>> {
    let (content, conversation, of_chat): (Vec<u8>, i64, String) = db
        .query_row(
            "SELECT m.content, c.id, c.server FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id = ?1",
            [message],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?
        .ok_or(Reason::MessageUnknown)?;
    let content = MimiContent::decode(&content).map_err(|_| Reason::ContentMalformed)?;
    let position = usize::try_from(index).map_err(|_| Reason::AttachmentUnknown)?;
    let shown = content.shown();
    let url = shown.files.get(position).map(|file| &file.external.url);
    let named = url
        .and_then(|url| undertone_content::uri::parse_blob_at(url))
        .and_then(|(_, server)| server);
    match named {
        Some(server) => {
            let server: ServerAddress = server.parse()?;
            let (own, pin): (String, Vec<u8>) =
                db.query_row("SELECT origin, pin FROM server WHERE id = 1", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            if pin == server.pin.as_bytes() {
                return Ok(Some(ServerAddress {
                    origin: own.parse()?,
                    pin: server.pin,
                }));
            }
            // Only where somebody of the conversation is or was: a message alone leads this device nowhere.
            if !elsewhere::leads_to(db, conversation, &server)? {
                return Err(Reason::AttachmentUnknown.into());
            }
            Ok(Some(server))
        }
        None => elsewhere::parse(&of_chat),
    }
}

/// The attachment of a message's file; one from somebody else is noted to be downloaded.
pub(crate) fn take_up(
    work: &Work<'_>,
    attachments: &Attachments,
    message: i64,
    index: u32,
) -> Result<AttachmentId> {
    let found: Option<(Vec<u8>, Vec<u8>)> = work
        .db
        .query_row(
            "SELECT f.attachment, m.content FROM message_files f JOIN messages m ON m.id = f.message WHERE f.message = ?1 AND f.position = ?2",
            params![message, index],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((attachment, content)) = found else {
        return Err(Reason::AttachmentUnknown.into());
    };
    let waits = work
        .db
        .prepare_cached(
            "SELECT 1 FROM messages m JOIN conversations c ON c.id = m.conversation WHERE m.id = ?1 AND c.request = 1",
        )?
        .exists([message])?;
    if waits {
        return Err(Reason::RequestOpen.into());
    }
    if let Some(id) = AttachmentId::from_slice(&attachment) {
        return Ok(id);
    }
    let content = MimiContent::decode(&content).map_err(|_| Reason::ContentMalformed)?;
    let shown = content.shown();
    let position = usize::try_from(index).map_err(|_| Reason::AttachmentUnknown)?;
    let external = shown
        .files
        .get(position)
        .ok_or(Reason::AttachmentUnknown)?
        .external;
    let (blob, _) =
        undertone_content::uri::parse_blob_at(&external.url).ok_or(Reason::AttachmentUnknown)?;
    let hash = external.content_hash.as_slice();
    let reference = Reference {
        blob_id: blob.into(),
        key: StreamKey::from_slices(&external.key, &external.nonce)
            .ok_or(Reason::AttachmentUnknown)?,
        size: external.size,
        content_hash: hash.try_into().map_err(|_| Reason::AttachmentUnknown)?,
    };
    let id = attachments.expect(work.tx, &reference, work.now_ms)?;
    work.db.execute(
        "UPDATE message_files SET attachment = ?3 WHERE message = ?1 AND position = ?2",
        params![message, index, id.as_bytes()],
    )?;
    Ok(id)
}
