//! What a server that works may do to the order of things, and how much time has passed for everybody.

use super::{super::TestClock, *};

impl FakeServer {
    /// The next item for this queue comes after the one that follows it.
    pub fn late_next_to(&self, queue: QueueId) {
        lock(&self.state).late.entry(queue).or_insert(None);
    }

    /// The next item for this queue comes when all is calm again.
    pub fn keep_back_next_to(&self, queue: QueueId) {
        lock(&self.state).keep_back = Some((queue, false));
    }

    /// The same for the next item that comes by no channel: a Welcome, say.
    pub fn keep_back_next_direct_to(&self, queue: QueueId) {
        lock(&self.state).keep_back = Some((queue, true));
    }

    /// Whether there is something that was kept back.
    pub fn keeps_back(&self) -> bool {
        lock(&self.state).kept_back.is_some()
    }

    /// What was to come late comes now, nothing is lost or doubled any more, and everybody is let in.
    pub fn calm(&self) {
        self.let_go();
        self.deliver_times(1);
        self.set_online(true);
        let mut state = lock(&self.state);
        state.faults.clear();
        state.damage_next_push = 0;
        state.lose_next_to = None;
        state.unreachable.clear();
        state.keep_back = None;
        if let Some((queue, item)) = state.kept_back.take() {
            state.put(queue, &item);
        }
        for (queue, item) in std::mem::take(&mut state.late) {
            if let Some(item) = item {
                state.put(queue, &item);
            }
        }
    }

    /// Queues there were so far.
    pub fn registered(&self) -> usize {
        lock(&self.state).registered.len()
    }

    /// Time passes for whoever comes from now on, too.
    pub fn pass_ms(&self, ms: i64) {
        lock(&self.state).passed_ms += ms;
    }

    /// A clock that shows how much time has passed.
    pub fn clock(&self) -> TestClock {
        let clock = TestClock::default();
        clock.pass_ms(lock(&self.state).passed_ms);
        clock
    }
}

impl State {
    /// Puts an item into a queue, so often as items come at present.
    pub(super) fn put(&mut self, queue_id: QueueId, item: &QueueItem) {
        let times = self.deliver_times;
        let Some(queue) = self.queues.get_mut(&queue_id) else {
            return;
        };
        for _ in 0..times {
            let sequence = queue.next_sequence;
            queue.next_sequence += 1;
            let (nonce, sealed) =
                seal_item(&mut queue.sealing, &queue_id, sequence, &item.to_proto())
                    .expect("an item is sealed");
            let item = Item {
                sequence,
                key_id: queue.sealing.id(),
                nonce,
                sealed: sealed.into(),
            };
            queue.items.insert(sequence, item);
        }
        if let Some(line) = &queue.line {
            lock(line).wake.notify_one();
        }
    }
}
