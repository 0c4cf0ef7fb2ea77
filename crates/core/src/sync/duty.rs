//! What is to be done next: the driver asks, does it, and says what came of it.
//!
//! Duties are read from the store each time. Nothing is kept in memory that a restart would lose, and a duty done twice does no harm.

use std::collections::HashSet;

use rusqlite::OptionalExtension as _;
use undertone_wire::{
    hpke::HpkeKeyPair,
    ids::{BlobId, ChannelId},
    origin::ServerAddress,
    request::{
        AddressKind, ChannelCommit, CreateChannel, NewAddress, PublishKeyPackages,
        SealedKeyPackage, Send, TakeKeyPackages,
    },
    secrets::Secret,
};

use super::{
    Work, absent, address, commit,
    conversation::{self, State},
    devices,
    downloads::{self, Download},
    elsewhere::{self, Elsewhere},
    fetch, gaps, history, invite, invite_told, join, keys, kill, link, linking, outbox,
    pool::{self, Publication},
    profile, proof, receipt, resync, send, shared, take, tokens, uploads,
};
use crate::error::{Error, Result};

/// Addresses told by one request.
const ADDRESSES: usize = 64;
/// Conversations that are served at once.
const CONVERSATIONS: usize = 16;
/// Messages whose files are uploaded at once.
const UPLOADS: usize = 2;

/// Something for the inbox connection.
pub(crate) enum Inbox {
    CreateAddresses(Vec<(i64, [u8; 32], i32)>),
    RevokeAddresses(Vec<(i64, [u8; 32], i32)>),
    Publish(Publication),
    RotateKey(Box<HpkeKeyPair>),
    IssueTokens(u32),
    /// A way in for another device, by the hash of its code.
    Invite([u8; 32]),
    /// A way in for this device's kill queue, by the hash of its code.
    InviteKillQueue([u8; 32]),
}

/// Something for the outbox connection, or for blobs.
pub(crate) enum Outbox {
    Take(i64, TakeKeyPackages),
    CreateChannel(i64, CreateChannel),
    Commit(i64, Box<ChannelCommit>, Vec<Elsewhere>),
    /// conversations.id
    Messages(i64, Vec<outbox::Ready>),
    Send(i64, Send, Vec<Elsewhere>),
    /// On another server.
    Away(Away),
    UploadCommit {
        conversation: i64,
        blob: BlobId,
        key: Secret<32>,
        body: Vec<u8>,
    },
    UploadSend {
        send: i64,
        blob: BlobId,
        key: Secret<32>,
        body: Vec<u8>,
    },
    Fetch(fetch::Fetch),
    /// messages.id whose files are to be uploaded.
    Files(i64),
    /// A file that comes by itself.
    Download(Download),
}

/// Something that is done on another server.
pub(crate) struct Away {
    pub(crate) server: ServerAddress,
    /// The channels by which an allowance may be asked for.
    pub(crate) doors: Vec<ChannelId>,
    pub(crate) duty: Box<Outbox>,
}

impl Outbox {
    /// The conversation whose turn this is; None: it is about none, or is done by a task of its own.
    pub(crate) fn conversation(&self) -> Option<i64> {
        match self {
            Self::CreateChannel(id, _) | Self::Commit(id, ..) | Self::Messages(id, _) => Some(*id),
            _ => None,
        }
    }
}

/// What the inbox connection has to do, most urgent first. One at a time: each changes what comes after it. `publish`: whether key packages
/// may be among it.
pub(crate) fn inbox(work: &Work<'_>, publish: bool) -> Result<Option<Inbox>> {
    let make = address::to_make(work, ADDRESSES)?;
    if !make.is_empty() {
        return Ok(Some(Inbox::CreateAddresses(make)));
    }
    if publish && let Some(publication) = pool::to_publish(work)? {
        return Ok(Some(Inbox::Publish(publication)));
    }
    let revoke = address::to_revoke(work, ADDRESSES)?;
    if !revoke.is_empty() {
        return Ok(Some(Inbox::RevokeAddresses(revoke)));
    }
    if let Some(hash) = linking::to_invite(work)? {
        return Ok(Some(Inbox::Invite(hash)));
    }
    if let Some(hash) = kill::to_invite(work)? {
        return Ok(Some(Inbox::InviteKillQueue(hash)));
    }
    if let Some(pair) = keys::to_rotate(work)? {
        return Ok(Some(Inbox::RotateKey(Box::new(pair))));
    }
    let wanted = tokens::wanted(work)?;
    Ok((wanted > 0).then_some(Inbox::IssueTokens(wanted)))
}

