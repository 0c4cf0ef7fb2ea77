//! The silent alarm: contacts whom the owner chose are told when the duress passphrase is given.
//!
//! The duress passphrase leaves nothing of the account but its decoy, so what the alarm needs is put there when the decoy is made: for each
//! contact a seed, from which addresses come as a kill code's slots do, and a key that signs. The contact's devices are given the other half in
//! the direct conversation ([`Agreement`]), and each claims one of the addresses for its own queue. The alarm is what a heartbeat is
//! (docs/protocol.md section 9): a signed moment, at which the passphrase was given.
//!
//! What must stay true: nothing goes out of a decoy that is only visited; an alarm changes nothing that the decoy shows, and leaves nothing in it once it
//! was taken; nobody but the device that made the agreement, in the conversation with that contact, can raise its alarm.

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::{
    AccountId,
    kill::{Heartbeat, KillSeed, KillSigner, Slot},
};
use undertone_wire::{
    ids::{Pin, random_bytes},
    origin::ServerAddress,
    secrets::Secret,
};
use zeroize::Zeroizing;

use super::{
    Work,
    address::{self, Address},
    automatic, contact,
    conversation::{self, Conversation, Kind, State},
    elsewhere, ignored,
    message::Sender,
    outbox, settings,
    shared::{self, Kind as Entry},
};
use crate::{
    error::{Reason, Result},
    view::Notice,
};

/// Devices of one contact that an alarm reaches.
const NUMBERS: u32 = 8;
/// Alarms of others that this device takes.
const ALARMS_OF: i64 = 64;
/// An alarm that nobody took for so long is given up, seconds.
const LONGEST_S: i64 = 14 * 24 * 3600;

/// What a contact needs to know an alarm by; empty: there is none any more.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Agreement {
    /// The addresses come from it.
    #[prost(bytes = "vec", tag = "1")]
    seed: Vec<u8>,
    /// Whose signature counts.
    #[prost(bytes = "vec", tag = "2")]
    signer: Vec<u8>,
    /// Drawn for this agreement; what is signed is for it only.
    #[prost(bytes = "vec", tag = "3")]
    generation: Vec<u8>,
}

impl Agreement {
    fn whole(&self) -> Option<(KillSeed, [u8; 32], [u8; 32])> {
        Some((
            KillSeed::from_slice(&self.seed).ok()?,
            self.signer[..].try_into().ok()?,
            self.generation[..].try_into().ok()?,
        ))
    }
}

/// An alarm that is to be agreed on.
pub(crate) struct Prepared {
    account: AccountId,
    server: ServerAddress,
    signer: KillSigner,
    seed: Secret<32>,
    generation: [u8; 32],
}

/// Draws what the alarm to a contact needs. Nothing is changed yet.
///
/// # Errors
/// `contact.unknown` if there is no conversation with them that works.
pub(crate) fn prepare(work: &Work<'_>, account: &AccountId) -> Result<Prepared> {
    let Some(row) = reached(work, account)? else {
        return Err(Reason::ContactUnknown.into());
    };
    let server = work.group(&row.group, |group| {
        let members = group.members()?;
        let theirs = members.iter().find(|member| member.account == *account);
        let theirs = theirs.ok_or(Reason::ContactUnknown)?;
        elsewhere::parse(&elsewhere::of_member(work, group, theirs))
    })?;
    Ok(Prepared {
        account: *account,
        server: server.unwrap_or_else(|| work.me.server.clone()),
        signer: KillSigner::generate(),
        seed: Secret::random(),
        generation: random_bytes(),
    })
}

/// The direct conversation with a contact, if what is said in it goes out.
fn reached(work: &Work<'_>, account: &AccountId) -> Result<Option<Conversation>> {
    let Some((id, true)) = contact::conversation(work.db, account)? else {
        return Ok(None);
    };
    Ok(conversation::get(work.db, id)?
        .filter(|row| row.kind == Kind::Direct && row.state == State::Active))
}

/// Puts into a decoy's store what it will need.
pub(crate) fn put_into_decoy(decoy: &Connection, prepared: &[Prepared]) -> Result<()> {
    for alarm in prepared {
        decoy.execute(
            "INSERT INTO alarms (server, seed, signer, generation, given_s) VALUES (?1, ?2, ?3, ?4, 0)",
            params![
                alarm.server.to_string(),
                alarm.seed.expose(),
                alarm.signer.to_secret().expose(),
                alarm.generation
            ],
        )?;
    }
    Ok(())
}

