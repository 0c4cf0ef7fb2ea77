//! One payload to many queues: sealed anew for each, in one transaction.

use bytes::Bytes;
use rusqlite::params;
use undertone_wire::ids::Pin;
use undertone_wire::padding::{self, LENGTH_PREFIX, SEAL_OVERHEAD};
use undertone_wire::proto::{self, ItemKind};

use super::stored;
use super::writer::{Failure, Writer};
use crate::store::{
    Accepted, AddressHash, BlobHash, ChannelHash, DirectSend, StoreError, StoredItem,
};

/// Where the address hash stands in a padded item: after the length, the field's tag and the field's length.
const ADDRESS_AT: usize = LENGTH_PREFIX + 2;

/// What all copies of a payload have in common.
pub(super) struct Payload<'a> {
    pub(super) kind: ItemKind,
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) next_lock: Option<&'a [u8; 32]>,
    /// The channel that accepted it: its hash goes inside what is sealed, and stands nowhere else beside a queue.
    pub(super) channel: Option<&'a ChannelHash>,
    /// The blob that was checked for it: goes inside what is sealed too.
    pub(super) blob: Option<&'a BlobHash>,
    /// The other server that brought it.
    pub(super) server: Option<&'a Pin>,
    pub(super) bytes: &'a Bytes,
}

impl Writer<'_> {
    pub(super) fn send(&mut self, send: &DirectSend) -> Result<Accepted, Failure> {
        if let Some(accepted) = self.state.recent_sends.get(&send.send_id) {
            return Ok(accepted);
        }
        if self.full {
            return Err(StoreError::Full.into());
        }
        self.check_blob(send.blob.as_ref())?;
        let payload = Payload {
            kind: ItemKind::Direct,
            number: 0,
            epoch: 0,
            next_lock: None,
            channel: None,
            blob: send.blob.as_ref(),
            server: None,
            bytes: &send.payload,
        };
        let missed = self.fan_out(&payload, &send.addresses)?;
        let accepted = Accepted { number: 0, missed };
        self.state.recent_sends.put(send.send_id, accepted.clone());
        Ok(accepted)
    }

    /// Queues the payload on each address; the answer is the bitmap of those that got nothing.
    pub(super) fn fan_out(
        &mut self,
        payload: &Payload<'_>,
        addresses: &[AddressHash],
    ) -> Result<Bytes, Failure> {
        let template = template(payload)?;
        self.take_room((template.len() + SEAL_OVERHEAD).saturating_mul(addresses.len()))?;
        let mut missed = Vec::new();
        for (index, address) in addresses.iter().enumerate() {
            if !self.queue_item(&template, address)? {
                missed.resize(addresses.len().div_ceil(8), 0u8);
                missed[index / 8] |= 1 << (index % 8);
            }
        }
        self.tally.sends += 1;
        Ok(missed.into())
    }

    /// Answers whether the address took it.
    fn queue_item(&mut self, template: &[u8], address: &AddressHash) -> Result<bool, Failure> {
        let Some((name, queue)) = self.resolve(address)? else {
            return Ok(false);
        };
        if !self.load_queue(&queue)? {
            return Ok(false);
        }
        let length = template.len() + SEAL_OVERHEAD;
        let limits = &self.shared.limits;
        let (Some(to), Some(at)) = (
            self.state.addresses.get_mut(&name),
            self.state.queues.get(&queue),
        ) else {
            return Ok(false);
        };
        let of_queue = if at.temporary {
            limits.temporary
        } else {
            limits.queue
        };
        if !at.held.fits(length, of_queue) || !to.load.fits(length, limits.quota(to.kind), at.floor)
        {
            return Ok(false);
        }
        if self.ensure_key(&queue)?.is_err() {
            return Ok(false);
        }
        let (Some(to), Some(at)) = (
            self.state.addresses.get_mut(&name),
            self.state.queues.get_mut(&queue),
        ) else {
            return Ok(false);
        };
        let Some(active) = &mut at.active else {
            return Ok(false);
        };
        let sequence = at.next;
        let mut sealed = Vec::with_capacity(length);
        sealed.extend_from_slice(template);
        sealed[ADDRESS_AT..ADDRESS_AT + AddressHash::LEN].copy_from_slice(name.as_bytes());
        let Ok(nonce) = active.key.seal_in_place(&queue, sequence, &mut sealed) else {
            return Ok(false);
        };
        let item = StoredItem {
            sequence,
            nonce,
            sealed: sealed.into(),
            key: std::sync::Arc::clone(&active.row),
        };
        at.next += 1;
        at.held.push(length);
        to.load.add(length, sequence);
        self.tally.items_queued += 1;
        let bell = self.shared.hub.bell(&queue, sequence);
        if let Some(ring) = self.shared.hub.ring(&queue) {
            self.fresh.push((ring, item.clone()));
        } else if let Some(bell) = bell {
            self.bells.push(bell);
        }
        self.unwritten.push((queue, item));
        Ok(true)
    }

    /// Writes the items of this transaction, queue by queue: what lies together in the table is then touched together. To be
    /// called before anything else looks at the table.
    pub(super) fn write_items(&mut self) -> rusqlite::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let last_day = self.today.plus(self.shared.limits.item_days).0;
        self.unwritten
            .sort_unstable_by_key(|(queue, item)| (*queue.as_bytes(), item.sequence));
        for (queue, item) in self.unwritten.drain(..) {
            self.hot.insert_item.execute(params![
                queue.as_bytes(),
                stored(item.sequence),
                item.key.key_id.as_bytes(),
                stored(item.nonce),
                last_day,
                &item.sealed[..]
            ])?;
        }
        Ok(())
    }
}

/// The padded item with zeros in place of the address.
fn template(payload: &Payload<'_>) -> Result<Vec<u8>, Failure> {
    const ANY: [u8; AddressHash::LEN] = [0; AddressHash::LEN];
    let item = proto::QueueItem {
        address_hash: Bytes::from_static(&ANY),
        kind: payload.kind.into(),
        number: payload.number,
        epoch: payload.epoch,
        next_lock: payload
            .next_lock
            .map(|lock| Bytes::copy_from_slice(lock))
            .unwrap_or_default(),
        payload: payload.bytes.clone(),
        channel_hash: payload
            .channel
            .map(|channel| channel.to_bytes())
            .unwrap_or_default(),
        blob_hash: payload.blob.map(|blob| blob.to_bytes()).unwrap_or_default(),
        server_pin: payload.server.map(|pin| pin.to_bytes()).unwrap_or_default(),
    };
    padding::pad_item(&item).map_err(|_| StoreError::PayloadTooLarge.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_address_stands_where_it_is_written() {
        let lock = [7; 32];
        let bytes = Bytes::from_static(b"payload");
        for (number, next_lock) in [(0, None), (u64::MAX, Some(&lock))] {
            let payload = Payload {
                kind: ItemKind::Commit,
                number,
                epoch: 3,
                next_lock,
                channel: Some(&ChannelHash::new([5; 32])),
                blob: None,
                server: None,
                bytes: &bytes,
            };
            let Ok(mut padded) = template(&payload) else {
                panic!("fits")
            };
            padded[ADDRESS_AT..ADDRESS_AT + 32].copy_from_slice(&[9; 32]);
            let item = padding::unpad_item(padded.into()).unwrap();
            assert_eq!(item.address_hash, [9u8; 32][..]);
            assert_eq!(item.payload, bytes);
            assert_eq!(item.number, number);
            assert_eq!(item.channel_hash, [5u8; 32][..]);
        }
    }
}
