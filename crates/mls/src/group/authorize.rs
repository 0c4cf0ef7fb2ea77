//! The rules a commit is held against, in one place, for others' commits and for our own.
//!
//! Everything is judged from the MLS state of the epoch the commit starts from, and from the commit. All members hold the
//! same of both, so all come to the same judgement; nothing here may look at a clock or a cache.

use std::collections::{BTreeMap, BTreeSet};

use openmls::prelude::{Proposal, Sender, StagedCommit};
use undertone_wire::ids::AccountId;

use super::{DEVICES, DEVICES_OF_ACCOUNT, LeafFacts};
use crate::{
    Act, GroupId, Kind, Role, Settings, Violation, extension::read_group_extensions,
    key_package::PeerKeyPackage,
};

type Judgement<T> = std::result::Result<T, Violation>;

/// What an allowed commit does.
pub(super) struct Effect {
    pub(super) committer: u32,
    pub(super) removed: Vec<u32>,
    pub(super) added: Vec<LeafFacts>,
    /// The committer's leaf, if the commit has a path.
    pub(super) path: Option<LeafFacts>,
    pub(super) settings: Settings,
}

/// The epoch a commit starts from.
pub(super) struct Before<'a> {
    pub(super) group: &'a GroupId,
    pub(super) leaves: &'a BTreeMap<u32, LeafFacts>,
    pub(super) settings: &'a Settings,
}

struct Removal<'a> {
    leaf: u32,
    /// Who proposed it: the committer, or a member who leaves.
    by: &'a LeafFacts,
    target: &'a LeafFacts,
    own_act: bool,
}

/// Judges a commit whose signatures, framing and path OpenMLS has checked.
pub(super) fn authorize(
    before: &Before<'_>,
    committer_leaf: u32,
    commit: &StagedCommit,
) -> Judgement<Effect> {
    let committer = before
        .leaves
        .get(&committer_leaf)
        .ok_or(Violation::Framing)?;
    let mut removals = Vec::new();
    let mut added = Vec::new();
    let mut changed = None;
    for queued in commit.queued_proposals() {
        let Sender::Member(by) = queued.sender() else {
            return Err(Violation::Proposal);
        };
        let own_act = by.u32() == committer_leaf;
        match queued.proposal() {
            Proposal::Add(add) if own_act => {
                added.push(PeerKeyPackage::from_mls(add.key_package().clone())?.facts);
            }
            Proposal::Remove(remove) => {
                let leaf = remove.removed().u32();
                removals.push(Removal {
                    leaf,
                    by: before.leaves.get(&by.u32()).ok_or(Violation::Framing)?,
                    target: before.leaves.get(&leaf).ok_or(Violation::Invalid)?,
                    own_act,
                });
            }
            Proposal::GroupContextExtensions(change) if own_act && changed.is_none() => {
                changed = Some(
                    read_group_extensions(change.extensions()).map_err(|_| Violation::Settings)?,
                );
            }
            _ => return Err(Violation::Proposal),
        }
    }
    let path = commit
        .update_path_leaf_node()
        .map(LeafFacts::verify)
        .transpose()?;
    let effect = Effect {
        committer: committer_leaf,
        removed: removals.iter().map(|removal| removal.leaf).collect(),
        added,
        path,
        settings: changed.unwrap_or_else(|| before.settings.clone()),
    };
    let after = leaves_after(before, &effect);
    judge_path(before, committer, &effect)?;
    judge_additions(before, committer, &effect, &removals)?;
    judge_removals(before, committer, &effect, &removals)?;
    judge_members(before, &after)?;
    judge_numbers(before, &effect, &after)?;
    judge_settings(before, committer, &effect, &after)?;
    judge_generations(before, &effect, &after)?;
    Ok(effect)
}

fn leaves_after<'a>(before: &'a Before<'_>, effect: &'a Effect) -> Vec<&'a LeafFacts> {
    before
        .leaves
        .iter()
        .filter(|(leaf, _)| !effect.removed.contains(leaf))
        .map(|(leaf, facts)| match &effect.path {
            Some(path) if *leaf == effect.committer => path,
            _ => facts,
        })
        .chain(&effect.added)
        .collect()
}

/// An update may renew a leaf, and never change whose it is.
fn judge_path(before: &Before<'_>, committer: &LeafFacts, effect: &Effect) -> Judgement<()> {
    let Some(path) = &effect.path else {
        return Ok(());
    };
    if !path.same_device(committer) {
        return Err(Violation::Identity);
    }
    if path.generation < generation_floor(before, &path.account) {
        return Err(Violation::Generation);
    }
    Ok(())
}

