//! Whether a state that this device was given when it was let in again is the group's (docs/protocol.md section 7).
//!
//! Whoever was a member when this device stopped can make a Welcome: also one who was removed meanwhile, or a plain member who makes
//! himself owner in it. So such a state is tried first, and nothing is sent in it but one update of this device's leaf, which the
//! channel takes only from somebody who knows the group's present secrets. Where that can't prove it, the word of a second member
//! does: any message of theirs is signed together with the whole state of the group.
//!
//! While a proof is under way the conversation stays `Resyncing`, the cached members and name are those of before, and MLS keeps the
//! old state aside. It ends in [`settle`], or in [`drop_answer`], after which the next answer is tried.

use std::collections::BTreeMap;

use prost::Message as _;
use rusqlite::{OptionalExtension as _, params};
use undertone_mls::{AccountId, ChannelId, DeviceId, Group, Joined, Kind, Member, Merged, Role};
use undertone_wire::client_proto::Welcome;

use super::{
    Work,
    address::{self, Address},
    automatic, commit,
    conversation::{self, Conversation, State, role_from_number},
    elsewhere, gaps, heard, outbox, resync,
    siblings::{self, Standing},
    spare, welcome,
};
use crate::{
    error::{Reason, Result},
    view::Notice,
};

/// How long no other answer of somebody whose answer was refused is taken.
const REFUSED_MS: i64 = 24 * 3600 * 1000;
/// Further answers kept while one is being proven.
const SPARE: i64 = 8;

/// As stored (proofs.way).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// This device's own commit, accepted on the channel that it was on before it asked.
    Channel = 1,
    /// A message or commit of another account than the helper's, which this device knew as a member.
    Member = 2,
}

struct Proof {
    way: Way,
    helper: DeviceId,
    account: AccountId,
    came: (u32, u64),
    generation: u32,
    channel: ChannelId,
    top_number: u64,
    address: i64,
}

fn load(work: &Work<'_>, conversation: i64) -> Result<Option<Proof>> {
    let row = work
        .db
        .prepare_cached(
            "SELECT way, helper, account, came_generation, came_number, generation, channel_id, top_number, address FROM proofs WHERE conversation = ?1",
        )?
        .query_row([conversation], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, Vec<u8>>(2)?,
                (row.get(3)?, row.get(4)?),
                row.get(5)?,
                row.get::<_, Vec<u8>>(6)?,
                row.get(7)?,
                row.get(8)?,
            ))
        })
        .optional()?;
    row.map(
        |(way, helper, account, came, generation, channel, top_number, address)| {
            Ok(Proof {
                way: if way == 1 { Way::Channel } else { Way::Member },
                helper: DeviceId::from_slice(&helper)?,
                account: AccountId::from_slice(&account)?,
                came,
                generation,
                channel: ChannelId::from_slice(&channel)?,
                top_number,
                address,
            })
        },
    )
    .transpose()
}

/// Whether this device is trying out a state there.
pub(crate) fn is_under_way(work: &Work<'_>, conversation: i64) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached("SELECT 1 FROM proofs WHERE conversation = ?1")?
        .exists([conversation])?)
}