/// Tells these contacts how the alarm of this device reaches them, and those who were told before that theirs is over.
pub(crate) fn agree(work: &Work<'_>, prepared: &[Prepared]) -> Result<()> {
    for account in contacts(work.db)? {
        if !prepared.iter().any(|alarm| alarm.account == account) {
            say(work, &account, &Agreement::default())?;
        }
    }
    work.db.execute("DELETE FROM alarm_contacts", [])?;
    for alarm in prepared {
        let agreement = Agreement {
            seed: alarm.seed.expose().to_vec(),
            signer: alarm.signer.public().to_vec(),
            generation: alarm.generation.to_vec(),
        };
        say(work, &alarm.account, &agreement)?;
        work.db.execute(
            "INSERT OR IGNORE INTO alarm_contacts (account_id) VALUES (?1)",
            [alarm.account.as_bytes()],
        )?;
    }
    Ok(())
}

fn say(work: &Work<'_>, account: &AccountId, agreement: &Agreement) -> Result<()> {
    // With whom there is no conversation any more, there is nothing to end.
    let Some(row) = reached(work, account)? else {
        return Ok(());
    };
    let content = automatic::alarm(work, &row, agreement)?;
    outbox::push(work, row.id, 0, &content, false, work.now_ms)?;
    work.wake();
    Ok(())
}

/// Those whom this device alarms.
pub(crate) fn contacts(db: &Connection) -> Result<Vec<AccountId>> {
    let mut statement = db.prepare("SELECT account_id FROM alarm_contacts ORDER BY account_id")?;
    let rows = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.iter()
        .map(|bytes| Ok(AccountId::from_slice(bytes)?))
        .collect()
}

/// An alarm that is to go out, to every address that a device of the contact may have.
pub(crate) struct Due {
    pub(crate) id: i64,
    pub(crate) server: ServerAddress,
    pub(crate) alarms: Vec<(Vec<u8>, Slot)>,
}

/// What has to go out of this store, which is open as the owner's own: if it was made as a decoy, the duress passphrase was given. That is
/// written down here and not with the verdict, which must not take longer for it. What nobody took for too long is given up.
pub(crate) fn due(work: &Work<'_>) -> Result<Vec<Due>> {
    let now_s = work.now_ms / 1000;
    work.db
        .execute("UPDATE alarms SET given_s = ?1 WHERE given_s = 0", [now_s])?;
    work.db.execute(
        "DELETE FROM alarms WHERE given_s > 0 AND given_s < ?1",
        [now_s - LONGEST_S],
    )?;
    let mut statement = work.db.prepare(
        "SELECT id, server, seed, signer, generation, given_s FROM alarms WHERE given_s > 0 ORDER BY id",
    )?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                Zeroizing::new(row.get::<_, Vec<u8>>(2)?),
                Zeroizing::new(row.get::<_, Vec<u8>>(3)?),
                row.get::<_, [u8; 32]>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(id, server, seed, signer, generation, given_s)| {
            let server: ServerAddress = server.parse()?;
            let seed = KillSeed::from_slice(&seed)?;
            let signer = KillSigner::from_secret(&Secret::from_slice(&signer)?);
            let moment = Heartbeat {
                at_s: u64::try_from(given_s).unwrap_or(0),
            };
            let alarms = (0..NUMBERS)
                .map(|number| {
                    let slot = seed.slot(number);
                    let sealed = moment.seal(&signer, &server.pin, &slot, &generation)?;
                    Ok((sealed, slot))
                })
                .collect::<Result<_>>()?;
            Ok(Due { id, server, alarms })
        })
        .collect()
}

/// A device of the contact has it, or will: nothing is left of it here.
pub(crate) fn taken(work: &Work<'_>, id: i64) -> Result<()> {
    work.db.execute("DELETE FROM alarms WHERE id = ?1", [id])?;
    Ok(())
}

/// A device of a contact says how its alarm is known, or that there is none any more. All devices of this account hear it.
pub(crate) fn agreed(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    agreement: &Agreement,
) -> Result<()> {
    let of_a_contact = row.kind == Kind::Direct
        && !row.request
        && row.peer == Some(sender.account)
        && !settings::is_blocked(work.db, &sender.account)?;
    if !of_a_contact {
        return Ok(());
    }
    let known = [&sender.account.as_bytes()[..], sender.device.as_bytes()];
    shared::put_value(work, Entry::Alarm, &known, agreement)?;
    apply(work, &known.concat(), &agreement.encode_to_vec())
}

