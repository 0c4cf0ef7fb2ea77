//! What an open account does so that it can be wiped from afar: the kill code and who has which of its slots, which the account's devices
//! have in common (`shared`); the key that this device signs commands to the others with; and its custodians.
//!
//! From that follows a [`Plan`] of what the sentinel has to hold. The driver brings the sentinel in line with it, and what is on the server
//! in line with the sentinel.
//!
//! What must stay true: the words are kept nowhere; a device that was removed is obeyed by none; a custodian is never taken off the list.

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{
    DeviceId,
    kill::{Generation, KillCode, KillSeed, KillSigner, SLOTS, Slot},
};
use undertone_wire::{
    custodian::CustodianKey,
    ids::{QueueId, random_bytes, sha256},
    secrets::Secret,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    Work, account,
    change::Change,
    devices, heartbeat,
    shared::{self, Kind},
};
use crate::{
    error::{Reason, Result},
    kill::section::{Place, Post, State, fingerprint},
    view::SettingsPart,
};

/// The account's kill code, as its devices have it in common.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct SharedCode {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) seed: Vec<u8>,
    /// The how manieth code of the account it is.
    #[prost(uint32, tag = "3")]
    pub(crate) generation: u32,
    #[prost(int64, tag = "4")]
    pub(crate) made_at_ms: i64,
}

impl Drop for SharedCode {
    fn drop(&mut self) {
        self.seed.zeroize();
    }
}

/// A device's place.
#[derive(Clone, PartialEq, prost::Message)]
struct SharedPlace {
    /// What the device signs commands to the others with.
    #[prost(bytes = "vec", tag = "1")]
    signer: Vec<u8>,
    /// The code that the slot is of.
    #[prost(bytes = "vec", tag = "2")]
    of: Vec<u8>,
    #[prost(uint32, tag = "3")]
    number: u32,
    #[prost(bytes = "vec", tag = "4")]
    generation: Vec<u8>,
    /// Whether heartbeats of the other devices count there.
    #[prost(bool, tag = "5")]
    wants_heartbeats: bool,
}

/// A device's place, read.
pub(crate) struct Sibling {
    pub(crate) device: DeviceId,
    signer: [u8; 32],
    of: Vec<u8>,
    pub(crate) number: u32,
    pub(crate) generation: Generation,
    pub(crate) wants_heartbeats: bool,
}

/// A custodian.
pub(crate) struct Custodian {
    pub(crate) key: CustodianKey,
    pub(crate) slot: Secret<32>,
    pub(crate) accepted_at_ms: i64,
}

/// What the sentinel has to hold for this account.
pub(crate) struct Plan {
    pub(crate) queue: QueueId,
    server: String,
    proxy: String,
    name: String,
    invitation: Vec<u8>,
    code: Option<CodePlan>,
    custodians: Vec<([u8; 32], Zeroizing<Vec<u8>>)>,
}

struct CodePlan {
    public_key: [u8; 32],
    seed: KillSeed,
    /// Whom this device obeys in its slot.
    signers: Vec<[u8; 32]>,
    /// Numbers that other devices have.
    taken: Vec<u32>,
}

struct Row {
    queue: QueueId,
    signing_key: Secret<32>,
    invitation: Vec<u8>,
    told: bool,
}

fn row(work: &Work<'_>) -> Result<Option<Row>> {
    let found = work
        .one(
            "SELECT queue_id, signing_key, invitation, invitation_told FROM kill WHERE id = 1",
            [],
            |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    Zeroizing::new(row.get::<_, Vec<u8>>(1)?),
                    row.get::<_, Vec<u8>>(2)?,
                    row.get::<_, bool>(3)?,
                ))
            },
        )
        .optional()?;
    let Some((queue, signing_key, invitation, told)) = found else {
        return Ok(None);
    };
    Ok(Some(Row {
        queue: QueueId::from_slice(&queue)?,
        signing_key: Secret::from_slice(&signing_key)?,
        invitation,
        told,
    }))
}

fn make_row(work: &Work<'_>) -> Result<Row> {
    if let Some(row) = row(work)? {
        return Ok(row);
    }
    work.db.execute(
        "INSERT INTO kill (id, queue_id, signing_key, invitation, invitation_told) VALUES (1, ?1, ?2, x'', 0)",
        params![
            QueueId::random().as_bytes(),
            KillSigner::generate().to_secret().expose()
        ],
    )?;
    row(work)?.ok_or_else(|| Reason::StateBroken.into())
}

