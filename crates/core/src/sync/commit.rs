//! Commits: staged, sent, and merged only when the accepted copy is seen in one's own queue.
//!
//! At most one commit of a conversation is staged. Its payload is stored before it is sent and never changes, so that the server
//! knows a retry by its hash. No answer of the server decides anything: what counts is which payload comes back for the epoch.

use bytes::Bytes;
use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{
    Body, ChannelId, ChannelPosition, CommitOutcome, EnvelopeKind, HandedOn, INLINE_MAX, Merged,
    Refusal, commit_inline_max,
};
use undertone_wire::{
    Code, Error as WireError,
    client_proto::{BlobPointer, DirectMessage, direct_message},
    ids::{BlobId, sha256},
    request::{AddressRename, ChannelCommit},
    secrets::{AddressSecret, Secret},
};
use zeroize::Zeroizing;

use super::{
    Work, address, automatic, changes, channel,
    conversation::{self, Conversation, State},
    devices, early_welcome,
    elsewhere::{self, Elsewhere},
    ending, gaps, heard, intent, invite_told,
    message::Place,
    outbox,
    plan::{self, Staged},
    profile, proof, reach, resync, send, shared,
};
use crate::{
    error::{Reason, Result},
    view::{Notice, NoticePerson},
};

/// A staged commit on its way.
pub(crate) enum Step {
    /// The body is larger than an item: it is uploaded first.
    Upload {
        blob: BlobId,
        key: Secret<32>,
        body: Vec<u8>,
    },
    /// It goes to the channel, and what is for other servers with it.
    Send(Box<ChannelCommit>, Vec<Elsewhere>),
}

struct Row {
    body: Vec<u8>,
    blob_id: Vec<u8>,
    blob_key: Zeroizing<Vec<u8>>,
    blob_done: bool,
    payload: Vec<u8>,
    sent: bool,
}

fn row(work: &Work<'_>, conversation: i64) -> Result<Option<Row>> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT body, blob_id, blob_key, blob_done, payload, sent FROM commits WHERE conversation = ?1",
        )?
        .query_row([conversation], |row| {
            Ok(Row {
                body: row.get(0)?,
                blob_id: row.get(1)?,
                blob_key: Zeroizing::new(row.get(2)?),
                blob_done: row.get(3)?,
                payload: row.get(4)?,
                sent: row.get(5)?,
            })
        })
        .optional()?)
}

/// Whether a commit of this device is on its way.
pub(crate) fn is_staged(work: &Work<'_>, conversation: i64) -> Result<bool> {
    Ok(row(work, conversation)?.is_some())
}

/// What is to be done next about a conversation's commit: the staged one, or a new one if an intent is due.
pub(crate) fn next(work: &Work<'_>, conversation: &Conversation) -> Result<Option<Step>> {
    if row(work, conversation.id)?.is_none() && !stage(work, conversation)? {
        return Ok(None);
    }
    let Some(staged) = row(work, conversation.id)? else {
        return Ok(None);
    };
    if staged.sent {
        return Ok(None);
    }
    if !staged.blob_id.is_empty() && !staged.blob_done {
        return Ok(Some(Step::Upload {
            blob: BlobId::from_slice(&staged.blob_id)?,
            key: Secret::from_slice(&staged.blob_key)?,
            body: staged.body,
        }));
    }
    let pending = work.group(&conversation.group, |group| Ok(group.pending(&work.mls)?))?;
    let Some(pending) = pending else {
        // The group was let in anew meanwhile; what was staged is void.
        void(work, conversation.id)?;
        return Ok(None);
    };
    let renames = pending
        .renames
        .into_iter()
        .map(|rename| AddressRename {
            old: rename.old,
            new: rename.new_hash,
        })
        .collect();
    let addresses = channel::shuffled(pending.addresses);
    let (split, renames) = elsewhere::split(work, conversation, addresses, renames)?;
    let commit = ChannelCommit {
        channel_id: conversation.channel,
        epoch: pending.epoch,
        key: pending.channel_key,
        next_lock: pending.next_lock,
        payload: Bytes::from(staged.payload),
        addresses: split.here,
        renames,
        removes: pending.removes,
        blob: send::named(&staged.blob_id)?,
    };
    Ok(Some(Step::Send(Box::new(commit), split.elsewhere)))
}

