//! What goes to other servers, and what they bring. See docs/protocol.md section 10.
//!
//! A parcel is written in the transaction that accepts the send it belongs to, and sealed before that. What is delivered is queued in
//! one transaction with the mark that it was.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};
use undertone_wire::ids::{random_bytes, sha256};
use undertone_wire::proto::{self, ItemKind};

use super::fan_out::Payload;
use super::others::{Room, Waiting};
use super::writer::{Failure, Writer};
use super::{loaded, stored};
use crate::store::{Accepted, AnySend, Brought, Forwarding, Outgoing, ParcelMark, StoreError};

/// What a row of `brought_parcels` or a renamed address takes.
const ROW_BYTES: usize = 512;

impl Writer<'_> {
    /// Accepts a send and writes its parcels. One that finds no room is left out, and its bit is set behind those of the addresses.
    pub(super) fn forwarding(&mut self, forwarding: &Forwarding) -> Result<Accepted, Failure> {
        let send = &forwarding.send;
        if self.was_accepted(send)? {
            return self.accept(send);
        }
        self.load_waiting()?;
        let payload = send.payload().len();
        let mut taken: Vec<&Outgoing> = Vec::new();
        let mut bytes = 0;
        let mut left_out = forwarding.left_out.clone();
        let crowded_out = {
            let Some(waiting) = &self.state.waiting else {
                return Err(StoreError::Busy.into());
            };
            let others = self.shared.others();
            let mut room = Room::new(waiting, &others, &self.shared.limits, self.today);
            for outgoing in &forwarding.parcels {
                let weight = outgoing.wrapping.parcel_bytes(payload);
                if room.take(&outgoing.server, weight as u64) {
                    taken.push(outgoing);
                    bytes += weight;
                } else {
                    left_out.push(outgoing.index);
                }
            }
            room.crowded_out()
        };
        self.take_room(bytes)?;
        let mut accepted = self.accept(send)?;
        for server in crowded_out {
            self.give_up_parcels(&server)?;
        }
        let item = self.item_of(send, accepted.number);
        for outgoing in taken {
            self.put_parcel(outgoing, &item)?;
        }
        if !left_out.is_empty() {
            accepted.missed = with_bits(
                &accepted.missed,
                left_out.iter().map(|bundle| send.addresses() + bundle),
            );
        }
        Ok(accepted)
    }

    fn accept(&mut self, send: &AnySend) -> Result<Accepted, Failure> {
        match send {
            AnySend::Direct(send) => self.send(send),
            AnySend::Channel(send) => self.channel_send(send),
            AnySend::Commit(commit) => self.channel_commit(commit),
            AnySend::Control(control) => self.channel_control(control),
        }
    }

    /// Whether the send is answered from memory: its parcels were written then.
    fn was_accepted(&mut self, send: &AnySend) -> Result<bool, Failure> {
        Ok(match send {
            AnySend::Direct(send) => self.state.recent_sends.get(&send.send_id).is_some(),
            AnySend::Channel(send) => self.state.recent_sends.get(&send.send_id).is_some(),
            AnySend::Control(send) => self.state.recent_sends.get(&send.send_id).is_some(),
            AnySend::Commit(commit) => self
                .load_channel(&commit.channel)?
                .and_then(|channel| channel.last_commit)
                .is_some_and(|(hash, _)| hash == sha256(&commit.payload)),
        })
    }

    /// What the other server queues: as it is queued here, without an address.
    fn item_of(&self, send: &AnySend, number: u64) -> proto::QueueItem {
        let (kind, epoch, channel, next_lock, blob) = match send {
            AnySend::Direct(send) => (ItemKind::Direct, 0, None, None, send.blob),
            AnySend::Channel(send) => (
                ItemKind::Application,
                send.epoch,
                Some(send.channel),
                None,
                None,
            ),
            AnySend::Commit(commit) => (
                ItemKind::Commit,
                commit.epoch,
                Some(commit.channel),
                Some(commit.next_lock),
                commit.blob,
            ),
            AnySend::Control(control) => {
                let epoch = self
                    .state
                    .channels
                    .get(&control.channel)
                    .map_or(0, |channel| channel.epoch);
                (ItemKind::Control, epoch, Some(control.channel), None, None)
            }
        };
        proto::QueueItem {
            address_hash: Bytes::new(),
            kind: kind.into(),
            number,
            epoch,
            next_lock: next_lock
                .map(|lock| Bytes::copy_from_slice(&lock))
                .unwrap_or_default(),
            payload: send.payload().clone(),
            channel_hash: channel
                .map(|channel| channel.to_bytes())
                .unwrap_or_default(),
            blob_hash: blob.map(|blob| blob.to_bytes()).unwrap_or_default(),
            server_pin: Bytes::new(),
        }
    }

    fn load_waiting(&mut self) -> Result<(), Failure> {
        if self.state.waiting.is_some() {
            return Ok(());
        }
        let strangers_until = self.today.plus(self.shared.limits.stranger_days).0;
        let mut statement = self.connection.prepare_cached(
            "SELECT server, max(sequence) + 1, sum(length(sealed)), max(last_day) FROM parcels GROUP BY server",
        )?;
        let waiting = statement
            .query_map([], |row| {
                Ok((
                    row.get(0)?,
                    Waiting {
                        next_sequence: loaded(row.get(1)?),
                        bytes: loaded(row.get(2)?),
                        stranger: row.get::<_, u32>(3)? <= strangers_until,
                    },
                ))
            })?
            .collect::<rusqlite::Result<HashMap<String, Waiting>>>()?;
        self.state.waiting = Some(waiting);
        Ok(())
    }

    /// So many bytes fewer wait for a server.
    fn no_longer_waits(&mut self, server: &str, bytes: u64) {
        let Some(all) = &mut self.state.waiting else {
            return;
        };
        let Some(waiting) = all.get_mut(server) else {
            return;
        };
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        if waiting.bytes == 0 {
            all.remove(server);
            self.shared.others().has_nothing_waiting(server);
        }
    }

    /// Deletes all that waits for a server.
    fn give_up_parcels(&mut self, server: &str) -> Result<(), Failure> {
        self.connection
            .prepare_cached("DELETE FROM parcels WHERE server = ?1")?
            .execute([server])?;
        self.no_longer_waits(server, u64::MAX);
        Ok(())
    }

    fn put_parcel(&mut self, outgoing: &Outgoing, item: &proto::QueueItem) -> Result<(), Failure> {
        let Ok(sealed) = outgoing.wrapping.seal(&random_bytes(), item.clone()) else {
            return Ok(());
        };
        let Some(waiting) = &mut self.state.waiting else {
            return Ok(());
        };
        let limits = &self.shared.limits;
        if !waiting.contains_key(&outgoing.server) {
            let stranger = self
                .shared
                .others()
                .is_stranger(&outgoing.server, self.today, limits);
            let new = Waiting {
                next_sequence: 1,
                bytes: 0,
                stranger,
            };
            waiting.insert(outgoing.server.clone(), new);
        }
        let Some(entry) = waiting.get_mut(&outgoing.server) else {
            return Ok(());
        };
        let sequence = entry.next_sequence;
        entry.next_sequence = sequence + 1;
        entry.bytes += sealed.len() as u64;
        let days = if entry.stranger {
            limits.stranger_days.min(limits.item_days)
        } else {
            limits.item_days
        };
        let last_day = self.today.plus(days).0;
        self.connection
            .prepare_cached(
                "INSERT INTO parcels (server, sequence, last_day, sealed) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![outgoing.server, stored(sequence), last_day, sealed])?;
        Ok(())
    }

    /// The other server has everything up to this one. If that has run out meanwhile, its number may stand for another by now; then
    /// nothing is deleted, and what is left of the others is brought once more.
    pub(super) fn parcels_taken(&mut self, taken: &(String, ParcelMark)) -> Result<(), Failure> {
        let (server, upto) = taken;
        self.load_waiting()?;
        self.shared.others().took_something(server, self.today);
        let is_there = self
            .connection
            .prepare_cached(
                "SELECT 1 FROM parcels WHERE server = ?1 AND sequence = ?2 AND substr(sealed, 1, ?3) = ?4",
            )?
            .exists(params![
                server,
                stored(upto.sequence),
                upto.beginning.len() as i64,
                upto.beginning
            ])?;
        if !is_there {
            return Ok(());
        }
        let lengths = self
            .connection
            .prepare_cached(
                "DELETE FROM parcels WHERE server = ?1 AND sequence <= ?2 RETURNING length(sealed)",
            )?
            .query_map(params![server, stored(upto.sequence)], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        let bytes = lengths.into_iter().map(loaded).sum();
        self.no_longer_waits(server, bytes);
        self.no_longer_stranger(server)
    }

    /// What waits for a server that turned out to be there is kept as long as anything is.
    fn no_longer_stranger(&mut self, server: &str) -> Result<(), Failure> {
        let waiting = self.state.waiting.as_mut();
        let Some(waiting) = waiting.and_then(|all| all.get_mut(server)) else {
            return Ok(());
        };
        if std::mem::replace(&mut waiting.stranger, false) {
            let last_day = self.today.plus(self.shared.limits.item_days).0;
            self.connection
                .prepare_cached("UPDATE parcels SET last_day = ?2 WHERE server = ?1")?
                .execute(params![server, last_day])?;
        }
        Ok(())
    }

    /// Queues what another server brought, once. Answers whether it reached anybody, now or before; of what reaches nobody nothing is
    /// remembered, since anybody can bring that.
    pub(super) fn bring(&mut self, brought: &Brought) -> Result<bool, Failure> {
        let hash = sha256(&[&brought.from.as_bytes()[..], &brought.parcel].concat());
        let seen = self
            .connection
            .prepare_cached("SELECT 1 FROM brought_parcels WHERE parcel_hash = ?1")?
            .query_row([hash], |_| Ok(()))
            .optional()?;
        if seen.is_some() {
            return Ok(true);
        }
        let item = &brought.item;
        if self.full && item.kind != undertone_wire::response::ItemKind::Commit {
            return Err(StoreError::Full.into());
        }
        self.take_room(ROW_BYTES.saturating_mul(brought.renames.len() + 1))?;
        let payload = Payload {
            kind: item.kind.to_proto(),
            number: item.number,
            epoch: item.epoch,
            next_lock: item.next_lock.as_ref(),
            channel: item.channel.as_ref(),
            blob: item.blob.as_ref(),
            server: Some(&brought.from),
            bytes: &item.payload,
        };
        let missed = self.fan_out(&payload, &brought.addresses)?;
        let missed: u32 = missed.iter().map(|byte| byte.count_ones()).sum();
        let renamed = self.rename_addresses(&brought.renames)?;
        if missed as usize == brought.addresses.len() && renamed == 0 {
            return Ok(false);
        }
        self.connection
            .prepare_cached("INSERT INTO brought_parcels (parcel_hash, last_day) VALUES (?1, ?2)")?
            .execute(params![
                hash,
                self.today.plus(self.shared.limits.item_days + 1).0
            ])?;
        Ok(true)
    }

    /// Deletes some of what nobody took in time, and marks of parcels that no server brings any more.
    pub(super) fn sweep_parcels(&mut self, at_once: u32) -> Result<u64, Failure> {
        let gone = self
            .connection
            .prepare_cached(
                "DELETE FROM parcels WHERE (server, sequence) IN
                 (SELECT server, sequence FROM parcels WHERE last_day < ?1 LIMIT ?2)
                 RETURNING server, length(sealed)",
            )?
            .query_map(params![self.today.0, at_once], |row| {
                Ok((row.get(0)?, loaded(row.get(1)?)))
            })?
            .collect::<rusqlite::Result<Vec<(String, u64)>>>()?;
        let parcels = gone.len();
        for (server, bytes) in gone {
            self.no_longer_waits(&server, bytes);
        }
        let marks = self
            .connection
            .prepare_cached(
                "DELETE FROM brought_parcels WHERE parcel_hash IN
                 (SELECT parcel_hash FROM brought_parcels WHERE last_day < ?1 LIMIT ?2)",
            )?
            .execute(params![self.today.0, at_once])?;
        Ok((parcels + marks) as u64)
    }

    /// Whether a channel gives guests an allowance; it counts as used.
    pub(super) fn visit(&mut self, channel: &crate::store::ChannelHash) -> Result<bool, Failure> {
        let hosted = self
            .load_channel(channel)?
            .is_some_and(|channel| channel.hosted);
        if hosted {
            self.change_channel(channel, |_| {});
        }
        Ok(hosted)
    }
}

/// A bitmap with more bits set.
fn with_bits(bits: &[u8], more: impl Iterator<Item = usize>) -> Bytes {
    let mut bits = bits.to_vec();
    for index in more {
        if bits.len() <= index / 8 {
            bits.resize(index / 8 + 1, 0);
        }
        bits[index / 8] |= 1 << (index % 8);
    }
    bits.into()
}
