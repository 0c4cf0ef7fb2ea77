//! The channel rules against a model of them, over random scripts.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::channels::{channel, commit, control, message};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Send {
        back: u64,
    },
    Ahead,
    Commit {
        removes: bool,
        wrong_key: bool,
        back: u64,
    },
    Repeat,
    Control,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5u64).prop_map(|back| Step::Send { back }),
        1 => Just(Step::Ahead),
        4 => (any::<bool>(), proptest::bool::weighted(0.2), prop_oneof![3 => Just(0u64), 1 => 1..3u64])
            .prop_map(|(removes, wrong_key, back)| Step::Commit { removes, wrong_key, back }),
        1 => Just(Step::Repeat),
        1 => Just(Step::Control),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..30)
}

/// The rules of docs/protocol.md section 4, written down a second time.
struct Model {
    epoch: u64,
    min_send_epoch: u64,
    number: u64,
    last: Option<(ChannelCommit, u64)>,
}

impl Model {
    fn send(&mut self, epoch: u64) -> Result<u64, StoreError> {
        if epoch < self.min_send_epoch || epoch > self.epoch {
            return Err(StoreError::Stale {
                epoch: self.epoch,
                min_send_epoch: self.min_send_epoch,
            });
        }
        self.number += 1;
        Ok(self.number)
    }

    fn commit(&mut self, commit: &ChannelCommit, right_key: bool) -> Result<u64, StoreError> {
        if let Some((last, number)) = &self.last
            && last.payload == commit.payload
        {
            return Ok(*number);
        }
        if commit.epoch != self.epoch {
            return Err(StoreError::Epoch { epoch: self.epoch });
        }
        if !right_key {
            return Err(StoreError::Lock);
        }
        self.min_send_epoch = if commit.removes {
            self.epoch + 1
        } else {
            self.min_send_epoch.max(self.epoch.saturating_sub(1))
        };
        self.epoch += 1;
        self.number += 1;
        self.last = Some((commit.clone(), self.number));
        Ok(self.number)
    }
}

/// Whatever is sent in whatever order: answers, numbers and what arrives are as the model says.
pub(crate) fn channels_keep_to_their_rules(mut world: World) {
    let ada = world.owner();
    let to = [world.conversation(&ada)];
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let cell = std::cell::RefCell::new(&mut world);
    runner
        .run(&steps(), |steps| {
            let mut world = cell.borrow_mut();
            let channel = channel(&world, 2);
            let mut model = Model {
                epoch: 2,
                min_send_epoch: 2,
                number: 0,
                last: None,
            };
            let before = world.store.sign_in(ada.queue).wait().unwrap().next_sequence;
            for (index, step) in steps.into_iter().enumerate() {
                let text = format!("{index}");
                let (got, expected) = match step {
                    Step::Send { back } => {
                        let epoch = model.epoch.saturating_sub(back);
                        let got = world
                            .store
                            .channel_send(message(&channel, epoch, &text, &to))
                            .wait();
                        (got, model.send(epoch))
                    }
                    Step::Ahead => {
                        let epoch = model.epoch + 1;
                        let got = world
                            .store
                            .channel_send(message(&channel, epoch, &text, &to))
                            .wait();
                        (got, model.send(epoch))
                    }
                    Step::Commit {
                        removes,
                        wrong_key,
                        back,
                    } => {
                        let epoch = model.epoch.saturating_sub(back);
                        let mut commit = ChannelCommit {
                            removes,
                            ..commit(&channel, epoch, &text, &to)
                        };
                        if wrong_key {
                            commit.key_hash = random();
                        }
                        (
                            world.store.channel_commit(commit.clone()).wait(),
                            model.commit(&commit, !wrong_key),
                        )
                    }
                    Step::Repeat => {
                        let Some((commit, _)) = model.last.clone() else {
                            continue;
                        };
                        (
                            world.store.channel_commit(commit.clone()).wait(),
                            model.commit(&commit, true),
                        )
                    }
                    Step::Control => {
                        model.number += 1;
                        (
                            world
                                .store
                                .channel_control(control(&channel, &text, &to))
                                .wait(),
                            Ok(model.number),
                        )
                    }
                    Step::Restart => {
                        world.restart();
                        continue;
                    }
                };
                prop_assert_eq!(got.map(|accepted| accepted.number), expected);
            }
            let arrived: Vec<u64> = world
                .fetch(&ada, before)
                .iter()
                .map(|item| ada.open(item).unwrap().number)
                .collect();
            prop_assert_eq!(arrived, (1..=model.number).collect::<Vec<_>>());
            world.ack(&ada, u64::MAX);
            Ok(())
        })
        .unwrap();
}