/// Stages the next change that is wanted. False if there is none.
fn stage(work: &Work<'_>, conversation: &Conversation) -> Result<bool> {
    let mut no_proof = false;
    let staged = work.group(&conversation.group, |group| {
        let Some(plan) = intent::plan(work, conversation, group)? else {
            return Ok(None);
        };
        let (intents, pending) = match plan::stage(work, group, plan)? {
            Staged::Yes(intents, pending) => (intents, pending),
            Staged::No => return Ok(None),
            Staged::NoProof => {
                no_proof = true;
                return Ok(None);
            }
        };
        let away = !conversation.server.is_empty();
        let most = if away {
            INLINE_MAX
        } else {
            commit_inline_max(pending.addresses.len()).min(work.inline_max)
        };
        let large = pending.body.len() > most;
        if large && away {
            // A guest can't put files on the conversation's server: such a change is for those who are there.
            group.clear_pending(&work.mls)?;
            for id in intents {
                intent::give_up(work, id, Reason::GroupRefused)?;
            }
            return Ok(None);
        }
        let blob = large.then(|| (BlobId::random(), Secret::<32>::random()));
        let pointer = blob
            .as_ref()
            .map(|(id, key)| pointer_to(id, key, &pending.body));
        let body = match &pointer {
            Some(pointer) => Body::Blob(pointer),
            None => Body::Inline(&pending.body),
        };
        let payload = group.seal(&work.mls, EnvelopeKind::Commit, pending.epoch, &body)?;
        Ok(Some((intents, pending, blob, payload)))
    })?;
    let Some((intents, pending, blob, payload)) = staged else {
        if no_proof {
            proof::by_member_instead(work, conversation)?;
        }
        return Ok(false);
    };
    intent::mark_staged(work, &intents)?;
    let (blob_id, blob_key) = blob.as_ref().map_or((&[][..], &[][..]), |(id, key)| {
        (&id.as_bytes()[..], &key.expose()[..])
    });
    work.db.execute(
        "INSERT INTO commits (conversation, epoch, body, blob_id, blob_key, blob_done, payload, payload_hash, sent, staged_at_ms, accepted_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, 0, ?8, 0)",
        params![
            conversation.id,
            pending.epoch,
            if blob.is_some() { &pending.body[..] } else { &[] },
            blob_id,
            blob_key,
            payload,
            sha256(&payload),
            work.now_ms
        ],
    )?;
    Ok(true)
}

fn pointer_to(blob: &BlobId, key: &Secret<32>, body: &[u8]) -> BlobPointer {
    BlobPointer {
        blob_id: blob.to_bytes(),
        key: key.to_bytes(),
        hash: sha256(body).to_vec().into(),
        size: body.len() as u64,
        ..Default::default()
    }
}

/// The body of this device's own commit, if this is its payload come back: what is here need not be fetched.
pub(crate) fn own_body(
    work: &Work<'_>,
    conversation: i64,
    payload: &[u8],
) -> Result<Option<Vec<u8>>> {
    let staged = row(work, conversation)?;
    Ok(staged
        .filter(|staged| !staged.blob_id.is_empty() && staged.payload == payload)
        .map(|staged| staged.body))
}

/// The server does not have the body any more, or not for long enough: the same commit is uploaded anew, and its payload says where.
/// What is staged stays staged: should the earlier payload have been accepted after all, it comes back and counts.
fn upload_again(work: &Work<'_>, row: &Conversation, staged: &Row) -> Result<()> {
    if staged.blob_id.is_empty() {
        return Ok(());
    }
    let (blob, key) = (BlobId::random(), Secret::<32>::random());
    let pointer = pointer_to(&blob, &key, &staged.body);
    let payload = work.group(&row.group, |group| {
        let Some(pending) = group.pending(&work.mls)? else {
            return Ok(None);
        };
        let body = Body::Blob(&pointer);
        let sealed = group.seal(&work.mls, EnvelopeKind::Commit, pending.epoch, &body)?;
        Ok(Some(sealed))
    })?;
    let Some(payload) = payload else {
        return void(work, row.id);
    };
    work.db.execute(
        "UPDATE commits SET blob_id = ?2, blob_key = ?3, blob_done = 0, payload = ?4, payload_hash = ?5 WHERE conversation = ?1",
        params![
            row.id,
            blob.as_bytes(),
            key.expose(),
            payload,
            sha256(&payload)
        ],
    )?;
    Ok(())
}

