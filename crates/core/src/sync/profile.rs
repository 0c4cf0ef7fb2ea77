//! Names and pictures: what an account says of itself, as a message in each conversation.
//!
//! The account's devices have its profile in common ([`super::shared`]). It is told in a conversation when some device of another account
//! there has not been told of it yet: after a change, and when somebody comes. The device on which it was changed tells first; the others
//! tell what is left a while later. In a large group it is told when most do not have it, and not for each who comes.
//!
//! What must stay true: a profile counts for the account that signed the message it came in, and for no other; the highest stamp counts, so
//! that nothing old comes back; a picture is decoded and encoded here before it is shown, and not before whoever sent it is accepted.

use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, params};
use undertone_mls::AccountId;

use super::{
    Work, automatic,
    change::Change,
    conversation::{self, Conversation, Kind, State},
    ignored,
    message::Sender,
    other_account, outbox, settings,
    shared::{self, Kind as Entry},
};
use crate::{
    error::Result,
    media,
    view::{Notice, SettingsPart},
};

/// Longest name, bytes.
const NAME_BYTES: usize = 64;
/// The highest stamp that is taken: there must be room for those that follow.
const HIGHEST_STAMP: i64 = i64::MAX / 2;
/// Conversations that are looked at in one round.
const AT_ONCE: i64 = 16;
/// From so many devices on a conversation is a large one.
const LARGE: i64 = 64;

/// What an account says of itself.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Profile {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// JPEG; empty: none.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) picture: Vec<u8>,
    /// Of the account's devices; the entry between them has its own, and 0 here.
    #[prost(int64, tag = "3")]
    pub(crate) stamp: i64,
}

/// A name as others may see it; None: it can't be one.
pub(crate) fn fit_name(name: &str, longest: usize) -> Option<&str> {
    let name = name.trim();
    let fits = !name.is_empty() && name.len() <= longest && !name.chars().any(char::is_control);
    fits.then_some(name)
}

/// This account's own, with its stamp, and whether this device gave it. None: the name is the one that devices bring along, and there is
/// no picture.
fn own(work: &Work<'_>) -> Result<Option<(Profile, bool)>> {
    let entry: Option<(Vec<u8>, i64, Vec<u8>)> = work
        .db
        .prepare_cached("SELECT value, stamp, device FROM shared WHERE key = ?1")?
        .query_row([shared::key(Entry::Profile, &[])], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((value, stamp, device)) = entry else {
        return Ok(None);
    };
    let Ok(profile) = Profile::decode(&value[..]) else {
        return Ok(None);
    };
    let here = device == work.me.device.as_bytes();
    Ok(Some((Profile { stamp, ..profile }, here)))
}

/// The owner gives the account another profile: both, as they are from now on.
pub(crate) fn set(work: &Work<'_>, name: String, picture: Vec<u8>) -> Result<()> {
    let profile = Profile {
        name,
        picture,
        stamp: 0,
    };
    shared::put_value(work, Entry::Profile, &[], &profile)?;
    follow(work)
}

/// Another device of the account gave it one.
pub(crate) fn changed_elsewhere(work: &Work<'_>) -> Result<()> {
    follow(work)
}

/// Takes over what the account's devices have in common, and sees to it that it is told.
fn follow(work: &Work<'_>) -> Result<()> {
    let Some((profile, _)) = own(work)? else {
        return Ok(());
    };
    let Some(name) = fit_name(&profile.name, NAME_BYTES) else {
        return Ok(());
    };
    work.db
        .execute("UPDATE account SET name = ?1 WHERE id = 1", [name])?;
    work.renamed(name.to_owned());
    keep(
        work,
        &work.me.account,
        name,
        &profile.picture,
        false,
        profile.stamp,
    )?;
    work.tell(Change::Settings(SettingsPart::Profile));
    for row in conversation::sendable(work)? {
        look(work, row.id)?;
    }
    Ok(())
}

fn keep(
    work: &Work<'_>,
    account: &AccountId,
    name: &str,
    picture: &[u8],
    as_it_came: bool,
    stamp: i64,
) -> Result<()> {
    work.db.execute(
        "INSERT INTO profiles (account_id, name, picture, as_it_came, stamp) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (account_id) DO UPDATE SET name = excluded.name, picture = excluded.picture, as_it_came = excluded.as_it_came,
            stamp = excluded.stamp",
        params![account.as_bytes(), name, picture, as_it_came, stamp],
    )?;
    Ok(())
}

/// Devices of others in a conversation, and how many of them lack the profile with this stamp.
fn lacking(work: &Work<'_>, conversation: i64, stamp: i64) -> Result<(i64, i64)> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (
                SELECT 1 FROM profile_told t WHERE t.device = m.device_id AND t.stamp >= ?3))
             FROM members m WHERE m.conversation = ?1 AND m.account_id <> ?2",
        )?
        .query_row(
            params![conversation, work.me.account.as_bytes(), stamp],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?)
}