/// Conversations in which the own commit that proves the state is due or on its way.
pub(crate) fn by_commit(work: &Work<'_>) -> Result<Vec<Conversation>> {
    let ids = {
        let mut statement = work.db.prepare_cached(
            "SELECT c.id FROM conversations c JOIN proofs p ON p.conversation = c.id WHERE p.way = 1 AND c.channel_id = p.channel_id",
        )?;
        statement
            .query_map([], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    ids.into_iter()
        .map(|id| conversation::load(work.db, id))
        .collect()
}

/// Whether no answer of this device is taken for now.
pub(crate) fn is_refused(work: &Work<'_>, conversation: i64, helper: &DeviceId) -> Result<bool> {
    Ok(work
        .db
        .prepare_cached(
            "SELECT 1 FROM refused_helpers WHERE conversation = ?1 AND device = ?2 AND at_ms > ?3",
        )?
        .exists(params![
            conversation,
            helper.as_bytes(),
            work.now_ms - REFUSED_MS
        ])?)
}

/// Names and roles as of before.
struct Known {
    accounts: BTreeMap<AccountId, Role>,
    name: String,
}

fn known(work: &Work<'_>, row: &Conversation) -> Result<Known> {
    let mut statement = work
        .db
        .prepare_cached("SELECT account_id, role FROM members WHERE conversation = ?1")?;
    let rows = statement
        .query_map([row.id], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
        })?
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let accounts = rows
        .iter()
        .map(|(account, role)| Ok((AccountId::from_slice(account)?, role_from_number(*role))))
        .collect::<Result<_>>()?;
    Ok(Known {
        accounts,
        name: row.name.clone(),
    })
}

/// How the state has to be proven. None: it is believed, because it comes from the only other person there is, or from a device of this
/// account that is known to be one.
fn way(work: &Work<'_>, row: &Conversation, joined: &Joined) -> Result<Option<Way>> {
    let adder = joined.adder.account;
    let same = joined.channel.channel_id == row.channel;
    let known = known(work, row)?.accounts;
    let alone = known
        .keys()
        .all(|account| *account == adder || *account == work.me.account);
    let believed = if adder == work.me.account {
        is_believed(work, row, &joined.adder, same)?
    } else {
        joined.group.kind() != Kind::Group || alone
    };
    if believed {
        return Ok(None);
    }
    let accounts = joined.group.accounts()?;
    let rises = accounts
        .iter()
        .any(|(account, role)| *role > known.get(account).copied().unwrap_or(Role::Member));
    // An owner may give roles. Whoever else says that somebody has a higher one needs a second member who says so: knowing the channel
    // does not give that right.
    let may = !rises || known.get(&adder) == Some(&Role::Owner);
    Ok(Some(if same && may {
        Way::Channel
    } else {
        Way::Member
    }))
}

/// Whether what another device of this account gives is believed: one that the account's own group knows, or, in that group itself, the only
/// other one where the channel can't tell.
fn is_believed(
    work: &Work<'_>,
    row: &Conversation,
    helper: &Member,
    by_channel: bool,
) -> Result<bool> {
    if row.kind == conversation::Kind::Notes {
        return Ok(!by_channel && siblings::is_only_other(work, row, helper)?);
    }
    Ok(siblings::standing(work, helper)? == Standing::Known)
}

/// Begins to try out the state of a Welcome that was joined, or believes it at once.
pub(crate) fn begin(
    work: &Work<'_>,
    row: &Conversation,
    address: &Address,
    joined: Joined,
) -> Result<()> {
    let way = way(work, row, &joined)?;
    let channel = joined.channel;
    commit::void_for_rejoin(work, row.id)?;
    work.db.execute(
        "INSERT INTO proofs (conversation, since_ms, way, helper, account, came_generation, came_number, epoch, generation, moves, channel_id,
            channel_made, top_number, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            row.id,
            work.now_ms,
            way.unwrap_or(Way::Member) as i64,
            joined.adder.device.as_bytes(),
            joined.adder.account.as_bytes(),
            channel.generation,
            channel.number,
            row.epoch,
            row.generation,
            row.moves,
            row.channel.as_bytes(),
            row.channel_made,
            row.top_number,
            row.address
        ],
    )?;
    conversation::set_channel(
        work,
        row.id,
        channel.generation,
        &channel.channel_id,
        0,
        true,
        channel.number,
    )?;
    conversation::set_address(work, row.id, address.id)?;
    address::assign(work, address.id, row.id)?;
    conversation::refresh(work, row.id, &joined.group)?;
    conversation::set_state(work, row.id, State::Resyncing)?;
    work.keep(joined.group);
    match way {
        None => settle(work, row.id),
        Some(Way::Channel) => Ok(()),
        Some(Way::Member) => awaits_word(work, row.id, &joined.adder.account),
    }
}