/// An agreement counts now on this device, whichever of the account's heard it. `who`: the contact and its device.
pub(crate) fn apply(work: &Work<'_>, who: &[u8], value: &[u8]) -> Result<()> {
    let (Some((account, device)), Ok(agreement)) =
        (who.split_first_chunk::<32>(), Agreement::decode(value))
    else {
        return Ok(());
    };
    if device.len() != 16 || account == work.me.account.as_bytes() {
        return Ok(());
    }
    let known: Option<(Vec<u8>, i64)> = work
        .db
        .query_row(
            "SELECT agreement, address FROM alarms_of WHERE account_id = ?1 AND device = ?2",
            params![account, device],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    match known {
        // It may have been raised already.
        Some((same, _)) if same == value => return Ok(()),
        Some((_, held)) => {
            if held > 0 {
                address::revoke(work, held)?;
            }
            work.db.execute(
                "DELETE FROM alarms_of WHERE account_id = ?1 AND device = ?2",
                params![account, device],
            )?;
        }
        None => {}
    }
    let Some((seed, ..)) = agreement.whole() else {
        return Ok(());
    };
    let taken: i64 = work.db.query_row(
        "SELECT count(*) FROM alarms_of WHERE address > 0",
        [],
        |row| row.get(0),
    )?;
    if taken >= ALARMS_OF {
        ignored::note("alarm.too_many");
        return Ok(());
    }
    let Some(address) = claim(work, &seed, 0)? else {
        ignored::note("alarm.address_known");
        return Ok(());
    };
    work.db.execute(
        "INSERT INTO alarms_of (account_id, device, agreement, number, address) VALUES (?1, ?2, ?3, 0, ?4)",
        params![account, device, value, address],
    )?;
    Ok(())
}

/// The address at which an alarm comes. Whoever says how their alarm is known chooses the seed, so it may be one that was said before. None:
/// another alarm comes there.
fn claim(work: &Work<'_>, seed: &KillSeed, number: u32) -> Result<Option<i64>> {
    let secret = seed.slot(number).address();
    let Some(known) = address::by_secret(work, &secret)? else {
        let made = address::create_as(work, address::Kind::Contact, 0, secret)?;
        return Ok(Some(made.id));
    };
    let is_held = work
        .db
        .prepare_cached("SELECT 1 FROM alarms_of WHERE address = ?1")?
        .exists([known])?;
    if is_held || !address::take_back(work, known)? {
        return Ok(None);
    }
    Ok(Some(known))
}

/// Another device of this account has the address already: the next one is tried.
pub(crate) fn address_is_taken(work: &Work<'_>, held: i64) -> Result<()> {
    let found: Option<(Vec<u8>, u32)> = work
        .db
        .query_row(
            "SELECT agreement, number FROM alarms_of WHERE address = ?1 AND address > 0",
            [held],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((agreement, number)) = found else {
        return Ok(());
    };
    address::forget(work, held)?;
    let next = number.saturating_add(1);
    let seed = Agreement::decode(&agreement[..])
        .ok()
        .and_then(|agreement| Some(agreement.whole()?.0));
    let address = match seed {
        Some(seed) if next < NUMBERS => claim(work, &seed, next)?.unwrap_or(0),
        // More devices than an alarm reaches; the others have it.
        _ => 0,
    };
    work.db.execute(
        "UPDATE alarms_of SET number = ?2, address = ?3 WHERE address = ?1",
        params![held, next.min(NUMBERS - 1), address],
    )?;
    Ok(())
}

/// Takes what came to an address, if it is one for alarms. Answers whether it is.
pub(crate) fn came(work: &Work<'_>, address: &Address, payload: &[u8]) -> Result<bool> {
    let found: Option<(Vec<u8>, Vec<u8>, u32)> = work
        .db
        .query_row(
            "SELECT account_id, agreement, number FROM alarms_of WHERE address = ?1 AND address > 0",
            [address.id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((account, agreement, number)) = found else {
        return Ok(false);
    };
    let Some((seed, signer, generation)) = Agreement::decode(&agreement[..])
        .ok()
        .and_then(|agreement| agreement.whole())
    else {
        return Ok(true);
    };
    let pin: &Pin = &work.me.server.pin;
    let slot = seed.slot(number);
    let raised = Heartbeat::open(payload, pin, &slot, &generation, |key| *key == signer);
    if raised.is_err() {
        ignored::note("alarm.refused");
        return Ok(true);
    }
    let account = AccountId::from_slice(&account)?;
    if settings::is_blocked(work.db, &account)? {
        return Ok(true);
    }
    if let Some((row, _)) = contact::conversation(work.db, &account)? {
        let who = conversation::person(work, row, &account)?;
        conversation::notice(work, row, &Notice::DuressAlarm { who })?;
    }
    // Once is enough: what a server plays again leads nowhere.
    work.db.execute(
        "UPDATE alarms_of SET address = 0 WHERE address = ?1",
        [address.id],
    )?;
    address::revoke(work, address.id)?;
    Ok(true)
}