/// The name of this device's post in the sentinel, whether it is there or not.
pub(crate) fn queue(work: &Work<'_>) -> Result<QueueId> {
    Ok(make_row(work)?.queue)
}

/// The server has a queue of that name under other keys: from now on it is another one.
pub(crate) fn new_queue(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "UPDATE kill SET queue_id = ?1, invitation = x'', invitation_told = 0 WHERE id = 1",
        [QueueId::random().as_bytes()],
    )?;
    Ok(())
}

/// What this device signs commands to the others with.
pub(crate) fn signer(work: &Work<'_>) -> Result<KillSigner> {
    Ok(KillSigner::from_secret(&make_row(work)?.signing_key))
}

fn entry(work: &Work<'_>, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
    Ok(work
        .db
        .prepare_cached("SELECT value FROM shared WHERE key = ?1")?
        .query_row([key], |row| row.get(0).map(Zeroizing::new))
        .optional()?)
}

/// The account's kill code.
pub(crate) fn code(work: &Work<'_>) -> Result<Option<SharedCode>> {
    let value = entry(work, &shared::key(Kind::KillCode, &[]))?;
    Ok(value.and_then(|value| SharedCode::decode(&value[..]).ok()))
}

/// The seed of a code.
pub(crate) fn seed(code: &SharedCode) -> Result<KillSeed> {
    Ok(KillSeed::from_slice(&code.seed)?)
}

/// Makes a kill code; the one before it, if there was one, ends. The words are the caller's to show, once.
pub(crate) fn new_code(work: &Work<'_>) -> Result<Zeroizing<String>> {
    let words = KillCode::generate()?;
    let generation = code(work)?.map_or(0, |before| before.generation);
    let entry = SharedCode {
        public_key: words.signer().public().to_vec(),
        seed: words.seed().expose().to_vec(),
        generation: generation.saturating_add(1),
        made_at_ms: work.now_ms,
    };
    shared::put_value(work, Kind::KillCode, &[], &entry)?;
    make_row(work)?;
    work.tell(Change::Devices);
    work.tell(Change::Settings(SettingsPart::Kill));
    work.wake();
    Ok(Zeroizing::new(words.words().to_owned()))
}

/// The account's other devices that can be sent a command, those that were removed left out.
pub(crate) fn siblings(work: &Work<'_>) -> Result<Vec<Sibling>> {
    let from = shared::key(Kind::KillPlace, &[]);
    let to = shared::key(Kind::KillPlace, &[&[0xff; 17]]);
    let mut statement = work
        .db
        .prepare_cached("SELECT key, value FROM shared WHERE key > ?1 AND key < ?2")?;
    let found = statement
        .query_map([from, to], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    for (key, value) in found {
        let (Ok(device), Ok(place)) = (
            DeviceId::from_slice(key.get(1..).unwrap_or_default()),
            SharedPlace::decode(&value[..]),
        ) else {
            continue;
        };
        let (Ok(signer), Ok(generation)) =
            (place.signer[..].try_into(), place.generation[..].try_into())
        else {
            continue;
        };
        let in_use = device != work.me.device && devices::is_in_use(work, &device)?;
        if in_use && place.number < SLOTS {
            all.push(Sibling {
                device,
                signer,
                of: place.of,
                number: place.number,
                generation,
                wants_heartbeats: place.wants_heartbeats,
            });
        }
    }
    Ok(all)
}

impl Sibling {
    /// Whether it has taken a slot of this code.
    pub(crate) fn is_of(&self, code: &SharedCode) -> bool {
        code.public_key[..]
            .try_into()
            .is_ok_and(|key| fingerprint(key) == self.of)
    }
}

/// Custodians, in the order in which they were accepted.
pub(crate) fn custodians(work: &Work<'_>) -> Result<Vec<Custodian>> {
    let mut statement = work.db.prepare_cached(
        "SELECT public_key, name, slot, accepted_at_ms FROM custodians ORDER BY accepted_at_ms, public_key",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, [u8; 32]>(0)?,
                row.get::<_, String>(1)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(2)?),
                row.get::<_, i64>(3)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(public_key, name, slot, accepted_at_ms)| {
            Ok(Custodian {
                key: CustodianKey { name, public_key },
                slot: Secret::from_slice(&slot)?,
                accepted_at_ms,
            })
        })
        .collect()
}