fn awaits_word(work: &Work<'_>, id: i64, helper: &AccountId) -> Result<()> {
    let who = conversation::person(work, id, helper)?;
    conversation::notice(work, id, &Notice::LetInUnconfirmed { who })
}

/// Another answer came while one is being tried.
pub(crate) fn keep_welcome(
    work: &Work<'_>,
    conversation: i64,
    address: &Address,
    bundle: &Welcome,
) -> Result<()> {
    work.db.execute(
        "INSERT INTO spare_welcomes (conversation, landing, bundle) SELECT ?1, ?2, ?3
         WHERE (SELECT count(*) FROM spare_welcomes WHERE conversation = ?1) < ?4",
        params![conversation, address.id, bundle.encode_to_vec(), SPARE],
    )?;
    work.wake();
    Ok(())
}

/// A member's commit was merged. Ends the proof if it is one.
pub(crate) fn merged(work: &Work<'_>, id: i64, merged: &Merged, on: &ChannelId) -> Result<()> {
    let Some(proof) = load(work, id)? else {
        return Ok(());
    };
    if merged.own {
        if proof.way == Way::Channel && *on == proof.channel {
            return settle(work, id);
        }
        return Ok(());
    }
    let by = &merged.committer;
    heard(work, id, &by.account, &by.device, &by.key).map(|_| ())
}

/// Something came that a device signed in the state that is tried. Ends the proof, and says so, if it is of another account than the helper's
/// and known from before; in the account's own group, if it is another device.
pub(crate) fn heard(
    work: &Work<'_>,
    id: i64,
    account: &AccountId,
    device: &DeviceId,
    key: &[u8; 32],
) -> Result<bool> {
    let Some(proof) = load(work, id)? else {
        return Ok(true);
    };
    let row = conversation::load(work.db, id)?;
    let second = if row.kind == conversation::Kind::Notes {
        *device != proof.helper && siblings::is_one_of(work, &row, device, key)?
    } else {
        let known = known(work, &row)?.accounts.contains_key(account);
        known && *account != proof.account && *account != work.me.account
    };
    if !second {
        return Ok(false);
    }
    settle(work, id)?;
    Ok(true)
}