/// Who is in a conversation changed, or what they may be told: if somebody lacks the profile, it is told soon.
pub(crate) fn look(work: &Work<'_>, conversation: i64) -> Result<()> {
    let Some((profile, here)) = own(work)? else {
        return Ok(());
    };
    if lacking(work, conversation, profile.stamp)?.1 == 0 {
        return Ok(());
    }
    let later = if here { 0 } else { work.pace.gap.as_millis() };
    let at = work
        .automatic_at()
        .saturating_add(i64::try_from(later).unwrap_or(i64::MAX));
    work.db.execute(
        "INSERT INTO profile_due (conversation, not_before_ms) VALUES (?1, ?2)
         ON CONFLICT (conversation) DO UPDATE SET not_before_ms = excluded.not_before_ms",
        params![conversation, at],
    )?;
    work.wake();
    Ok(())
}

/// Puts the profile into the outbox where its time has come. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let due = work.take_due("profile_due", AT_ONCE)?;
    if due.is_empty() {
        return Ok(());
    }
    let own = own(work)?;
    for id in due {
        if let (Some((profile, _)), Some(row)) = (&own, conversation::get(work.db, id)?)
            && may_be_told(work, &row, profile.stamp)?
        {
            let content = automatic::profile(work, &row, profile)?;
            outbox::push(work, row.id, 0, &content, false, work.now_ms)?;
            note_told(work, row.id, profile.stamp)?;
        }
    }
    work.wake();
    Ok(())
}

fn may_be_told(work: &Work<'_>, row: &Conversation, stamp: i64) -> Result<bool> {
    // What is not settled yet is looked at when it is.
    let settled = row.state == State::Active && row.link == 0 && !row.leaving && !row.request;
    if !settled || row.kind == Kind::Notes {
        return Ok(false);
    }
    if let Some(peer) = &row.peer
        && settings::is_blocked(work.db, peer)?
    {
        return Ok(false);
    }
    let (all, lack) = lacking(work, row.id, stamp)?;
    Ok(lack > 0 && (all <= LARGE || lack > all / 2))
}

fn note_told(work: &Work<'_>, conversation: i64, stamp: i64) -> Result<()> {
    work.db.execute(
        "INSERT INTO profile_told (device, stamp) SELECT device_id, ?3 FROM members WHERE conversation = ?1 AND account_id <> ?2
         ON CONFLICT (device) DO UPDATE SET stamp = max(stamp, excluded.stamp)",
        params![conversation, work.me.account.as_bytes(), stamp],
    )?;
    Ok(())
}

