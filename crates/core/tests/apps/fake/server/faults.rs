//! What goes wrong next: items that are lost or damaged, commits that are nonsense, answers that are refusals.

use super::*;

impl FakeServer {
    /// The next item for this queue never gets there.
    pub fn lose_next_to(&self, queue: QueueId) {
        lock(&self.state).lose_next_to = Some(queue);
    }

    /// The next direct item for this queue never gets there.
    pub fn lose_next_direct_to(&self, queue: QueueId) {
        lock(&self.state).lose_next_direct_to = Some(queue);
    }

    /// Whether that is still to come.
    pub fn loses_direct_to(&self, queue: QueueId) -> bool {
        lock(&self.state).lose_next_direct_to == Some(queue)
    }

    /// The next so many sends and commits are refused with this.
    pub fn refuse_next(&self, times: u32, code: Code) {
        lock(&self.state).refuse_next = Some((code, times));
    }

    /// The next message is taken for one of the epoch before.
    pub fn misdate_next_message(&self) {
        lock(&self.state).misdate_next_message = true;
    }

    /// Answers so far that were nonsense.
    pub fn lies(&self) -> u64 {
        lock(&self.state).lies
    }

    /// The next commit arrives everywhere with the same bit flipped, as if a member had made nonsense of it.
    pub fn spoil_next_commit(&self) {
        lock(&self.state).spoil_next_commit = true;
    }

    /// The next commit names another blob than it refers to, as if a member had it so.
    pub fn misname_next_commit(&self) {
        lock(&self.state).misname_next_commit = true;
    }

    /// The next so many pushed items have a bit flipped on the way.
    pub fn damage_next_pushes(&self, count: u32) {
        lock(&self.state).damage_next_push = count;
    }

    /// All key packages of this queue's owner have been taken, also those of last resort.
    pub fn empty_pools_of(&self, queue: QueueId) {
        let mut state = lock(&self.state);
        let State {
            pools, addresses, ..
        } = &mut *state;
        pools.retain(|address, _| addresses.get(address).is_none_or(|(of, _)| *of != queue));
    }

    /// Somebody else has the next so many new addresses for key packages.
    pub fn take_next_addresses(&self, count: u32) {
        lock(&self.state).take_addresses = count;
    }
}