/// This device has heard of other devices of its account: what one of them gave may be believed now.
pub(crate) fn look_again(work: &Work<'_>) -> Result<()> {
    let waiting = {
        let mut statement = work
            .db
            .prepare_cached("SELECT conversation FROM proofs WHERE way = 2 AND account = ?1")?;
        statement
            .query_map([work.me.account.as_bytes()], |row| row.get::<_, i64>(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in waiting {
        let row = conversation::load(work.db, id)?;
        if let Some(helper) = helper(work, &row)?
            && is_believed(work, &row, &helper, false)?
        {
            settle(work, id)?;
        }
    }
    Ok(())
}

/// Who gave the state that is tried, as that shows it.
fn helper(work: &Work<'_>, row: &Conversation) -> Result<Option<Member>> {
    let Some(proof) = load(work, row.id)? else {
        return Ok(None);
    };
    work.group(&row.group, |group| {
        let members = group.members()?.into_iter();
        Ok(members
            .filter(|member| member.account == proof.account)
            .find(|member| member.device == proof.helper))
    })
}

/// The state is the group's: the rows follow it, and what has changed meanwhile is told.
fn settle(work: &Work<'_>, id: i64) -> Result<()> {
    let row = conversation::load(work.db, id)?;
    let proof = load(work, id)?.ok_or(Reason::StateBroken)?;
    let before = known(work, &row)?;
    Group::settle(&work.mls, &row.group)?;
    work.db
        .execute("DELETE FROM proofs WHERE conversation = ?1", [id])?;
    work.db
        .execute("DELETE FROM spare_welcomes WHERE conversation = ?1", [id])?;
    resync::came_back(work, id, proof.address)?;
    let (generation, number) = proof.came;
    // How far this device had followed the channel that it is on again.
    let top_number = if generation == proof.generation {
        Some(proof.top_number)
    } else {
        work.db
            .query_row(
                "SELECT top_number FROM old_channels WHERE conversation = ?1 AND channel_hash = ?2 AND generation = ?3",
                params![id, elsewhere::name_in(&row, &row.channel)?, generation],
                |row| row.get(0),
            )
            .optional()?
    };
    if let Some(top_number) = top_number.filter(|top_number| number > *top_number) {
        let then = Conversation {
            generation,
            ..row.clone()
        };
        gaps::numbers_missing(work, &then, top_number + 1, number)?;
    }
    outbox::say_again_after(work, id, generation)?;
    let after = work.group(&row.group, |group| {
        conversation::refresh(work, id, group)?;
        welcome::make_pool(work, row.address, group)?;
        welcome::fill_tree(work, id, group)?;
        Ok(Known {
            accounts: group.accounts()?,
            name: group.name().to_owned(),
        })
    })?;
    work.db
        .execute("UPDATE conversations SET leaving = 0 WHERE id = ?1", [id])?;
    conversation::set_state(work, id, State::Active)?;
    let who = conversation::person(work, id, &proof.account)?;
    conversation::notice(work, id, &Notice::LetInAgain { who })?;
    if row.kind == conversation::Kind::Group {
        tell_differences(work, id, &before, &after)?;
    }
    heard::tell(work, &conversation::load(work.db, id)?)?;
    resync::catch_up(work, id)?;
    spare::release_all(work, id)
}

fn tell_differences(work: &Work<'_>, id: i64, before: &Known, after: &Known) -> Result<()> {
    let who = |account: &AccountId| conversation::person(work, id, account);
    let say = |notice: Notice| conversation::notice(work, id, &notice);
    if before.name != after.name {
        say(Notice::NowCalled {
            name: after.name.clone(),
        })?;
    }
    for account in before.accounts.keys() {
        if !after.accounts.contains_key(account) {
            say(Notice::NotInAnyMore { who: who(account)? })?;
        }
    }
    for (account, role) in &after.accounts {
        let was = before.accounts.get(account);
        if was.is_none() {
            say(Notice::NowIn { who: who(account)? })?;
        }
        if *role != was.copied().unwrap_or(Role::Member) {
            say(Notice::NowRole {
                who: who(account)?,
                role: (*role).into(),
            })?;
        }
    }
    Ok(())
}

/// The state is not the group's, as far as can be told. It is dropped, and for a while nothing more is taken from whoever gave it.
pub(crate) fn refuse(work: &Work<'_>, id: i64) -> Result<()> {
    let Some(proof) = load(work, id)? else {
        return Ok(());
    };
    work.db.execute(
        "INSERT OR REPLACE INTO refused_helpers (conversation, device, at_ms) VALUES (?1, ?2, ?3)",
        params![id, proof.helper.as_bytes(), work.now_ms],
    )?;
    let who = conversation::person(work, id, &proof.account)?;
    drop_answer(work, id)?;
    conversation::notice(work, id, &Notice::LetInRefused { who })
}

/// This device goes back to what it was before the answer, and tries the next one.
pub(crate) fn drop_answer(work: &Work<'_>, id: i64) -> Result<()> {
    let row = conversation::load(work.db, id)?;
    work.drop_group(&row.group);
    Group::put_back(&work.mls, &row.group)?;
    commit::void_for_rejoin(work, id)?;
    // What came to the answer's address is for the next answer.
    work.db.execute(
        "UPDATE addresses SET conversation = 0 WHERE id = ?1",
        [row.address],
    )?;
    work.db.execute(
        "DELETE FROM gaps WHERE conversation = ?1 AND message = 0 AND asked_at_ms = 0
            AND noticed_at_ms >= (SELECT since_ms FROM proofs WHERE conversation = ?1)",
        [id],
    )?;
    work.db.execute(
        "UPDATE conversations SET (epoch, generation, moves, channel_id, channel_made, top_number, address)
            = (SELECT epoch, generation, moves, channel_id, channel_made, top_number, address FROM proofs WHERE conversation = ?1)
         WHERE id = ?1",
        [id],
    )?;
    for table in ["proofs", "behind"] {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [id],
        )?;
    }
    work.wake();
    try_next(work, id)
}

fn try_next(work: &Work<'_>, id: i64) -> Result<()> {
    loop {
        let next = work
            .db
            .query_row(
                "DELETE FROM spare_welcomes WHERE id = (SELECT min(id) FROM spare_welcomes WHERE conversation = ?1) RETURNING landing, bundle",
                [id],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)),
            )
            .optional()?;
        let Some((landing, bundle)) = next else {
            return Ok(());
        };
        let (Some(landing), Ok(bundle)) =
            (address::get(work, landing)?, Welcome::decode(&bundle[..]))
        else {
            continue;
        };
        if welcome::try_answer(work, &landing, &bundle)? {
            return Ok(());
        }
    }
}