/// Its body is on the server.
pub(crate) fn uploaded(work: &Work<'_>, conversation: i64, blob: &BlobId) -> Result<()> {
    work.db.execute(
        "UPDATE commits SET blob_done = 1 WHERE conversation = ?1 AND blob_id = ?2",
        params![conversation, blob.as_bytes()],
    )?;
    work.wake();
    Ok(())
}

/// Where and for what a commit was sent. Its answer is judged by that: what came out of the queue meanwhile may have taken this device on.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    channel: ChannelId,
    epoch: u64,
}

impl Sent {
    pub(crate) fn of(request: &ChannelCommit) -> Self {
        Self {
            channel: request.channel_id,
            epoch: request.epoch,
        }
    }

    /// Whether the conversation still stands where it stood.
    fn is_present(self, row: &Conversation) -> bool {
        self.channel == row.channel && self.epoch == row.epoch
    }
}

/// The server has accepted it, and reached all addresses but these. Nothing is merged; its copy is awaited.
pub(crate) fn accepted(
    work: &Work<'_>,
    id: i64,
    sent: Sent,
    missed: &[AddressSecret],
) -> Result<()> {
    let Some(row) = conversation::get(work.db, id)? else {
        return Ok(());
    };
    // If all have passed it over already it still has to go to the channel that they went on to.
    if sent.is_present(&row) {
        came_first(work, id)?;
    }
    reach::channel_send(work, id, missed)
}

/// The server has it, or another commit came first: the queue tells which.
fn came_first(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "UPDATE commits SET sent = 1, accepted_at_ms = ?2 WHERE conversation = ?1",
        params![conversation, work.now_ms],
    )?;
    Ok(())
}

