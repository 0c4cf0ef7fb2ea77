//! What one commit is to change, and what becomes of it when no commit can be made of it.

use undertone_mls::{Change, Group, KeysInUse, PeerKeyPackage, PendingCommit};

use super::{Work, ignored, intent};
use crate::error::{Reason, Result};

/// Members added by one commit, at most.
pub(super) const BLOCK: usize = 32;

/// A change to stage and the intents that it carries.
pub(crate) struct Plan {
    pub(crate) change: Change,
    pub(crate) intents: Vec<i64>,
    /// Of additions: what each of the intents adds.
    adds: Vec<(i64, Vec<PeerKeyPackage>)>,
}

impl Plan {
    pub(super) fn of(intent: i64, change: Change) -> Self {
        Self {
            change,
            intents: vec![intent],
            adds: Vec::new(),
        }
    }

    /// An update of this device's own leaf that nobody wished for.
    pub(super) fn proof() -> Self {
        Self {
            change: Change::SelfUpdate,
            intents: Vec::new(),
            adds: Vec::new(),
        }
    }

    pub(super) fn additions(adds: Vec<(i64, Vec<PeerKeyPackage>)>) -> Self {
        let packages = adds.iter().flat_map(|(_, packages)| packages).cloned();
        Self {
            change: Change::Add(packages.collect()),
            intents: adds.iter().map(|(intent, _)| *intent).collect(),
            adds,
        }
    }

    /// The same as several changes, the first one last; none if it is of one piece. What is wrong with one need not be wrong with the others.
    pub(crate) fn parts(&self) -> Vec<Self> {
        if self.adds.len() < 2 {
            return Vec::new();
        }
        let each = self.adds.iter().rev().cloned();
        each.map(|add| Self::additions(vec![add])).collect()
    }
}

/// What is to be added by one commit.
#[derive(Default)]
pub(super) struct Additions {
    pub(super) adds: Vec<(i64, Vec<PeerKeyPackage>)>,
    /// How many devices.
    pub(super) count: usize,
    in_group: Option<KeysInUse>,
    in_plan: KeysInUse,
}

impl Additions {
    /// Takes on what an intent adds, if there is room. Devices whose keys are in use in the group are added by nobody.
    pub(super) fn push(
        &mut self,
        work: &Work<'_>,
        group: &Group,
        id: i64,
        packages: Vec<PeerKeyPackage>,
    ) -> Result<()> {
        let in_group = match self.in_group.take() {
            Some(keys) => keys,
            None => group.keys_in_use()?,
        };
        let checked = in_group.check(&packages);
        self.in_group = Some(in_group);
        if let Err(error) = checked {
            ignored::note(error.code());
            return intent::give_up(work, id, Reason::GroupRefused);
        }
        // Two who have a key in common are not added at once: whose it is, nobody here can know.
        if self.count + packages.len() <= BLOCK && self.in_plan.check(&packages).is_ok() {
            self.in_plan.take(&packages)?;
            self.count += packages.len();
            self.adds.push((id, packages));
        }
        Ok(())
    }
}

/// What came of a plan.
pub(crate) enum Staged {
    /// Its intents, and the commit.
    Yes(Vec<i64>, Box<PendingCommit>),
    /// There is nothing to stage (any more).
    No,
    /// A proof can't be given by a commit.
    NoProof,
}

/// Stages a plan, or what of it can be staged: a wish for which no commit can be made ends here, and holds up no other.
pub(crate) fn stage(work: &Work<'_>, group: &mut Group, plan: Plan) -> Result<Staged> {
    let mut plans = vec![plan];
    while let Some(plan) = plans.pop() {
        let parts = plan.parts();
        let proves = plan.intents.is_empty();
        match group.stage_commit(&work.mls, &work.keys(), plan.change) {
            Ok(pending) => return Ok(Staged::Yes(plan.intents, Box::new(pending))),
            Err(undertone_mls::Error::NothingToDo(_)) => {
                for id in plan.intents {
                    intent::end(work, id)?;
                }
            }
            Err(undertone_mls::Error::CommitPending) => {
                // Left over from a state that the rows do not know: it was never sent.
                group.clear_pending(&work.mls)?;
                return Ok(Staged::No);
            }
            // Nothing can be made of the state as it is.
            Err(error @ (undertone_mls::Error::Storage(_) | undertone_mls::Error::Corrupt(_))) => {
                return Err(error.into());
            }
            Err(_) if !parts.is_empty() => plans.extend(parts),
            // By the group's rules, or by MLS itself: it would be the same the next time.
            Err(error) => {
                ignored::note(error.code());
                if proves {
                    return Ok(Staged::NoProof);
                }
                for id in plan.intents {
                    intent::give_up(work, id, Reason::GroupRefused)?;
                }
            }
        }
    }
    Ok(Staged::No)
}