/// The channel can't prove it (the server does not know it any more): another member has to.
pub(crate) fn by_member_instead(work: &Work<'_>, row: &Conversation) -> Result<()> {
    let Some(proof) = load(work, row.id)? else {
        return Ok(());
    };
    work.group(&row.group, |group| Ok(group.clear_pending(&work.mls)?))?;
    commit::void_for_rejoin(work, row.id)?;
    work.db.execute(
        "UPDATE proofs SET way = 2, since_ms = ?2 WHERE conversation = ?1",
        params![row.id, work.now_ms],
    )?;
    if proof.account == work.me.account
        && let Some(helper) = helper(work, row)?
        && is_believed(work, row, &helper, false)?
    {
        return settle(work, row.id);
    }
    awaits_word(work, row.id, &proof.account)
}

fn patience(work: &Work<'_>) -> i64 {
    i64::try_from(work.pace.helper.as_millis())
        .unwrap_or(i64::MAX)
        .saturating_mul(3)
}

/// Where nobody confirms an answer and there is another one, that is tried. Called now and then.
pub(crate) fn tick(work: &Work<'_>) -> Result<()> {
    let ids = {
        let mut statement = work.db.prepare_cached(
            "SELECT conversation FROM proofs p WHERE way = 2 AND since_ms <= ?1
                AND EXISTS (SELECT 1 FROM spare_welcomes s WHERE s.conversation = p.conversation)",
        )?;
        statement
            .query_map([work.now_ms.saturating_sub(patience(work))], |row| {
                row.get::<_, i64>(0)
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    for id in ids {
        refuse(work, id)?;
    }
    Ok(())
}

/// When [`tick`] has something to do next.
pub(crate) fn next_due(work: &Work<'_>) -> Result<Option<i64>> {
    Ok(work.one(
        "SELECT min(since_ms) + ?1 FROM proofs p WHERE way = 2 AND since_ms + ?1 > ?2
            AND EXISTS (SELECT 1 FROM spare_welcomes s WHERE s.conversation = p.conversation)",
        [patience(work), work.now_ms],
        |row| row.get(0),
    )?)
}

/// This device is no member any more.
pub(crate) fn forget(work: &Work<'_>, conversation: i64) -> Result<()> {
    if let Some(proof) = load(work, conversation)? {
        address::revoke(work, proof.address)?;
    }
    for table in ["proofs", "refused_helpers", "spare_welcomes"] {
        work.db.execute(
            &format!("DELETE FROM {table} WHERE conversation = ?1"),
            [conversation],
        )?;
    }
    spare::forget(work, conversation)
}

/// Another member was quicker to let a device in again. If that device may be waiting for a second member's word, it gets one.
pub(crate) fn vouch(
    work: &Work<'_>,
    row: &Conversation,
    group: &mut Group,
    request: &[u8],
) -> Result<()> {
    if !group.is_unproven(&work.mls, request, work.now_s())? {
        return Ok(());
    }
    let content = automatic::vouch(work, row)?;
    outbox::push(work, row.id, 0, &content, false, work.automatic_at())
}
