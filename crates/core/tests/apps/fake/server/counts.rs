//! What there is on the server.

use super::*;

impl FakeServer {
    /// Copies of what is never stored that somebody was there for.
    pub fn ephemerals(&self) -> u64 {
        lock(&self.state).ephemerals
    }

    /// Items on their way to somebody who is here: those that are held or whose owner is away are not.
    pub fn items_on_their_way(&self) -> usize {
        let state = lock(&self.state);
        let here = |id: &QueueId, queue: &Queue| {
            let line = queue.line.as_ref();
            !state.held.contains(id) && line.is_some_and(|line| lock(line).open)
        };
        let queues = state.queues.iter().filter(|(id, queue)| here(id, queue));
        queues.map(|(_, queue)| queue.items.len()).sum()
    }

    /// Items that lie in this queue; none if there is no such queue any more.
    pub fn items_of(&self, queue: QueueId) -> Option<usize> {
        let state = lock(&self.state);
        state.queues.get(&queue).map(|queue| queue.items.len())
    }

    /// Items that lie in all queues.
    pub fn items(&self) -> usize {
        lock(&self.state)
            .queues
            .values()
            .map(|queue| queue.items.len())
            .sum()
    }
}