fn judge_additions(
    before: &Before<'_>,
    committer: &LeafFacts,
    effect: &Effect,
    removals: &[Removal<'_>],
) -> Judgement<()> {
    for facts in &effect.added {
        if facts.generation < generation_floor(before, &facts.account) {
            return Err(Violation::Generation);
        }
        // OpenMLS does not compare added keys with those of members who are removed by the same commit.
        let reused = removals
            .iter()
            .any(|removal| removal.target.key == facts.key && !removal.target.same_device(facts));
        if reused {
            return Err(Violation::Duplicate);
        }
        let comes_back = removals
            .iter()
            .any(|removal| removal.target.same_device(facts));
        if !comes_back && !takes_the_place(before, &effect.removed, facts) {
            may_add(before.settings, committer, &facts.account)?;
        }
    }
    Ok(())
}

/// Whether an added device takes the place of all that its account has here: it says so for this conversation, its device-signing key is
/// of a higher generation than any seen (so the recovery phrase made it), and no older device of the account stays. Any member may commit
/// that, since nobody else can bring it about.
pub(super) fn takes_the_place(before: &Before<'_>, removed: &[u32], added: &LeafFacts) -> bool {
    let mut older = before
        .leaves
        .iter()
        .filter(|(_, facts)| facts.account == added.account)
        .peekable();
    added.profile.replaces.as_ref() == Some(before.group)
        && added.generation > generation_floor(before, &added.account)
        && older.peek().is_some()
        && older.all(|(leaf, _)| removed.contains(leaf))
}

/// Whether `committer` may add a device of `account`.
pub(super) fn may_add(
    settings: &Settings,
    committer: &LeafFacts,
    account: &AccountId,
) -> Judgement<()> {
    match settings.kind {
        Kind::Direct | Kind::Notes if settings.roles.contains_key(account) => Ok(()),
        Kind::Direct | Kind::Notes => Err(Violation::FixedMembers),
        Kind::Group => {
            let allowed =
                committer.account == *account || settings.may(&committer.account, Act::Add);
            if allowed {
                Ok(())
            } else {
                Err(Violation::MayNotAdd)
            }
        }
    }
}

fn judge_removals(
    before: &Before<'_>,
    committer: &LeafFacts,
    effect: &Effect,
    removals: &[Removal<'_>],
) -> Judgement<()> {
    for removal in removals {
        let comes_back = effect.added.iter().any(|facts| {
            facts.same_device(removal.target)
                || (facts.account == removal.target.account
                    && takes_the_place(before, &effect.removed, facts))
        });
        if removal.own_act {
            if !comes_back {
                may_remove(before.settings, &committer.account, &removal.target.account)?;
            }
        } else if removal.by.account != removal.target.account {
            return Err(Violation::NotOwnLeave);
        }
    }
    Ok(())
}

/// Whether a device of `by` may remove a device of `target`.
pub(super) fn may_remove(settings: &Settings, by: &AccountId, target: &AccountId) -> Judgement<()> {
    if by == target {
        return Ok(());
    }
    match (settings.kind, settings.role(by), settings.role(target)) {
        (Kind::Direct | Kind::Notes, ..) => Err(Violation::FixedMembers),
        (Kind::Group, Role::Owner, _) | (Kind::Group, Role::Admin, Role::Member) => Ok(()),
        (Kind::Group, ..) => Err(Violation::MayNotRemove),
    }
}

/// Each device once, and in a direct conversation nobody goes for good.
fn judge_members(before: &Before<'_>, after: &[&LeafFacts]) -> Judgement<()> {
    let devices: BTreeSet<_> = after
        .iter()
        .map(|facts| (facts.account, facts.device))
        .collect();
    let keys: BTreeSet<_> = after.iter().map(|facts| facts.key).collect();
    if devices.len() != after.len() || keys.len() != after.len() {
        return Err(Violation::Duplicate);
    }
    if before.settings.kind != Kind::Group {
        let accounts: BTreeSet<_> = after.iter().map(|facts| facts.account).collect();
        if before
            .leaves
            .values()
            .any(|facts| !accounts.contains(&facts.account))
        {
            return Err(Violation::FixedMembers);
        }
    }
    Ok(())
}

/// Every member sends to all devices at once, and a server takes so many addresses and no more: whoever may bring in devices of their own must
/// not bring in so many that nobody can say anything any more. What has too many already may change, and not grow.
fn judge_numbers(before: &Before<'_>, effect: &Effect, after: &[&LeafFacts]) -> Judgement<()> {
    let too_many = |most: usize, counts: &dyn Fn(&LeafFacts) -> bool| {
        let here = before.leaves.values().filter(|facts| counts(facts)).count();
        let then = after.iter().filter(|facts| counts(facts)).count();
        then > most && then > here
    };
    let accounts: BTreeSet<_> = effect.added.iter().map(|facts| facts.account).collect();
    let of_one = accounts
        .iter()
        .any(|account| too_many(DEVICES_OF_ACCOUNT, &|facts| facts.account == *account));
    if of_one || too_many(DEVICES, &|_| true) {
        return Err(Violation::TooMany);
    }
    Ok(())
}

fn judge_settings(
    before: &Before<'_>,
    committer: &LeafFacts,
    effect: &Effect,
    after: &[&LeafFacts],
) -> Judgement<()> {
    let (old, new) = (before.settings, &effect.settings);
    if new.kind != old.kind || new.channel_id != old.channel_id {
        return Err(Violation::Settings);
    }
    let role = old.role(&committer.account);
    let admin = old.kind != Kind::Group || role >= Role::Admin;
    let by = &committer.account;
    let renamed = new.name != old.name && !old.may(by, Act::Rename);
    let timed = new.policy.timer_s != old.policy.timer_s && !old.may(by, Act::SetTimer);
    let moved = (new.origin != old.origin || new.pin != old.pin) && !admin;
    if renamed || timed || moved || !old.may_set(by, &new.policy) {
        return Err(Violation::MayNotChange);
    }
    if old.kind != Kind::Group {
        return if new.roles == old.roles {
            Ok(())
        } else {
            Err(Violation::FixedMembers)
        };
    }
    let accounts: BTreeSet<_> = after.iter().map(|facts| facts.account).collect();
    // Whoever goes loses the role with it, so that coming back does not bring it back.
    let kept: BTreeMap<_, _> = old
        .roles
        .iter()
        .filter(|(account, _)| accounts.contains(account))
        .map(|(account, role)| (*account, *role))
        .collect();
    if new.roles != kept && role != Role::Owner {
        return Err(Violation::MayNotChange);
    }
    if new.roles.keys().any(|account| !accounts.contains(account)) {
        return Err(Violation::Settings);
    }
    if !new.roles.values().any(|role| *role == Role::Owner) {
        return Err(Violation::NoOwner);
    }
    Ok(())
}

/// The highest generation seen of an account never falls, and is never claimed without a leaf that shows it.
fn judge_generations(before: &Before<'_>, effect: &Effect, after: &[&LeafFacts]) -> Judgement<()> {
    let recorded = &effect.settings.generations;
    let shown = shown_generations(after.iter().copied());
    let accounts: BTreeSet<_> = before
        .settings
        .generations
        .keys()
        .chain(recorded.keys())
        .chain(shown.keys())
        .collect();
    for account in accounts {
        let floor = generation_floor(before, account);
        let shown = shown.get(account).copied().unwrap_or(0);
        let record = recorded.get(account).copied().unwrap_or(0);
        // Of an account that goes for good, only what is on record already has to stay.
        let kept_before = before
            .settings
            .generations
            .get(account)
            .copied()
            .unwrap_or(0);
        let must_keep = if shown > 0 { floor } else { kept_before };
        if record.max(shown) < must_keep || record > floor.max(shown) {
            return Err(Violation::Generation);
        }
    }
    Ok(())
}

fn shown_generations<'a>(leaves: impl Iterator<Item = &'a LeafFacts>) -> BTreeMap<AccountId, u32> {
    let mut shown = BTreeMap::new();
    for facts in leaves {
        let highest = shown.entry(facts.account).or_insert(0);
        *highest = facts.generation.max(*highest);
    }
    shown
}

/// The highest device-signing key generation seen of an account: on record, or in a leaf.
pub(super) fn generation_floor(before: &Before<'_>, account: &AccountId) -> u32 {
    let recorded = before
        .settings
        .generations
        .get(account)
        .copied()
        .unwrap_or(0);
    before
        .leaves
        .values()
        .filter(|facts| facts.account == *account)
        .map(|facts| facts.generation)
        .fold(recorded, u32::max)
}

/// The settings as a commit with these leaves after it has to carry them: roles of those who go are dropped, and
/// generations that no leaf shows any more are put on record.
pub(super) fn normalised(before: &Before<'_>, wanted: &Settings, after: &[&LeafFacts]) -> Settings {
    let mut settings = wanted.clone();
    let shown = shown_generations(after.iter().copied());
    if settings.kind == Kind::Group {
        settings
            .roles
            .retain(|account, role| shown.contains_key(account) && *role != Role::Member);
    }
    let accounts: BTreeSet<_> = before
        .settings
        .generations
        .keys()
        .chain(shown.keys())
        .copied()
        .collect();
    settings.generations = accounts
        .into_iter()
        .filter_map(|account| {
            let floor = generation_floor(before, &account);
            let hidden = shown.get(&account).is_none_or(|shown| floor > *shown);
            (hidden && floor > 0).then_some((account, floor))
        })
        .collect();
    settings
}

/// A whole tree that comes in with a Welcome.
pub(super) fn authorize_tree(
    group: &GroupId,
    leaves: &BTreeMap<u32, LeafFacts>,
    settings: &Settings,
    adder: u32,
) -> Judgement<()> {
    let all: Vec<_> = leaves.values().collect();
    let accounts: BTreeSet<_> = all.iter().map(|facts| facts.account).collect();
    let before = Before {
        group,
        leaves,
        settings,
    };
    judge_members(&before, &all)?;
    match settings.kind {
        Kind::Group => {
            if settings
                .roles
                .keys()
                .any(|account| !accounts.contains(account))
            {
                return Err(Violation::Settings);
            }
        }
        Kind::Direct | Kind::Notes => {
            if accounts
                .iter()
                .any(|account| !settings.roles.contains_key(account))
            {
                return Err(Violation::FixedMembers);
            }
        }
    }
    if leaves.contains_key(&adder) {
        Ok(())
    } else {
        Err(Violation::Framing)
    }
}
