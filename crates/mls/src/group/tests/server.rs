//! The server's part of the town: it orders channels, renames addresses, and hands out items.

use undertone_wire::{ids::ChannelId, secrets::AddressSecret};

use super::town::{Channel, Item, Town};
use crate::{Body, EnvelopeKind, GroupId, Outgoing, PendingCommit, Result};

impl Town {
    pub(super) fn seal_commit(&mut self, who: usize, pending: &PendingCommit) -> Vec<u8> {
        self.devices[who]
            .with(&pending.group_id, |group, provider, _| {
                group.seal(
                    provider,
                    EnvelopeKind::Commit,
                    pending.epoch,
                    &Body::Inline(&pending.body),
                )
            })
            .unwrap()
    }

    pub(super) fn send_commit(&mut self, who: usize, pending: &PendingCommit) -> bool {
        let payload = self.seal_commit(who, pending);
        let channel = self.devices[who].channel[&pending.group_id].channel_id;
        let accepted = self.accept(
            channel,
            pending.epoch,
            &pending.channel_key.lock(),
            pending.next_lock,
            payload,
            &pending.addresses,
            pending.removes,
        );
        if accepted {
            for rename in &pending.renames {
                let owner = self.addresses[&rename.old.hash()];
                self.addresses.insert(rename.new_hash, owner);
            }
        }
        accepted
    }

    /// The server's ChannelCommit.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn accept(
        &mut self,
        channel_id: ChannelId,
        epoch: u64,
        lock: &[u8; 32],
        next_lock: [u8; 32],
        payload: Vec<u8>,
        addresses: &[AddressSecret],
        removes: bool,
    ) -> bool {
        let channel = self.channels.entry(channel_id).or_insert_with(|| Channel {
            epoch,
            lock: *lock,
            ..Channel::default()
        });
        if channel.epoch != epoch || channel.lock != *lock {
            return false;
        }
        channel.epoch = epoch + 1;
        channel.lock = next_lock;
        channel.number += 1;
        channel.min_send_epoch = if removes {
            epoch + 1
        } else {
            channel.min_send_epoch.max(epoch.saturating_sub(1))
        };
        let number = channel.number;
        self.fan_out(
            addresses,
            &Item::Commit {
                channel: channel_id,
                number,
                epoch,
                next_lock,
                payload,
            },
        );
        true
    }

    pub(super) fn fan_out(&mut self, addresses: &[AddressSecret], item: &Item) {
        for address in addresses {
            match self.addresses.get(&address.hash()) {
                Some(owner) => self.devices[*owner].queue.push_back(item.clone()),
                None => self.missed += 1,
            }
        }
    }

    pub(super) fn encrypt(
        &mut self,
        who: usize,
        group: &GroupId,
        text: &str,
    ) -> (Outgoing, Vec<u8>) {
        self.devices[who]
            .with(group, |group, provider, keys| {
                let outgoing = group.encrypt(provider, keys, text.as_bytes())?;
                let payload = group.seal(
                    provider,
                    outgoing.kind,
                    outgoing.epoch,
                    &Body::Inline(&outgoing.body),
                )?;
                Ok((outgoing, payload))
            })
            .unwrap()
    }

    pub(super) fn say(&mut self, who: usize, group: &GroupId, text: &str) {
        let (outgoing, payload) = self.encrypt(who, group, text);
        assert!(self.send(who, group, outgoing.epoch, payload), "stale");
    }

    /// The server's ChannelSend. `false`: stale.
    pub(super) fn send(
        &mut self,
        who: usize,
        group: &GroupId,
        epoch: u64,
        payload: Vec<u8>,
    ) -> bool {
        let channel_id = self.devices[who].channel[group].channel_id;
        let addresses = self.devices[who]
            .with(group, |group, _, _| Ok(group.addresses()))
            .unwrap();
        let channel = self.channels.entry(channel_id).or_insert_with(|| Channel {
            epoch,
            ..Channel::default()
        });
        if epoch < channel.min_send_epoch || epoch > channel.epoch {
            return false;
        }
        channel.number += 1;
        let item = Item::Application {
            channel: channel_id,
            number: channel.number,
            epoch,
            payload,
        };
        self.fan_out(&addresses, &item);
        true
    }

    pub(super) fn leave(&mut self, who: usize, group: &GroupId) -> Result<()> {
        let (epoch, payload) = self.devices[who].with(group, |group, provider, keys| {
            let outgoing = group.leave(provider, keys)?;
            let payload = group.seal(
                provider,
                outgoing.kind,
                outgoing.epoch,
                &Body::Inline(&outgoing.body),
            )?;
            Ok((outgoing.epoch, payload))
        })?;
        assert!(self.send(who, group, epoch, payload));
        Ok(())
    }
}
