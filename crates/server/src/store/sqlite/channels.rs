//! Channels: one order of commits and messages for each conversation. See docs/protocol.md section 4.

use rusqlite::{OptionalExtension, params};
use undertone_wire::ids::sha256;
use undertone_wire::proto::ItemKind;

use super::fan_out::Payload;
use super::state::ChannelState;
use super::writer::{Failure, Writer};
use super::{loaded, stored};
use crate::store::{
    Accepted, ChannelCommit, ChannelControl, ChannelHash, ChannelSend, NewChannel, SendId,
    StoreError,
};

/// How far `min_send_epoch` stays behind the epoch that a commit without a removal ends: messages of the new epoch,
/// of the one before and of the one before that are taken.
const EPOCHS_BACK: u64 = 1;

/// What a new channel or a renamed address takes, with its place in indexes.
const ROW_BYTES: usize = 512;

impl Writer<'_> {
    /// `hosted`: whether it was paid for with this server's tokens.
    pub(super) fn create_channel(&mut self, new: &NewChannel, hosted: bool) -> Result<(), Failure> {
        if let Some(channel) = self.load_channel(&new.channel)? {
            if hosted && !channel.hosted {
                self.change_channel(&new.channel, |channel| channel.hosted = true);
            }
            let same = channel.epoch == new.epoch && channel.lock == new.lock;
            return if same {
                Ok(())
            } else {
                Err(StoreError::ChannelTaken.into())
            };
        }
        self.take_room(ROW_BYTES)?;
        self.connection
            .prepare_cached(
                "INSERT INTO channels (channel_hash, epoch, lock, min_send_epoch, next_number, last_commit_hash,
                 last_commit_number, last_used_day, hosted) VALUES (?1, ?2, ?3, ?4, 1, NULL, 0, ?5, ?6)",
            )?
            .execute(params![
                new.channel.as_bytes(),
                stored(new.epoch),
                new.lock,
                stored(new.min_send_epoch),
                self.today.0,
                hosted
            ])?;
        Ok(())
    }

    pub(super) fn channel_send(&mut self, send: &ChannelSend) -> Result<Accepted, Failure> {
        if let Some(accepted) = self.state.recent_sends.get(&send.send_id) {
            return Ok(accepted);
        }
        let channel = self.known_channel(&send.channel)?;
        if send.epoch < channel.min_send_epoch || send.epoch > channel.epoch {
            return Err(StoreError::Stale {
                epoch: channel.epoch,
                min_send_epoch: channel.min_send_epoch,
            }
            .into());
        }
        if self.full {
            return Err(StoreError::Full.into());
        }
        let number = channel.next_number;
        let payload = Payload {
            kind: ItemKind::Application,
            number,
            epoch: send.epoch,
            next_lock: None,
            channel: Some(&send.channel),
            blob: None,
            server: None,
            bytes: &send.payload,
        };
        let missed = self.fan_out(&payload, &send.addresses)?;
        self.change_channel(&send.channel, |channel| channel.next_number += 1);
        Ok(self.remember(send.send_id, Accepted { number, missed }))
    }

    pub(super) fn channel_control(
        &mut self,
        control: &ChannelControl,
    ) -> Result<Accepted, Failure> {
        if let Some(accepted) = self.state.recent_sends.get(&control.send_id) {
            return Ok(accepted);
        }
        let channel = self.known_channel(&control.channel)?;
        if self.full {
            return Err(StoreError::Full.into());
        }
        let number = channel.next_number;
        let payload = Payload {
            kind: ItemKind::Control,
            number,
            epoch: channel.epoch,
            next_lock: None,
            channel: Some(&control.channel),
            blob: None,
            server: None,
            bytes: &control.payload,
        };
        let missed = self.fan_out(&payload, &control.addresses)?;
        self.change_channel(&control.channel, |channel| channel.next_number += 1);
        Ok(self.remember(control.send_id, Accepted { number, missed }))
    }

    pub(super) fn channel_commit(&mut self, commit: &ChannelCommit) -> Result<Accepted, Failure> {
        let channel = self.known_channel(&commit.channel)?;
        let hash = sha256(&commit.payload);
        if let Some((last, number)) = channel.last_commit
            && last == hash
        {
            // The bitmap is remembered in memory only: at rest it would say how many addresses a channel has.
            let missed = self
                .state
                .recent_commits
                .get(&commit_id(&hash))
                .map(|accepted| accepted.missed);
            return Ok(Accepted {
                number,
                missed: missed.unwrap_or_default(),
            });
        }
        if commit.epoch != channel.epoch {
            return Err(StoreError::Epoch {
                epoch: channel.epoch,
            }
            .into());
        }
        if commit.key_hash != channel.lock {
            return Err(StoreError::Lock.into());
        }
        self.check_blob(commit.blob.as_ref())?;
        self.take_room(ROW_BYTES.saturating_mul(commit.renames.len()))?;
        let Some(next_epoch) = channel.epoch.checked_add(1) else {
            return Err(StoreError::Epoch {
                epoch: channel.epoch,
            }
            .into());
        };
        let number = channel.next_number;
        let payload = Payload {
            kind: ItemKind::Commit,
            number,
            epoch: commit.epoch,
            next_lock: Some(&commit.next_lock),
            channel: Some(&commit.channel),
            blob: commit.blob.as_ref(),
            server: None,
            bytes: &commit.payload,
        };
        // By the present names: a member learns the new ones from this very item.
        let missed = self.fan_out(&payload, &commit.addresses)?;
        self.rename_addresses(&commit.renames)?;
        self.change_channel(&commit.channel, |channel| {
            channel.min_send_epoch = if commit.removes {
                next_epoch
            } else {
                channel
                    .min_send_epoch
                    .max(channel.epoch.saturating_sub(EPOCHS_BACK))
            };
            channel.epoch = next_epoch;
            channel.lock = commit.next_lock;
            channel.next_number += 1;
            channel.last_commit = Some((hash, number));
        });
        let accepted = Accepted { number, missed };
        self.state
            .recent_commits
            .put(commit_id(&hash), accepted.clone());
        Ok(accepted)
    }

    fn remember(&mut self, send_id: SendId, accepted: Accepted) -> Accepted {
        self.state.recent_sends.put(send_id, accepted.clone());
        accepted
    }

    fn known_channel(&mut self, channel: &ChannelHash) -> Result<ChannelState, Failure> {
        self.load_channel(channel)?
            .ok_or_else(|| StoreError::UnknownChannel.into())
    }

    pub(super) fn load_channel(
        &mut self,
        channel: &ChannelHash,
    ) -> rusqlite::Result<Option<ChannelState>> {
        if let Some(state) = self.state.channels.get(channel) {
            return Ok(Some(state.clone()));
        }
        let state = self
            .connection
            .prepare_cached(
                "SELECT epoch, lock, min_send_epoch, next_number, last_commit_hash, last_commit_number, last_used_day,
                 hosted FROM channels WHERE channel_hash = ?1",
            )?
            .query_row([channel.as_bytes()], |row| {
                let last_commit_hash: Option<[u8; 32]> = row.get(4)?;
                let last_commit_number = loaded(row.get(5)?);
                Ok(ChannelState {
                    epoch: loaded(row.get(0)?),
                    lock: row.get(1)?,
                    min_send_epoch: loaded(row.get(2)?),
                    next_number: loaded(row.get(3)?),
                    last_commit: last_commit_hash.map(|hash| (hash, last_commit_number)),
                    last_used_day: row.get(6)?,
                    hosted: row.get(7)?,
                    unsaved: false,
                })
            })
            .optional()?;
        if let Some(state) = &state {
            self.state.channels.insert(*channel, state.clone());
        }
        Ok(state)
    }

    pub(super) fn change_channel(
        &mut self,
        channel: &ChannelHash,
        change: impl FnOnce(&mut ChannelState),
    ) {
        let Some(state) = self.state.channels.get_mut(channel) else {
            return;
        };
        change(state);
        state.last_used_day = self.today.0;
        if !std::mem::replace(&mut state.unsaved, true) {
            self.unsaved_channels.push(*channel);
        }
    }

    /// Writes the channels of this transaction back, once each.
    pub(super) fn save_channels(&mut self) -> rusqlite::Result<()> {
        for channel in std::mem::take(&mut self.unsaved_channels) {
            let Some(state) = self.state.channels.get_mut(&channel) else {
                continue;
            };
            state.unsaved = false;
            self.connection
                .prepare_cached(
                    "UPDATE channels SET epoch = ?2, lock = ?3, min_send_epoch = ?4, next_number = ?5,
                     last_commit_hash = ?6, last_commit_number = ?7, last_used_day = ?8,
                     hosted = ?9 WHERE channel_hash = ?1",
                )?
                .execute(params![
                    channel.as_bytes(),
                    stored(state.epoch),
                    state.lock,
                    stored(state.min_send_epoch),
                    stored(state.next_number),
                    state.last_commit.map(|(hash, _)| hash),
                    stored(state.last_commit.map_or(0, |(_, number)| number)),
                    state.last_used_day,
                    state.hosted
                ])?;
        }
        Ok(())
    }
}

/// The name under which a commit's answer is remembered.
fn commit_id(hash: &[u8; 32]) -> SendId {
    let mut id = [0; SendId::LEN];
    id.copy_from_slice(&hash[..SendId::LEN]);
    SendId::new(id)
}