/// Custodians at most, so that the sentinel holds them.
const CUSTODIANS: usize = 4;

/// The owner lets a custodian wipe this device. Doing it again changes nothing. Answers the slot that is theirs, and what the device is
/// called.
pub(crate) fn accept(work: &Work<'_>, key: &CustodianKey) -> Result<(Secret<32>, String)> {
    let name = own_name(work)?;
    let known = custodians(work)?;
    if let Some(custodian) = known
        .iter()
        .find(|known| known.key.public_key == key.public_key)
    {
        return Ok((custodian.slot.duplicate(), name));
    }
    if known.len() >= CUSTODIANS {
        return Err(Reason::KillFull.into());
    }
    let slot = Slot::random();
    work.db.execute(
        "INSERT INTO custodians (public_key, name, slot, accepted_at_ms) VALUES (?1, ?2, ?3, ?4)",
        params![
            key.public_key,
            key.name,
            slot.secret().expose(),
            work.now_ms
        ],
    )?;
    make_row(work)?;
    work.tell(Change::Devices);
    work.tell(Change::Settings(SettingsPart::Kill));
    work.wake();
    Ok((slot.secret().duplicate(), name))
}

fn own_name(work: &Work<'_>) -> Result<String> {
    let own = devices::get(work.db, &work.me.device)?;
    Ok(own.map(|device| device.name).unwrap_or_default())
}

/// What the sentinel has to hold; None: nothing was ever asked for.
pub(crate) fn plan(work: &Work<'_>) -> Result<Option<Plan>> {
    let code = code(work)?;
    let custodians = custodians(work)?;
    if code.is_none() && custodians.is_empty() {
        return Ok(None);
    }
    let row = make_row(work)?;
    let code = code
        .map(|code| -> Result<_> {
            let public_key: [u8; 32] = code.public_key[..]
                .try_into()
                .map_err(|_| Reason::StateBroken)?;
            let siblings = siblings(work)?;
            let mut signers = vec![public_key];
            signers.extend(siblings.iter().map(|sibling| sibling.signer));
            Ok(CodePlan {
                seed: seed(&code)?,
                taken: siblings
                    .iter()
                    .filter(|sibling| sibling.of == fingerprint(&public_key))
                    .map(|sibling| sibling.number)
                    .collect(),
                public_key,
                signers,
            })
        })
        .transpose()?;
    Ok(Some(Plan {
        queue: row.queue,
        server: work.me.server.to_string(),
        proxy: account::proxy(work.db)?,
        name: own_name(work)?,
        invitation: if row.told { row.invitation } else { Vec::new() },
        code,
        custodians: custodians
            .into_iter()
            .map(|custodian| (custodian.key.public_key, custodian.slot.to_zeroizing()))
            .collect(),
    }))
}

impl Plan {
    /// Brings the sentinel's state in line; `tried` are numbers that the server says others have. Answers false if all numbers are taken.
    pub(crate) fn apply(&self, state: &mut State, tried: &[u32], now_s: i64) -> Result<bool> {
        if !state
            .posts
            .iter()
            .any(|post| post.queue == self.queue.as_bytes())
        {
            let server = self.server.parse()?;
            state.posts.push(Post::new(self.queue, &server, now_s));
        }
        let Some(post) = state
            .posts
            .iter_mut()
            .find(|post| post.queue == self.queue.as_bytes())
        else {
            return Err(Reason::StateBroken.into());
        };
        post.server.clone_from(&self.server);
        post.proxy.clone_from(&self.proxy);
        if post.name != self.name {
            post.name.clone_from(&self.name);
            for place in &mut post.places {
                place.published = false;
            }
        }
        if !post.registered && post.invitation.is_empty() {
            post.invitation.clone_from(&self.invitation);
        }
        for (key, secret) in &self.custodians {
            let of = fingerprint(key);
            if !post
                .places
                .iter()
                .any(|place| !place.owner && place.of == of)
            {
                let mut place = Place {
                    of,
                    secret: secret.to_vec(),
                    generation: Slot::generation().to_vec(),
                    ..Place::default()
                };
                place.set_signers(&[*key]);
                post.places.push(place);
            }
        }
        match &self.code {
            Some(code) => code.apply(post, tried),
            None => Ok(true),
        }
    }
}

