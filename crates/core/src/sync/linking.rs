//! Linking another device: this device's side of it, as the old one and, once it has the account, as the new one. The words between them
//! are `undertone_mls::linking`'s; what the new device does before it has an account is [`crate::joining`]'s.
//!
//! One row, one transaction for each event, so that it goes on after a crash wherever it stood. Nothing of the account is sent before
//! this device's owner has said that the words are the same, and the other device has said so too.

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::{
    DeviceSigningKey,
    linking::{
        LinkMessage, LinkPool, LinkSide, PairingKeys, PairingPublic, Provisioning, Transcript,
        open_message, open_pool, seal_message, seal_pool,
    },
};
use undertone_wire::{
    client_proto::{DirectMessage, direct_message},
    ids::{random_bytes, sha256},
    secrets::{AddressSecret, DeviceCodeKey, Secret},
    strings::DeviceCode,
};
use zeroize::Zeroizing;

use super::{
    Work,
    address::{self, Address, Kind},
    change::Change,
    devices::{self, Device},
    history, send, shared,
    take::Source,
};
use crate::{
    error::{Reason, Result},
    joining,
};

/// A device that was given the account must say so within this time.
/// That is also the longest that anything waits here: a code that is taken counts for less.
pub(crate) const LONGEST_MS: i64 = 2 * 24 * 3600 * 1000;

/// As stored (linking.state).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    ToOffer = 1,
    Offered = 2,
    Compare = 3,
    Confirmed = 4,
    ToProvision = 5,
    Provisioned = 6,
}

impl State {
    fn from_row(value: i64) -> Self {
        match value {
            1 => Self::ToOffer,
            2 => Self::Offered,
            3 => Self::Compare,
            4 => Self::Confirmed,
            5 => Self::ToProvision,
            _ => Self::Provisioned,
        }
    }
}

/// The row.
pub(crate) struct Linking {
    pub(crate) state: State,
    code: DeviceCode,
    keys: PairingKeys,
    peer: Option<PairingPublic>,
    transcript: Option<Transcript>,
    reply: i64,
    answer: Option<Secret<32>>,
    invitation: Vec<u8>,
    invitation_told: bool,
    pub(crate) name: String,
    pub(crate) failure: String,
    pub(crate) expires_at_ms: i64,
}

impl Linking {
    /// What both sides show, once both have shown their keys.
    pub(crate) fn words(&self) -> Option<String> {
        self.transcript.as_ref().map(Transcript::words)
    }
}

struct Raw {
    state: i64,
    code: Zeroizing<String>,
    private: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
    nonce: Vec<u8>,
    peer_public: Vec<u8>,
    peer_nonce: Vec<u8>,
    transcript: Vec<u8>,
    reply: i64,
    answer: Zeroizing<Vec<u8>>,
    invitation: Vec<u8>,
    invitation_told: bool,
    name: String,
    failure: String,
    expires_at_ms: i64,
}

/// What is under way, or how the last one ended.
pub(crate) fn get(db: &Connection) -> Result<Option<Linking>> {
    let raw = db
        .query_row(
            "SELECT state, code, private, public, nonce, peer_public, peer_nonce, transcript, reply, answer, invitation, invitation_told, name,
                failure, expires_at_ms FROM linking WHERE id = 1",
            [],
            |row| {
                Ok(Raw {
                    state: row.get(0)?,
                    code: Zeroizing::new(row.get(1)?),
                    private: Zeroizing::new(row.get(2)?),
                    public: row.get(3)?,
                    nonce: row.get(4)?,
                    peer_public: row.get(5)?,
                    peer_nonce: row.get(6)?,
                    transcript: row.get(7)?,
                    reply: row.get(8)?,
                    answer: Zeroizing::new(row.get(9)?),
                    invitation: row.get(10)?,
                    invitation_told: row.get(11)?,
                    name: row.get(12)?,
                    failure: row.get(13)?,
                    expires_at_ms: row.get(14)?,
                })
            },
        )
        .optional()?;
    let Some(raw) = raw else { return Ok(None) };
    Ok(Some(Linking {
        state: State::from_row(raw.state),
        code: raw.code.parse()?,
        keys: PairingKeys::from_parts(&raw.private, &raw.public, &raw.nonce)?,
        peer: if raw.peer_public.is_empty() {
            None
        } else {
            Some(PairingPublic::from_parts(
                &raw.peer_public,
                &raw.peer_nonce,
            )?)
        },
        transcript: if raw.transcript.is_empty() {
            None
        } else {
            Some(Transcript::from_slice(&raw.transcript)?)
        },
        reply: raw.reply,
        answer: if raw.answer.is_empty() {
            None
        } else {
            Some(Secret::from_slice(&raw.answer)?)
        },
        invitation: raw.invitation,
        invitation_told: raw.invitation_told,
        name: raw.name,
        failure: raw.failure,
        expires_at_ms: raw.expires_at_ms,
    }))
}