/// The queue was empty at a moment after this time: a commit that was accepted before and has not come back is merged by the others
/// and can't be here.
pub(crate) fn copies_lost(work: &Work<'_>, before_ms: i64) -> Result<()> {
    let lost = {
        let mut statement = work.db.prepare_cached(
            "SELECT m.conversation FROM commits m JOIN conversations c ON c.id = m.conversation
             WHERE m.sent = 1 AND m.accepted_at_ms < CASE c.server WHEN '' THEN ?1 ELSE ?2 END",
        )?;
        statement
            .query_map([before_ms, before_ms - elsewhere::ON_ITS_WAY_MS], |row| {
                row.get::<_, i64>(0)
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in lost {
        let row = conversation::load(work.db, id)?;
        address::assert(work, row.address)?;
        resync::need(work, &row)?;
    }
    Ok(())
}

/// The server has refused it: most often another commit came first, or this one did and the answer was lost. Either way the queue tells.
pub(crate) fn refused(work: &Work<'_>, id: i64, sent: Sent, error: &WireError) -> Result<()> {
    let Some(conversation) = conversation::get(work.db, id)? else {
        return Ok(());
    };
    if !sent.is_present(&conversation) {
        work.wake();
        return Ok(());
    }
    let proving = proof::is_under_way(work, id)?;
    match error.code {
        // The commit that was to prove the state shows that it is another's.
        Code::ChannelLock if proving => proof::refuse(work, id)?,
        Code::ChannelEpoch if proving && error.epoch < conversation.epoch => {
            proof::refuse(work, id)?;
        }
        Code::ChannelUnknown
        | Code::LimitPayload
        | Code::LimitAddresses
        | Code::RequestMalformed
            if proving =>
        {
            proof::by_member_instead(work, &conversation)?;
        }
        Code::ChannelEpoch if error.epoch > conversation.epoch => {
            came_first(work, id)?;
            resync::behind(work, &conversation, error.epoch)?;
        }
        Code::ChannelEpoch if error.epoch < conversation.epoch => {
            channel::fall_back(work, &conversation)?;
        }
        Code::ChannelEpoch => {}
        Code::BlobNeeded => {
            if let Some(staged) = row(work, id)? {
                upload_again(work, &conversation, &staged)?;
            }
        }
        Code::ChannelLock => channel::fall_back(work, &conversation)?,
        Code::ChannelUnknown => channel::unknown(work, &conversation)?,
        Code::LimitPayload | Code::LimitAddresses | Code::RequestMalformed => {
            give_up(work, &conversation)?;
        }
        _ => {}
    }
    work.wake();
    Ok(())
}

/// The server will never take it: what it was to change stays as it is.
fn give_up(work: &Work<'_>, row: &Conversation) -> Result<()> {
    work.group(&row.group, |group| Ok(group.clear_pending(&work.mls)?))?;
    intent::refused(work, row.id)?;
    work.db
        .execute("DELETE FROM commits WHERE conversation = ?1", [row.id])?;
    conversation::notice(work, row.id, &Notice::ChangeNotTaken {})
}

/// The server will never take its body.
pub(crate) fn body_refused(work: &Work<'_>, conversation: i64, blob: &BlobId) -> Result<()> {
    let Some(staged) = row(work, conversation)? else {
        return Ok(());
    };
    if staged.blob_id != blob.as_bytes() {
        return Ok(());
    }
    let found = conversation::load(work.db, conversation)?;
    if proof::is_under_way(work, conversation)? {
        return proof::by_member_instead(work, &found);
    }
    give_up(work, &found)
}

/// A staged commit is void.
fn void(work: &Work<'_>, conversation: i64) -> Result<()> {
    work.db.execute(
        "DELETE FROM commits WHERE conversation = ?1",
        [conversation],
    )?;
    intent::unstage(work, conversation)
}

/// The group was let in anew: a staged commit of the old state is void.
pub(crate) fn void_for_rejoin(work: &Work<'_>, conversation: i64) -> Result<()> {
    void(work, conversation)
}

/// Takes an accepted commit whose body is at hand, or is wrong in a way that all members see alike.
pub(crate) fn process(
    work: &Work<'_>,
    row: &Conversation,
    epoch: u64,
    next_lock: &[u8],
    body: std::result::Result<&[u8], undertone_mls::Violation>,
    place: Place,
) -> Result<()> {
    let outcome = work.group(&row.group, |group| {
        if epoch < group.epoch() {
            return Ok(CommitOutcome::Stale);
        }
        Ok(match body {
            Ok(body) => group.process_commit(&work.mls, epoch, next_lock, body)?,
            Err(violation) => undertone_mls::Group::refused(violation),
        })
    })?;
    let proving = proof::is_under_way(work, row.id)?;
    match outcome {
        CommitOutcome::Merged(merged) => self::merged(work, row, &merged, place),
        CommitOutcome::Removed { .. } if proving => proof::refuse(work, row.id),
        CommitOutcome::Refused(_) if proving => proof::drop_answer(work, row.id),
        CommitOutcome::Removed { by } => {
            ending::removed(work, row, &by)?;
            // A Welcome may have overtaken this.
            early_welcome::try_again(work)
        }
        // All others have what this device misses, and nobody may say anything that would show it that they went on.
        CommitOutcome::Refused(refusal)
            if refusal.violation == undertone_mls::Violation::MissingProposal
                && gaps::are_numbers_missing(work, row)? =>
        {
            resync::need(work, row)
        }
        CommitOutcome::Refused(refusal) => ignored(work, row, &refusal),
        CommitOutcome::Resync(refusal) => {
            if let (undertone_mls::Violation::PathSecrets, Some(account)) =
                (refusal.violation, &refusal.offender)
            {
                let who = conversation::person(work, row.id, account)?;
                conversation::notice(work, row.id, &Notice::ChangeNotUnderstood { who })?;
            }
            resync::need(work, row)
        }
        CommitOutcome::Stale => Ok(()),
        CommitOutcome::Ahead => resync::need(work, row),
    }
}

fn merged(work: &Work<'_>, row: &Conversation, merged: &Merged, place: Place) -> Result<()> {
    let own_address = work.group(&row.group, |group| {
        conversation::refresh(work, row.id, group)?;
        Ok(group.own_address()?)
    })?;
    follow_own_address(work, row, &own_address)?;
    gaps::members_came(work, row, merged, place)?;
    heard::members_came(work, row, merged)?;
    if merged.own {
        work.db
            .execute("DELETE FROM commits WHERE conversation = ?1", [row.id])?;
        intent::fulfilled(work, row.id)?;
        automatic::keep_nothing(work, row, place)?;
    } else if merged.cleared_pending {
        void(work, row.id)?;
    }
    if merged.fallback {
        let current = conversation::load(work.db, row.id)?;
        channel::fall_back(work, &current)?;
    }
    if let Some(welcome) = &merged.welcome {
        let now = conversation::load(work.db, row.id)?;
        let handed_on = HandedOn {
            server_keys: elsewhere::keys_to_hand_on(work, &now)?,
            counters: heard::to_hand_on(work, &now)?,
        };
        let bundle = work.group(&row.group, |group| {
            Ok(group.welcome_bundle(
                &work.mls,
                welcome,
                ChannelPosition {
                    generation: now.generation,
                    channel_id: now.channel,
                    number: now.top_number,
                },
                handed_on,
            )?)
        })?;
        let body = DirectMessage {
            body: Some(direct_message::Body::Welcome(bundle)),
        }
        .encode_to_vec();
        send::push(work, row.id, &body, &welcome.recipients, work.now_ms)?;
    }
    if row.state == State::Joining && merged.own && row.link == 0 {
        conversation::set_state(work, row.id, State::Active)?;
        devices::check(work, row.id)?;
    }
    own_devices_changed(work, row, merged)?;
    profile::look(work, row.id)?;
    invite_told::members_changed(work, row, merged)?;
    super::add::first_commit_merged(work, row)?;
    if row.leaving {
        // The commit did not take the wish to leave along; it is proposed again.
        outbox::push_leave(work, row.id)?;
    }
    work.wake();
    if proof::is_under_way(work, row.id)? {
        return proof::merged(work, row.id, merged, &row.channel);
    }
    changes::tell(work, row, merged, place)
}

/// After a removal the own address has a new name; after an own update it may be another address.
fn follow_own_address(
    work: &Work<'_>,
    row: &Conversation,
    current: &undertone_wire::secrets::AddressSecret,
) -> Result<()> {
    if let Some(known) = address::by_name(work, current.hash().as_bytes())? {
        if known.id != row.address {
            address::assign(work, known.id, row.id)?;
            conversation::set_address(work, row.id, known.id)?;
        }
        return Ok(());
    }
    address::rename(work, row.address, current)
}

/// The commit brought in or took out a device of this account.
fn own_devices_changed(work: &Work<'_>, row: &Conversation, merged: &Merged) -> Result<()> {
    let own = |member: &undertone_mls::Member| member.account == work.me.account;
    if !merged.added.iter().chain(&merged.removed).any(own) {
        return Ok(());
    }
    if row.kind == conversation::Kind::Notes && merged.own {
        // Who lets a device in tells it what the account's devices have in common.
        shared::tell_all_again(work)?;
    }
    devices::check(work, row.id)
}

/// A commit that all members see to be wrong: the group goes on without it, on another channel. Admins are told who made it.
fn ignored(work: &Work<'_>, row: &Conversation, refusal: &Refusal) -> Result<()> {
    super::ignored::note(refusal.violation.code());
    resync::not_behind(work, row)?;
    channel::fall_back(work, row)?;
    let who = match &refusal.offender {
        Some(account) => conversation::person(work, row.id, account)?,
        None => NoticePerson::default(),
    };
    let notice = match refusal.violation {
        undertone_mls::Violation::MayNotAdd
        | undertone_mls::Violation::MayNotRemove
        | undertone_mls::Violation::MayNotChange => Notice::ChangeForbidden { who },
        _ => Notice::ChangeInvalid { who },
    };
    conversation::notice(work, row.id, &notice)
}