impl CodePlan {
    fn apply(&self, post: &mut Post, tried: &[u32]) -> Result<bool> {
        let of = fingerprint(&self.public_key);
        // A place of a code that has ended, or whose number another device has.
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut post.places)
                .into_iter()
                .partition(|place| {
                    let lost = !place.claimed && tried.contains(&place.number);
                    !place.owner || (place.of == of && !lost)
                });
        post.places = stay;
        for place in go.iter().filter(|place| place.claimed) {
            let name = place.slot()?.address().hash();
            post.revoke.push(name.as_bytes().to_vec());
        }
        if let Some(place) = post.places.iter_mut().find(|place| place.owner) {
            place.set_signers(&self.signers);
            return Ok(true);
        }
        let free =
            (0..SLOTS).find(|number| !self.taken.contains(number) && !tried.contains(number));
        let Some(number) = free else { return Ok(false) };
        let mut place = Place {
            of,
            secret: self.seed.slot(number).secret().expose().to_vec(),
            generation: Slot::generation().to_vec(),
            owner: true,
            number,
            ..Place::default()
        };
        place.set_signers(&self.signers);
        post.places.insert(0, place);
        Ok(true)
    }
}

/// The others are told which slot this device has, and whom they are to obey.
pub(crate) fn tell_place(work: &Work<'_>, post: &Post) -> Result<()> {
    let (Some(place), Some(row)) = (
        post.places
            .iter()
            .find(|place| place.owner && place.claimed),
        row(work)?,
    ) else {
        return Ok(());
    };
    let entry = SharedPlace {
        signer: KillSigner::from_secret(&row.signing_key).public().to_vec(),
        of: place.of.clone(),
        number: place.number,
        generation: place.generation.clone(),
        wants_heartbeats: heartbeat::are_wanted(work)?,
    };
    shared::put_value(work, Kind::KillPlace, &[work.me.device.as_bytes()], &entry)
}

/// The others are told whether heartbeats count here, if they were told of a place.
pub(crate) fn tell_of_heartbeats(work: &Work<'_>) -> Result<()> {
    let own = [&work.me.device.as_bytes()[..]];
    let told = entry(work, &shared::key(Kind::KillPlace, &own))?;
    let Some(mut place) = told.and_then(|value| SharedPlace::decode(&value[..]).ok()) else {
        return Ok(());
    };
    place.wants_heartbeats = heartbeat::are_wanted(work)?;
    shared::put_value(work, Kind::KillPlace, &own, &place)
}

/// Another device told of a code or a place.
pub(crate) fn came(work: &Work<'_>) {
    work.tell(Change::Devices);
    work.tell(Change::Settings(SettingsPart::Kill));
    work.wake();
}

/// The server wants an invitation for the kill queue.
pub(crate) fn want_invitation(work: &Work<'_>) -> Result<()> {
    work.db.execute(
        "UPDATE kill SET invitation = ?1, invitation_told = 0 WHERE id = 1",
        [random_bytes::<16>()],
    )?;
    work.wake();
    Ok(())
}

/// The hash of the code that the queue will be registered with, if the server has to be told of it.
pub(crate) fn to_invite(work: &Work<'_>) -> Result<Option<[u8; 32]>> {
    let row = row(work)?.filter(|row| !row.told && !row.invitation.is_empty());
    Ok(row.map(|row| sha256(&row.invitation)))
}

/// The server has it.
pub(crate) fn invited(work: &Work<'_>) -> Result<()> {
    work.db
        .execute("UPDATE kill SET invitation_told = 1 WHERE id = 1", [])?;
    work.wake();
    Ok(())
}

/// The server makes no more today: it is asked again later.
pub(crate) fn not_invited(work: &Work<'_>) -> Result<()> {
    work.db
        .execute("UPDATE kill SET invitation = x'' WHERE id = 1", [])?;
    work.wake();
    Ok(())
}