/// The one that is under way.
fn under_way(work: &Work<'_>) -> Result<Option<Linking>> {
    Ok(get(work.db)?.filter(|row| row.failure.is_empty()))
}

/// Whether this device links another one, and it has not failed.
pub(crate) fn is_under_way(work: &Work<'_>) -> Result<bool> {
    Ok(under_way(work)?.is_some())
}

fn set_state(work: &Work<'_>, state: State) -> Result<()> {
    work.db
        .execute("UPDATE linking SET state = ?1 WHERE id = 1", [state as i64])?;
    work.tell(Change::Linking);
    work.wake();
    Ok(())
}

/// Takes the code that a new device shows. `history`: whether it is to have what was said before.
pub(crate) fn begin(work: &Work<'_>, text: &str, history: bool) -> Result<()> {
    let code: DeviceCode = text.parse().map_err(|_| Reason::LinkingInvalid)?;
    if code.server != work.me.server {
        return Err(Reason::LinkingOtherServer.into());
    }
    let expires_at_ms = i64::try_from(code.expires_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    if expires_at_ms <= work.now_ms {
        return Err(Reason::LinkingExpired.into());
    }
    if let Some(row) = under_way(work)? {
        return if row.code == code {
            Ok(())
        } else {
            Err(Reason::LinkingBusy.into())
        };
    }
    if devices::in_use(work)? >= undertone_mls::DEVICES_OF_ACCOUNT {
        return Err(Reason::LinkingTooMany.into());
    }
    forget(work)?;
    let keys = PairingKeys::generate()?;
    let public = keys.public();
    let reply = address::create(work, Kind::KeyPackage, 0)?;
    work.db.execute(
        "INSERT INTO linking (id, state, code, private, public, nonce, peer_public, peer_nonce, transcript, reply, answer, invitation,
            invitation_told, name, history, failure, expires_at_ms)
         VALUES (1, 1, ?1, ?2, ?3, ?4, x'', x'', x'', ?5, x'', x'', 0, '', ?6, '', ?7)",
        params![
            code.to_string(),
            keys.private().expose(),
            public.key.as_bytes(),
            public.nonce,
            reply.id,
            history,
            expires_at_ms
        ],
    )?;
    work.tell(Change::Linking);
    work.wake();
    Ok(())
}

/// Says that the words are the same here.
pub(crate) fn confirm(work: &Work<'_>) -> Result<()> {
    let row = under_way(work)?.ok_or(Reason::LinkingNone)?;
    match row.state {
        State::ToOffer | State::Offered => Err(Reason::LinkingEarly.into()),
        State::Compare if row.answer.is_some() => to_provision(work),
        State::Compare => set_state(work, State::Confirmed),
        State::Confirmed | State::ToProvision | State::Provisioned => Ok(()),
    }
}

/// Ends it: the words differ, or it is not wanted any more. A device that was given the account already is removed like any other.
pub(crate) fn cancel(work: &Work<'_>) -> Result<()> {
    let Some(row) = get(work.db)? else {
        return Err(Reason::LinkingNone.into());
    };
    if row.failure.is_empty() && row.state < State::Provisioned {
        say(work, &row, &LinkMessage::End)?;
    }
    forget(work)
}

/// Leaves nothing of it.
fn forget(work: &Work<'_>) -> Result<()> {
    let reply: Option<i64> = work
        .db
        .query_row("DELETE FROM linking RETURNING reply", [], |row| row.get(0))
        .optional()?;
    if let Some(reply) = reply {
        address::revoke(work, reply)?;
        work.tell(Change::Linking);
    }
    Ok(())
}