/// A device says what its account is called and looks like.
pub(crate) fn came(
    work: &Work<'_>,
    row: &Conversation,
    sender: &Sender,
    profile: &Profile,
) -> Result<()> {
    let account = &sender.account;
    if row.kind == Kind::Notes {
        return Ok(());
    }
    if *account == work.me.account {
        // Another device of this account has told them; this one need not.
        return note_told(work, row.id, profile.stamp);
    }
    if settings::is_blocked(work.db, account)? {
        return Ok(());
    }
    let Some(name) = fit_name(&profile.name, NAME_BYTES) else {
        ignored::note("profile.name");
        return Ok(());
    };
    if !(1..=HIGHEST_STAMP).contains(&profile.stamp) || profile.picture.len() > media::FACE_BYTES {
        ignored::note("profile.malformed");
        return Ok(());
    }
    let known: Option<i64> = work
        .db
        .prepare_cached("SELECT stamp FROM profiles WHERE account_id = ?1")?
        .query_row([account.as_bytes()], |found| found.get(0))
        .optional()?;
    if known.is_some_and(|stamp| stamp >= profile.stamp) {
        return Ok(());
    }
    let waits = row.request && !profile.picture.is_empty();
    let picture = if waits {
        profile.picture.clone()
    } else {
        shown(&profile.picture)
    };
    let before = name_before(work.db, row.id, account)?;
    keep(work, account, name, &picture, waits, profile.stamp)?;
    if before.as_deref() != Some(name) {
        renamed(work, row, account, name, before)?;
    }
    work.tell(Change::Contact(*account.as_bytes()));
    work.tell(Change::Chat(row.id));
    Ok(())
}

/// A picture that somebody sent, as this device shows it; what can't be decoded is none.
fn shown(picture: &[u8]) -> Vec<u8> {
    if picture.is_empty() {
        return Vec::new();
    }
    media::received_profile_picture(picture).unwrap_or_else(|error| {
        ignored::note(error.code());
        Vec::new()
    })
}

fn name_before(db: &Connection, conversation: i64, account: &AccountId) -> Result<Option<String>> {
    Ok(db
        .prepare_cached(
            "SELECT name FROM contacts WHERE account_id = ?2 AND name <> ''
             UNION ALL SELECT name FROM profiles WHERE account_id = ?2
             UNION ALL SELECT name FROM members WHERE conversation = ?1 AND account_id = ?2 AND name <> '' LIMIT 1",
        )?
        .query_row(params![conversation, account.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Somebody goes by another name: it is said where they are known best, and looked at like that of somebody who comes.
fn renamed(
    work: &Work<'_>,
    row: &Conversation,
    account: &AccountId,
    name: &str,
    before: Option<String>,
) -> Result<()> {
    let direct: Option<i64> = work
        .db
        .query_row(
            "UPDATE contacts SET name = ?2 WHERE account_id = ?1 RETURNING conversation",
            params![account.as_bytes(), name],
            |found| found.get(0),
        )
        .optional()?;
    let place = match direct {
        Some(direct) if conversation::get(work.db, direct)?.is_some() => direct,
        _ => row.id,
    };
    if direct.is_some() {
        shared::put_contact(work, account)?;
    }
    if row.request {
        return Ok(());
    }
    if let Some(before) = before {
        let who = conversation::person_called(work, account, before);
        let name = name.to_owned();
        conversation::notice(work, place, &Notice::NameChanged { who, name })?;
    }
    other_account::came(work, place, account, name)
}

/// What somebody calls themselves, if they said so since they came.
pub(crate) fn name(db: &Connection, account: &AccountId) -> Result<Option<String>> {
    Ok(db
        .prepare_cached("SELECT name FROM profiles WHERE account_id = ?1")?
        .query_row([account.as_bytes()], |row| row.get(0))
        .optional()?)
}

/// Somebody who waited is accepted: their picture may be looked at.
pub(crate) fn accepted(work: &Work<'_>, account: &AccountId) -> Result<()> {
    let waiting: Option<Vec<u8>> = work
        .db
        .query_row(
            "SELECT picture FROM profiles WHERE account_id = ?1 AND as_it_came = 1",
            [account.as_bytes()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(picture) = waiting {
        work.db.execute(
            "UPDATE profiles SET picture = ?2, as_it_came = 0 WHERE account_id = ?1",
            params![account.as_bytes(), shown(&picture)],
        )?;
    }
    Ok(())
}
