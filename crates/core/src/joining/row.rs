//! The row of a home that is being linked.

use ed25519_dalek::SigningKey;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::{
    DeviceKeys,
    linking::{PairingKeys, PairingPublic, Provisioning, Transcript, device_code},
};
use undertone_wire::{
    hpke::HpkeKeyPair,
    ids::QueueId,
    origin::ServerAddress,
    secrets::{AddressSecret, DeviceCodeKey, Secret},
    strings::DeviceCode,
};
use zeroize::Zeroizing;

use crate::{
    error::{Reason, Result},
    sync::{
        account::{self, Me, NewAccount},
        history,
    },
};

/// As stored (joining.state).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// The code is shown.
    Shown = 1,
    /// The other device has offered its key; this one's is to be revealed.
    Revealing = 2,
    /// Both show the words.
    Compare = 3,
    /// The owner says here that they are the same.
    Confirmed = 4,
    /// The account is here.
    Provisioned = 5,
}

impl State {
    fn from_row(value: i64) -> Self {
        match value {
            1 => Self::Shown,
            2 => Self::Revealing,
            3 => Self::Compare,
            4 => Self::Confirmed,
            _ => Self::Provisioned,
        }
    }
}

/// The row.
pub(crate) struct Joining {
    pub(crate) state: State,
    pub(crate) code: DeviceCode,
    /// Of this device.
    pub(crate) name: String,
    pub(crate) proxy: String,
    pub(crate) queue: QueueId,
    pub(crate) queue_key: SigningKey,
    pub(crate) queue_pair: HpkeKeyPair,
    pub(crate) registered: bool,
    pub(crate) position: u64,
    pub(crate) keys: PairingKeys,
    peer: Option<PairingPublic>,
    reply: Vec<u8>,
    pub(crate) transcript: Option<Transcript>,
    answer: Vec<u8>,
    ready: bool,
    wanted: u32,
    pub(crate) failure: String,
    pub(crate) expires_at_ms: i64,
}

impl Joining {
    /// Where the other device hears this one.
    pub(crate) fn reply(&self) -> Option<AddressSecret> {
        AddressSecret::from_slice(&self.reply).ok()
    }

    /// What the other device answers with.
    pub(crate) fn answer(&self) -> Option<Secret<32>> {
        Secret::from_slice(&self.answer).ok()
    }

    /// The other device's key.
    pub(crate) fn peer(&self) -> Option<&PairingPublic> {
        self.peer.as_ref()
    }

    /// The account is here, and who gave it is to be told where key packages are.
    pub(crate) fn is_to_say_ready(&self) -> bool {
        self.state == State::Provisioned && !self.ready
    }

    /// How many key packages will be needed.
    pub(crate) fn wanted(&self) -> u32 {
        self.wanted.saturating_add(4)
    }
}

/// What is under way in this home.
pub(crate) fn get(db: &Connection) -> Result<Option<Joining>> {
    let found = db
        .query_row(
            "SELECT state, code, name, proxy, queue_id, queue_key, queue_private, queue_public, registered, position, private, public, nonce,
                peer_public, peer_nonce, reply, transcript, answer, ready, wanted, failure, expires_at_ms FROM joining WHERE id = 1",
            [],
            |row| {
                let bytes = |index| row.get::<_, Vec<u8>>(index).map(Zeroizing::new);
                Ok((
                    (row.get::<_, i64>(0)?, Zeroizing::new(row.get::<_, String>(1)?), row.get(2)?, row.get(3)?),
                    (bytes(4)?, bytes(5)?, bytes(6)?, bytes(7)?, row.get(8)?, row.get(9)?),
                    (bytes(10)?, bytes(11)?, bytes(12)?, bytes(13)?, bytes(14)?),
                    (row.get(15)?, bytes(16)?, row.get(17)?, row.get(18)?, row.get(19)?, row.get(20)?, row.get(21)?),
                ))
            },
        )
        .optional()?;
    let Some((what, queue, pairing, rest)) = found else {
        return Ok(None);
    };
    let (state, code, name, proxy) = what;
    let (queue_id, queue_key, queue_private, queue_public, registered, position) = queue;
    let (private, public, nonce, peer_public, peer_nonce) = pairing;
    let (reply, transcript, answer, ready, wanted, failure, expires_at_ms) = rest;
    let queue_key = Secret::<32>::from_slice(&queue_key)?;
    Ok(Some(Joining {
        state: State::from_row(state),
        code: code.parse()?,
        name,
        proxy,
        queue: QueueId::from_slice(&queue_id)?,
        queue_key: SigningKey::from_bytes(queue_key.expose()),
        queue_pair: HpkeKeyPair::from_parts(&queue_private, &queue_public)?,
        registered,
        position,
        keys: PairingKeys::from_parts(&private, &public, &nonce)?,
        peer: if peer_public.is_empty() {
            None
        } else {
            Some(PairingPublic::from_parts(&peer_public, &peer_nonce)?)
        },
        reply,
        transcript: if transcript.is_empty() {
            None
        } else {
            Some(Transcript::from_slice(&transcript)?)
        },
        answer,
        ready,
        wanted,
        failure,
        expires_at_ms,
    }))
}