/// It comes to nothing: why is kept until somebody looks, and nothing else. What was to be secret is overwritten by keys of nothing.
fn fail(work: &Work<'_>, row: &Linking, reason: Reason) -> Result<()> {
    address::revoke(work, row.reply)?;
    let keys = PairingKeys::generate()?;
    let public = keys.public();
    let code = DeviceCode {
        server: work.me.server.clone(),
        address: AddressSecret::random(),
        key: DeviceCodeKey::random(),
        commitment: public.commitment(),
        expires_s: 0,
    };
    work.db.execute(
        "UPDATE linking SET failure = ?1, code = ?2, private = ?3, public = ?4, nonce = ?5, peer_public = x'', peer_nonce = x'',
            transcript = x'', answer = x'', invitation = x'' WHERE id = 1",
        params![
            reason.code(),
            code.to_string(),
            keys.private().expose(),
            public.key.as_bytes(),
            public.nonce
        ],
    )?;
    work.tell(Change::Linking);
    Ok(())
}

fn say(work: &Work<'_>, row: &Linking, message: &LinkMessage) -> Result<()> {
    let sealed = seal_message(&row.code.key, LinkSide::Old, message)?;
    push(work, sealed, row.code.address.duplicate())
}

fn push(work: &Work<'_>, sealed: Vec<u8>, to: AddressSecret) -> Result<()> {
    let body = DirectMessage {
        body: Some(direct_message::Body::Linking(sealed.into())),
    }
    .encode_to_vec();
    send::push(work, 0, &body, &[to], work.now_ms)
}

/// Goes on where it can. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    tell_ready(work)?;
    let Some(row) = under_way(work)? else {
        return Ok(());
    };
    if row.expires_at_ms <= work.now_ms {
        return fail(work, &row, Reason::LinkingExpired);
    }
    match row.state {
        // The answer must find its way.
        State::ToOffer if address::is_made(work, row.reply)? => {
            let Some(reply) = address::get(work, row.reply)? else {
                return fail(work, &row, Reason::LinkingExpired);
            };
            let offer = LinkMessage::Offer {
                public: row.keys.public(),
                reply: reply.secret,
            };
            say(work, &row, &offer)?;
            set_state(work, State::Offered)
        }
        State::ToProvision if row.invitation_told => provision(work, &row),
        _ => Ok(()),
    }
}

fn to_provision(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "UPDATE linking SET invitation = ?1 WHERE id = 1 AND invitation = x''",
        [random_bytes::<16>()],
    )?;
    set_state(work, State::ToProvision)
}