/// As the wire has it.
pub(crate) fn new_addresses(told: &[(i64, [u8; 32], i32)]) -> Vec<NewAddress> {
    told.iter()
        .map(|(_, hash, kind)| NewAddress {
            address: (*hash).into(),
            kind: match kind {
                1 => AddressKind::Conversation,
                2 => AddressKind::Contact,
                _ => AddressKind::KeyPackage,
            },
        })
        .collect()
}

/// As the wire has it.
pub(crate) fn publish(publication: &Publication) -> PublishKeyPackages {
    let sealed = |last_resort: bool| {
        publication
            .packages
            .iter()
            .filter(move |package| package.2 == last_resort)
            .map(|(id, sealed, _)| SealedKeyPackage {
                id: (*id).into(),
                sealed: sealed.clone().into(),
            })
    };
    PublishKeyPackages {
        address: publication.address_hash.into(),
        one_time: sealed(false).collect(),
        last_resort: sealed(true).next(),
    }
}

/// What is due now and then.
const TICKS: [fn(&Work<'_>) -> Result<()>; 11] = [
    gaps::tick,
    resync::tick,
    link::tick,
    invite::tick,
    join::tick,
    receipt::tick,
    linking::tick,
    devices::tick,
    absent::tick,
    shared::tick,
    profile::tick,
];
/// A part of what is due.
type Due = fn(&Work<'_>) -> Result<Vec<Outbox>>;
/// What waits to be sent outside any conversation's order.
const OTHERS: [Due; 5] = [
    |work| Ok(fetch::due(work)?.into_iter().map(Outbox::Fetch).collect()),
    takes,
    sends,
    |work| {
        let messages = uploads::due(work, UPLOADS)?;
        Ok(messages.into_iter().map(Outbox::Files).collect())
    },
    |work| {
        let files = downloads::due(work)?;
        Ok(files.into_iter().map(Outbox::Download).collect())
    },
];

/// What [`outbox`] found.
pub(crate) struct Round {
    pub(crate) duties: Vec<Outbox>,
    /// Conversations whose turn it was, and which could not even say what they want.
    pub(crate) failed: Vec<i64>,
}

/// What can be sent now: at most one thing of each conversation, since the next depends on it; nothing of those that are `waiting`. Whatever
/// is wrong with one conversation, or with one thing, is no reason for the others to wait.
pub(crate) fn outbox(work: &Work<'_>, waiting: &HashSet<i64>) -> Result<Round> {
    for tick in TICKS {
        if let Err(error) = work.apart(|| tick(work))? {
            note(&error);
        }
    }
    let mut round = Round {
        duties: Vec::new(),
        failed: Vec::new(),
    };
    for due in OTHERS {
        match work.apart(|| due(work))? {
            Ok(found) => round.duties.extend(found),
            Err(error) => note(&error),
        }
    }
    for row in proof::by_commit(work)? {
        if !waiting.contains(&row.id) {
            round.take(work, &row, proof_duty)?;
        }
    }
    let mut served = 0;
    for row in conversation::sendable(work)? {
        if served == CONVERSATIONS {
            break;
        }
        if !waiting.contains(&row.id) && round.take(work, &row, conversation_duty)? {
            served += 1;
        }
    }
    Ok(round)
}

impl Round {
    /// Has a conversation say what it wants. True: something.
    fn take(
        &mut self,
        work: &Work<'_>,
        row: &conversation::Conversation,
        duty: fn(&Work<'_>, &conversation::Conversation) -> Result<Option<Outbox>>,
    ) -> Result<bool> {
        let found = work.apart(|| {
            duty(work, row)?
                .map(|duty| at_its_server(work, row, duty))
                .transpose()
        })?;
        match found {
            Ok(Some(duty)) => {
                self.duties.push(duty);
                return Ok(true);
            }
            Ok(None) => {}
            Err(error) => {
                note(&error);
                self.failed.push(row.id);
            }
        }
        Ok(false)
    }
}

fn note(error: &Error) {
    tracing::info!(
        code = error.code(),
        "something that was to be sent has to wait"
    );
}

fn takes(work: &Work<'_>) -> Result<Vec<Outbox>> {
    take::due(work, CONVERSATIONS)?
        .into_iter()
        .map(|(id, server, request)| {
            let duty = Outbox::Take(id, request);
            Ok(match elsewhere::parse(&server)? {
                None => duty,
                Some(server) => Outbox::Away(Away {
                    server,
                    doors: Vec::new(),
                    duty: Box::new(duty),
                }),
            })
        })
        .collect()
}

fn sends(work: &Work<'_>) -> Result<Vec<Outbox>> {
    let due = send::due(work, CONVERSATIONS)?.into_iter();
    Ok(due
        .map(|(id, step)| match step {
            send::Step::Send(request, elsewhere) => Outbox::Send(id, request, elsewhere),
            send::Step::Upload { blob, key, body } => Outbox::UploadSend {
                send: id,
                blob,
                key,
                body,
            },
        })
        .collect())
}

/// The commit by which a state that was given to this device is tried.
fn proof_duty(work: &Work<'_>, row: &conversation::Conversation) -> Result<Option<Outbox>> {
    // The own copy must be able to come back.
    if !address::is_made(work, row.address)? || !work.has_group(&row.group)? {
        return Ok(None);
    }
    commit_duty(work, row)
}

/// What is for a conversation's channel is done on the server where that is; uploads are this account's own server's.
fn at_its_server(
    work: &Work<'_>,
    row: &conversation::Conversation,
    duty: Outbox,
) -> Result<Outbox> {
    let Some(server) = elsewhere::parse(&row.server)? else {
        return Ok(duty);
    };
    if duty.conversation().is_none() {
        return Ok(duty);
    }
    Ok(Outbox::Away(Away {
        server,
        doors: elsewhere::doors(work, row)?,
        duty: Box::new(duty),
    }))
}

/// The commit of a conversation that is to be made or sent next.
fn commit_duty(work: &Work<'_>, row: &conversation::Conversation) -> Result<Option<Outbox>> {
    Ok(commit::next(work, row)?.map(|step| match step {
        commit::Step::Send(request, elsewhere) => Outbox::Commit(row.id, request, elsewhere),
        commit::Step::Upload { blob, key, body } => Outbox::UploadCommit {
            conversation: row.id,
            blob,
            key,
            body,
        },
    }))
}

fn conversation_duty(work: &Work<'_>, row: &conversation::Conversation) -> Result<Option<Outbox>> {
    let idle = !work
        .db
        .prepare_cached(
            "SELECT 1 FROM outbox WHERE conversation = ?1 AND state IN (1, 2) AND not_before_ms <= ?2
             UNION ALL SELECT 1 FROM commits WHERE conversation = ?1 AND sent = 0
             UNION ALL SELECT 1 FROM intents WHERE conversation = ?1 AND state = 0 AND not_before_ms <= ?2",
        )?
        .exists(rusqlite::params![row.id, work.now_ms])?;
    // The own copy must be able to come back.
    if idle || !address::is_made(work, row.address)? || !work.has_group(&row.group)? {
        return Ok(None);
    }
    if let Some(request) = super::channel::to_make(work, row)? {
        return Ok(Some(Outbox::CreateChannel(row.id, request)));
    }
    if let Some(duty) = commit_duty(work, row)? {
        return Ok(Some(duty));
    }
    if commit::is_staged(work, row.id)? || (row.state == State::Joining && row.link == 0) {
        return Ok(None);
    }
    let ready = outbox::ready(work, row)?;
    Ok((!ready.is_empty()).then_some(Outbox::Messages(row.id, ready)))
}

/// When something is due that is not due yet; None: nothing. What is due already, and can't be done at present, must not hide what comes
/// after it: the first of each that is due after now counts.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    let queued: Option<i64> = work
        .db
        .prepare_cached(
            "SELECT min(at) FROM (
            SELECT min(not_before_ms) AS at FROM outbox WHERE state < 3 AND not_before_ms > ?1
            UNION ALL SELECT min(not_before_ms) FROM intents WHERE state = 0 AND not_before_ms > ?1
            UNION ALL SELECT min(not_before_ms) FROM sends WHERE not_before_ms > ?1
            UNION ALL SELECT min(not_before_ms) FROM device_checks WHERE not_before_ms > ?1
            UNION ALL SELECT min(not_before_ms) FROM profile_due WHERE not_before_ms > ?1
            UNION ALL SELECT min(expires_at_ms) FROM linking WHERE failure = '' AND expires_at_ms > ?1
            UNION ALL SELECT min(not_before_ms) FROM takes WHERE packages = x'' AND not_before_ms > ?1
            UNION ALL SELECT min(not_before_ms) FROM fetches WHERE state = 0 AND not_before_ms > ?1)",
        )?
        .query_row([work.now_ms], |row| row.get(0))?;
    let parts = [
        queued,
        gaps::next_due(work)?,
        resync::next_due(work)?,
        keys::next_due(work)?,
        receipt::next_due(work)?,
        downloads::next_due(work)?,
        invite_told::next_due(work)?,
        absent::next_due(work)?,
    ];
    Ok(parts
        .into_iter()
        .flatten()
        .filter(|at| *at > work.now_ms)
        .min())
}

/// Whether anything that can be done now is not done: the inbox has duties, something is due to be sent, or the own copy of
/// something is awaited.
pub(crate) fn unsettled(work: &Work<'_>) -> Result<bool> {
    if inbox_needs(work)?
        || outbox::unsettled(work)?
        || send::unsettled(work)?
        || history::unsettled(work)?
        || invite_told::unsettled(work)?
    {
        return Ok(true);
    }
    Ok(work
        .db
        .query_row(
            "SELECT 1 FROM commits c JOIN conversations v ON v.id = c.conversation WHERE v.state IN (1, 2)
             UNION ALL SELECT 1 FROM intents i JOIN conversations v ON v.id = i.conversation
                WHERE v.state IN (1, 2) AND i.state IN (0, 2) AND i.not_before_ms <= ?1 AND NOT EXISTS (
                    SELECT 1 FROM takes t WHERE t.purpose = 2 AND t.reference = i.id AND t.not_before_ms > ?1)
             UNION ALL SELECT 1 FROM takes WHERE packages = x'' AND not_before_ms <= ?1
             UNION ALL SELECT 1 FROM fetches WHERE state = 0 AND not_before_ms <= ?1
             UNION ALL SELECT 1 FROM resyncs WHERE asked_at_ms = 0
             UNION ALL SELECT 1 FROM joins WHERE link <> ''
             UNION ALL SELECT 1 FROM proofs WHERE way = 1
             UNION ALL SELECT 1 FROM device_checks WHERE not_before_ms <= ?1
             UNION ALL SELECT 1 FROM joining WHERE state = 5 AND ready = 0
             LIMIT 1",
            [work.now_ms],
            |_| Ok(()),
        )
        .optional()?
        .is_some())
}

fn inbox_needs(work: &Work<'_>) -> Result<bool> {
    Ok(work
        .db
        .query_row(
            "SELECT 1 FROM addresses WHERE state IN (0, 2)
             UNION ALL SELECT 1 FROM key_packages k JOIN pools p ON p.address = k.pool WHERE k.state = 0 LIMIT 1",
            [],
            |_| Ok(()),
        )
        .optional()?
        .is_some())
}