/// Makes a code, and everything behind it.
pub(crate) fn begin(
    db: &Connection,
    server: ServerAddress,
    name: &str,
    proxy: &str,
    expires_at_ms: i64,
) -> Result<()> {
    let keys = PairingKeys::generate()?;
    let expires_s = u64::try_from(expires_at_ms / 1000).unwrap_or(0);
    let code = device_code(
        server,
        AddressSecret::random(),
        DeviceCodeKey::random(),
        &keys,
        expires_s,
    );
    let queue_pair = HpkeKeyPair::generate()?;
    let public = keys.public();
    db.execute(
        "INSERT INTO joining (id, state, code, name, proxy, queue_id, queue_key, queue_private, queue_public, registered, position, private,
            public, nonce, peer_public, peer_nonce, reply, transcript, answer, ready, wanted, failure, expires_at_ms)
         VALUES (1, 1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, ?9, ?10, x'', x'', x'', x'', x'', 0, 0, '', ?11)",
        params![
            code.to_string(),
            name,
            proxy,
            QueueId::random().as_bytes(),
            Secret::<32>::random().expose(),
            queue_pair.private().expose(),
            queue_pair.public().as_bytes(),
            keys.private().expose(),
            public.key.as_bytes(),
            public.nonce,
            expires_at_ms
        ],
    )?;
    Ok(())
}

/// The server has the temporary queue.
pub(super) fn registered(db: &Connection) -> Result<()> {
    db.execute("UPDATE joining SET registered = 1", [])?;
    Ok(())
}

/// Items up to this one count.
pub(super) fn set_position(db: &Connection, sequence: u64) -> Result<()> {
    db.execute("UPDATE joining SET position = ?1", [sequence])?;
    Ok(())
}

/// The other device offers its key. The first offer counts.
pub(super) fn offered(
    db: &Connection,
    row: &Joining,
    peer: &PairingPublic,
    reply: &AddressSecret,
) -> Result<()> {
    let transcript = Transcript::new(&row.code, peer, &row.keys.public())?;
    db.execute(
        "UPDATE joining SET state = 2, peer_public = ?1, peer_nonce = ?2, reply = ?3, transcript = ?4 WHERE state = 1",
        params![
            peer.key.as_bytes(),
            peer.nonce,
            reply.expose(),
            transcript.as_bytes()
        ],
    )?;
    Ok(())
}

/// The server has what this device revealed.
pub(super) fn revealed(db: &Connection) -> Result<()> {
    db.execute("UPDATE joining SET state = 3 WHERE state = 2", [])?;
    Ok(())
}

/// The owner says that the words are the same.
pub(crate) fn confirm(db: &Connection) -> Result<()> {
    db.execute(
        "UPDATE joining SET state = 4, answer = ?1 WHERE state = 3",
        [Secret::<32>::random().expose()],
    )?;
    Ok(())
}

/// The account is here: from now on this is one of its devices.
pub(super) fn provisioned(
    db: &Connection,
    row: &Joining,
    account: Provisioning,
    now_ms: i64,
) -> Result<()> {
    let keys = DeviceKeys::generate(
        &account.signing_key,
        u64::try_from(now_ms / 1000).unwrap_or(0),
    );
    let me = Me::new(
        keys,
        account.name,
        row.code.server.clone(),
        QueueId::random(),
        Secret::random(),
    );
    account::create(
        db,
        &NewAccount {
            me: &me,
            signing_key: &account.signing_key.to_secret_bytes(),
            // It comes with what the devices share.
            backup_key: &[],
            invitation: &account.invitation,
            proxy: &row.proxy,
            now_ms,
        },
    )?;
    history::leave_room(db)?;
    db.execute(
        "UPDATE joining SET state = 5, wanted = ?1 WHERE state = 4",
        [account.conversations],
    )?;
    Ok(())
}

/// It comes to nothing.
pub(super) fn fail(db: &Connection, reason: Reason) -> Result<()> {
    db.execute(
        "UPDATE joining SET failure = ?1 WHERE state < 5",
        [reason.code()],
    )?;
    Ok(())
}

/// The device that gave the account will hear where key packages are.
pub(crate) fn said_ready(db: &Connection) -> Result<()> {
    db.execute("UPDATE joining SET ready = 1", [])?;
    Ok(())
}

/// It is done.
pub(crate) fn forget(db: &Connection) -> Result<()> {
    db.execute("DELETE FROM joining", [])?;
    Ok(())
}