/// The hash of the code that the new device will register with, if the server has to be told of it.
pub(crate) fn to_invite(work: &Work<'_>) -> Result<Option<[u8; 32]>> {
    let invitation: Option<Vec<u8>> = work
        .db
        .prepare_cached(
            "SELECT invitation FROM linking WHERE state = 5 AND invitation_told = 0 AND failure = ''",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(invitation.map(|code| sha256(&code)))
}

/// The server has it.
pub(crate) fn invited(work: &Work<'_>) -> Result<()> {
    work.db
        .execute("UPDATE linking SET invitation_told = 1 WHERE id = 1", [])?;
    work.wake();
    Ok(())
}

/// The server makes no more today.
pub(crate) fn not_invited(work: &Work<'_>) -> Result<()> {
    match under_way(work)? {
        Some(row) => {
            say(work, &row, &LinkMessage::End)?;
            fail(work, &row, Reason::LinkingNoInvitation)
        }
        None => Ok(()),
    }
}

fn provision(work: &Work<'_>, row: &Linking) -> Result<()> {
    let (Some(transcript), Some(peer), Some(answer)) = (&row.transcript, &row.peer, &row.answer)
    else {
        return Err(Reason::StateBroken.into());
    };
    let (signing_key, conversations): (Zeroizing<Vec<u8>>, u32) = work.db.query_row(
        "SELECT signing_key, (SELECT count(*) FROM conversations WHERE state IN (1, 2, 3)) FROM account WHERE id = 1",
        [],
        |found| Ok((Zeroizing::new(found.get(0)?), found.get(1)?)),
    )?;
    let account = Provisioning {
        signing_key: DeviceSigningKey::from_secret_bytes(&signing_key)?,
        name: work.me.name(),
        invitation: row.invitation[..]
            .try_into()
            .map_err(|_| Reason::StateBroken)?,
        conversations,
    };
    let sealed = transcript.seal_provisioning(peer, answer, &account)?;
    say(work, row, &LinkMessage::Provision(sealed))?;
    work.db.execute(
        "UPDATE linking SET invitation = x'', expires_at_ms = ?1 WHERE id = 1",
        [work.now_ms + LONGEST_MS],
    )?;
    // There is a group for the two from now on, and this device is one of several.
    devices::make_own_group(work)?;
    devices::enter_self(work, "", 0)?;
    shared::fill(work)?;
    set_state(work, State::Provisioned)
}

/// Something came to the address where a new device answers.
pub(crate) fn came(work: &Work<'_>, address: &Address, sealed: &[u8]) -> Result<()> {
    let Some(row) = under_way(work)?.filter(|row| row.reply == address.id) else {
        return Ok(());
    };
    // What is not from whoever read the code is nothing.
    let Ok(message) = open_message(&row.code.key, LinkSide::New, sealed) else {
        return Ok(());
    };
    match message {
        LinkMessage::Reveal {
            public,
            device_name,
        } if row.state == State::Offered => {
            let Ok(transcript) = Transcript::new(&row.code, &row.keys.public(), &public) else {
                say(work, &row, &LinkMessage::End)?;
                return fail(work, &row, Reason::LinkingForged);
            };
            work.db.execute(
                "UPDATE linking SET peer_public = ?1, peer_nonce = ?2, transcript = ?3, name = ?4 WHERE id = 1",
                params![
                    public.key.as_bytes(),
                    public.nonce,
                    transcript.as_bytes(),
                    device_name
                ],
            )?;
            set_state(work, State::Compare)
        }
        LinkMessage::Confirm(sealed)
            if matches!(row.state, State::Compare | State::Confirmed) && row.answer.is_none() =>
        {
            let Some(Ok(answer)) = row
                .transcript
                .as_ref()
                .map(|transcript| transcript.open_confirm(&row.keys, &sealed))
            else {
                return Ok(());
            };
            work.db.execute(
                "UPDATE linking SET answer = ?1 WHERE id = 1",
                [answer.expose()],
            )?;
            if row.state == State::Confirmed {
                to_provision(work)?;
            }
            Ok(())
        }
        LinkMessage::Ready(sealed) if row.state == State::Provisioned => {
            let Some(Ok(pool)) = row.answer.as_ref().map(|answer| open_pool(answer, &sealed))
            else {
                return Ok(());
            };
            devices::put(
                work,
                &Device {
                    id: pool.device,
                    name: row.name.clone(),
                    source: Some(Source {
                        secret: pool.address,
                        kp_key: pool.kp_key,
                    }),
                    in_use: true,
                    added_at_ms: work.now_ms,
                    stale: false,
                },
            )?;
            if with_history(work.db)? {
                history::begin(work, &pool.device)?;
            }
            // It is here, whoever else would be first to let it in.
            work.db
                .execute("UPDATE device_checks SET not_before_ms = ?1", [work.now_ms])?;
            forget(work)
        }
        LinkMessage::End if row.state < State::Provisioned => {
            fail(work, &row, Reason::LinkingRefused)
        }
        _ => Ok(()),
    }
}

/// Whether the new device is to have what was said before.
fn with_history(db: &Connection) -> Result<bool> {
    Ok(db
        .prepare("SELECT 1 FROM linking WHERE history = 1")?
        .exists([])?)
}

/// As the new device: once its key packages are there, says so to the device that gave it the account.
fn tell_ready(work: &Work<'_>) -> Result<()> {
    let Some(row) = joining::get(work.db)?.filter(joining::Joining::is_to_say_ready) else {
        return Ok(());
    };
    devices::enter_self(work, &row.name, row.wanted())?;
    let Some(source) = devices::is_published(work)? else {
        return Ok(());
    };
    let (Some(reply), Some(answer)) = (row.reply(), row.answer()) else {
        return Err(Reason::StateBroken.into());
    };
    let pool = LinkPool {
        device: work.me.device,
        address: source.secret,
        kp_key: source.kp_key,
    };
    let ready = LinkMessage::Ready(seal_pool(&answer, &pool)?);
    let sealed = seal_message(&row.code.key, LinkSide::New, &ready)?;
    push(work, sealed, reply)?;
    joining::said_ready(work.db)
}

/// As the new device: it is in the account's own group. What linked it is over.
pub(crate) fn is_in(work: &Work<'_>) -> Result<()> {
    joining::forget(work.db)?;
    work.tell(Change::Devices);
    Ok(())
}
