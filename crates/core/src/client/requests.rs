//! People whom this account's owner does not know: accepting, refusing, and keeping a record of what they wrote.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use serde::Serialize;
use undertone_mls::AccountId;

use super::Client;
use crate::{
    error::{Reason, Result},
    ids::{ContactId, ReportId},
    query,
    sync::request,
    view::*,
};

/// Messages that a report holds.
const REPORTED: u32 = 50;
/// The longest note, bytes.
const NOTE_BYTES: usize = 4000;

/// A report as it is kept and exported. Nobody is sent it.
#[derive(Serialize)]
struct Report<'a> {
    undertone_report: u32,
    account_id: &'a ContactId,
    name: &'a str,
    verified: bool,
    contact_since_ms: i64,
    made_at_ms: i64,
    note: &'a str,
    messages: Vec<Reported<'a>>,
}

#[derive(Serialize)]
struct Reported<'a> {
    id: &'a str,
    sent_ms: i64,
    received_ms: i64,
    mine: bool,
    text: &'a str,
    files: Vec<&'a str>,
}

impl Client {
    /// Those who wait to be accepted, the newest first.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn requests(&self) -> Result<Vec<RequestInfo>> {
        self.expire().await?;
        self.read(|snapshot, engine| query::requests(snapshot.connection(), &engine.me))
            .await
    }

    /// The request that a name, the beginning of one, or an id means.
    ///
    /// # Errors
    /// `request.unknown`, `contact.ambiguous`.
    pub async fn find_request(&self, selector: &str) -> Result<RequestInfo> {
        let selector = selector.to_owned();
        self.read(move |snapshot, engine| {
            query::find_request(snapshot.connection(), &engine.me, &selector)
        })
        .await
    }

    /// Makes somebody a contact who waits to be accepted.
    ///
    /// # Errors
    /// `contact.unknown`, `request.unknown`.
    pub async fn accept_request(&self, contact: &ContactId) -> Result<()> {
        let account = AccountId::new(contact.bytes()?);
        self.write(move |work| request::accept(work, &account))
            .await
    }

    /// Deletes a request with everything in it, and blocks the person if wanted. They are not told.
    ///
    /// # Errors
    /// `contact.unknown`, `request.unknown`.
    pub async fn refuse_request(&self, contact: &ContactId, block: bool) -> Result<()> {
        let account = AccountId::new(contact.bytes()?);
        self.write(move |work| request::refuse(work, &account, block))
            .await
    }

    /// Who is blocked.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn blocked(&self) -> Result<Vec<BlockedInfo>> {
        self.read(|snapshot, _| query::blocked(snapshot.connection()))
            .await
    }

    /// Keeps a record of somebody with their last messages, on this device only: it outlives refusing and blocking them, and what
    /// disappears. Nobody is sent anything.
    ///
    /// # Errors
    /// `contact.unknown`, `message.too_long`.
    pub async fn report(&self, contact: &ContactId, note: &str) -> Result<ReportInfo> {
        if note.len() > NOTE_BYTES {
            return Err(Reason::MessageTooLong.into());
        }
        self.expire().await?;
        let (account, note) = (contact.bytes()?, note.to_owned());
        let me = self.inner.engine.me.account;
        let engine = std::sync::Arc::clone(&self.inner.engine);
        self.write(move |work| {
            let person = query::contact(work.db, &account)?.ok_or(Reason::ContactUnknown)?;
            let chat = person.chat.as_ref().ok_or(Reason::ContactUnknown)?;
            let row = query::conversation_of(work.db, chat)?;
            let lines = query::messages(work.db, &engine.me, &row, REPORTED, None)?;
            let written = lines
                .iter()
                .filter(|line| line.kind == MessageKind::Message);
            let report = Report {
                undertone_report: 1,
                account_id: &person.id,
                name: &person.name,
                verified: person.verified,
                contact_since_ms: person.added_ms,
                made_at_ms: work.now_ms,
                note: &note,
                messages: written
                    .map(|line| Reported {
                        id: line.id.as_str(),
                        sent_ms: line.sent_ms,
                        received_ms: line.received_ms,
                        mine: line.sender == Some(ContactId::from_bytes(me.as_bytes())),
                        text: &line.text,
                        files: line
                            .attachments
                            .iter()
                            .map(|file| file.name.as_str())
                            .collect(),
                    })
                    .collect(),
            };
            let content = serde_json::to_string_pretty(&report).map_err(|_| Reason::StateBroken)?;
            let id = request::report(work, &AccountId::new(account), &person.name, &content)?;
            Ok(ReportInfo {
                id: ReportId::from_bytes(&id),
                contact: person.id.clone(),
                name: person.name.clone(),
                created_ms: work.now_ms,
            })
        })
        .await
    }

    /// What was kept about people, the newest first.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn reports(&self) -> Result<Vec<ReportInfo>> {
        self.read(|snapshot, _| query::reports(snapshot.connection()))
            .await
    }

    /// Writes a report to a new file (mode 0600), as JSON, readable by whoever has the file.
    ///
    /// # Errors
    /// `report.unknown`, `attachment.exists`, `attachment.unwritable`.
    pub async fn export_report(&self, report: &ReportId, to: &Path) -> Result<()> {
        let (report, to) = (report.clone(), to.to_owned());
        self.read(move |snapshot, _| {
            let content = query::report(snapshot.connection(), &report)?;
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&to);
            let mut file = file.map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => Reason::AttachmentExists,
                _ => Reason::AttachmentUnwritable,
            })?;
            file.write_all(content.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(|_| Reason::AttachmentUnwritable)?;
            Ok(())
        })
        .await
    }

    /// Deletes a report.
    ///
    /// # Errors
    /// `report.unknown`.
    pub async fn delete_report(&self, report: &ReportId) -> Result<()> {
        let id = report.bytes()?;
        self.write(move |work| request::forget_report(work, &id))
            .await
    }
}
