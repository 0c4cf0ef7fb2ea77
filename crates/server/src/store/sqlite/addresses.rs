//! Addresses: creating, revoking, renaming, and finding the queue behind one.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};

use super::state::{AddressLoad, AddressState};
use super::writer::{Failure, Writer};
use crate::store::{AddressHash, AddressKind, AddressRename, QueueId, StoreError};

/// Renames followed from an old name; more can only be in grace at once if somebody plays.
const RENAMES_FOLLOWED: usize = 8;

/// As stored; the numbers are those of the wire's `AddressKind`.
pub(super) fn kind_number(kind: AddressKind) -> i64 {
    match kind {
        AddressKind::Conversation => 1,
        AddressKind::Contact => 2,
        AddressKind::KeyPackage => 3,
    }
}

fn kind_of(number: i64) -> AddressKind {
    match number {
        1 => AddressKind::Conversation,
        2 => AddressKind::Contact,
        // The smallest quota is the safe reading of a number that this version does not know.
        _ => AddressKind::KeyPackage,
    }
}

impl Writer<'_> {
    pub(super) fn create_addresses(
        &mut self,
        request: &(QueueId, Vec<(AddressHash, AddressKind)>),
    ) -> Result<(), Failure> {
        let (queue, addresses) = request;
        if !self.load_queue(queue)? {
            return Err(StoreError::UnknownQueue.into());
        }
        let temporary = self.is_temporary(queue)?;
        let most = if temporary {
            self.shared.limits.temporary_addresses
        } else {
            self.shared.limits.addresses
        };
        if temporary
            && addresses
                .iter()
                .any(|(_, kind)| *kind != AddressKind::KeyPackage)
        {
            return Err(StoreError::Temporary.into());
        }
        let asked: HashSet<&AddressHash> = addresses.iter().map(|(address, _)| address).collect();
        // Nobody pays for this, so what can't fit is refused before it is looked up, and what doesn't as soon as that is seen.
        if asked.len() > most as usize {
            return Err(StoreError::TooManyAddresses.into());
        }
        let room = (most as usize).saturating_sub(self.addresses_of(queue)? as usize);
        let mut fresh: Vec<(AddressHash, AddressKind)> = Vec::new();
        let mut seen = HashSet::new();
        let mut raised = Vec::new();
        for (address, kind) in addresses {
            if self.load_address(address)? {
                let Some(held) = self.state.addresses.get(address) else {
                    continue;
                };
                if held.queue != *queue {
                    return Err(StoreError::AddressTaken.into());
                }
                if *kind == AddressKind::Conversation && held.kind != AddressKind::Conversation {
                    raised.push(*address);
                }
            } else if self
                .resolve_old_name(address)?
                .is_some_and(|(_, holder)| holder != *queue)
            {
                // The old name of somebody else's, still in grace.
                return Err(StoreError::AddressTaken.into());
            } else if seen.insert(address) {
                if fresh.len() >= room {
                    return Err(StoreError::TooManyAddresses.into());
                }
                fresh.push((*address, *kind));
            }
        }
        let count = fresh.len() as u32;
        for (address, kind) in fresh {
            self.connection
                .prepare_cached(
                    "INSERT INTO addresses (address_hash, queue_id, kind) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![
                    address.as_bytes(),
                    queue.as_bytes(),
                    kind_number(kind)
                ])?;
            self.state.addresses.insert(
                address,
                AddressState {
                    queue: *queue,
                    kind,
                    load: AddressLoad::default(),
                },
            );
        }
        if let Some(state) = self.state.queues.get_mut(queue) {
            state.addresses = state.addresses.map(|held| held + count);
        }
        for address in raised {
            self.connection
                .prepare_cached("UPDATE addresses SET kind = ?2 WHERE address_hash = ?1")?
                .execute(params![
                    address.as_bytes(),
                    kind_number(AddressKind::Conversation)
                ])?;
            if let Some(state) = self.state.addresses.get_mut(&address) {
                state.kind = AddressKind::Conversation;
            }
        }
        Ok(())
    }

    /// How many addresses a loaded queue has.
    fn addresses_of(&mut self, queue: &QueueId) -> rusqlite::Result<u32> {
        let known = self
            .state
            .queues
            .get(queue)
            .and_then(|state| state.addresses);
        if let Some(held) = known {
            return Ok(held);
        }
        let held = self
            .connection
            .prepare_cached("SELECT count(*) FROM addresses WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| row.get(0))?;
        if let Some(state) = self.state.queues.get_mut(queue) {
            state.addresses = Some(held);
        }
        Ok(held)
    }

    pub(super) fn revoke_addresses(
        &mut self,
        request: &(QueueId, Vec<AddressHash>),
    ) -> Result<(), Failure> {
        let (queue, addresses) = request;
        // More than it can have would only be looked up.
        if addresses.len() > self.shared.limits.temporary_addresses as usize
            && self.is_temporary(queue)?
        {
            return Err(StoreError::TooManyAddresses.into());
        }
        for address in addresses {
            // By its old name too: whoever has not seen the rename yet means the same address.
            if let Some((name, holder)) = self.resolve(address)?
                && holder == *queue
            {
                self.delete_address(&name)?;
            }
        }
        Ok(())
    }

    /// Deletes an address with its key packages.
    pub(super) fn delete_address(&mut self, address: &AddressHash) -> rusqlite::Result<()> {
        for sql in [
            "DELETE FROM key_packages WHERE address_hash = ?1",
            "DELETE FROM addresses WHERE address_hash = ?1",
        ] {
            self.connection
                .prepare_cached(sql)?
                .execute([address.as_bytes()])?;
        }
        if let Some(held) = self.state.addresses.remove(address)
            && let Some(state) = self.state.queues.get_mut(&held.queue)
        {
            state.addresses = state.addresses.map(|count| count.saturating_sub(1));
        }
        Ok(())
    }

    /// Renames what can be renamed. An unknown old name or a new one that is taken, also as the old name of another address in its grace,
    /// is passed over: the address's owner checks, and the sender of the commit has been told nothing that it did not know. Answers how many
    /// were renamed.
    pub(super) fn rename_addresses(
        &mut self,
        renames: &[AddressRename],
    ) -> rusqlite::Result<usize> {
        let mut renamed = 0;
        let until = self.now + self.shared.limits.rename_grace;
        for AddressRename { old, new } in renames {
            let taken = self.resolve(new)?.is_some_and(|(name, _)| name != *old);
            if old == new || taken || !self.load_address(old)? {
                continue;
            }
            self.connection
                .prepare_cached("UPDATE addresses SET address_hash = ?2 WHERE address_hash = ?1")?
                .execute(params![old.as_bytes(), new.as_bytes()])?;
            self.connection
                .prepare_cached(
                    "UPDATE key_packages SET address_hash = ?2 WHERE address_hash = ?1",
                )?
                .execute(params![old.as_bytes(), new.as_bytes()])?;
            self.connection
                .prepare_cached("DELETE FROM renamed_addresses WHERE old_hash = ?1")?
                .execute([new.as_bytes()])?;
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO renamed_addresses (old_hash, new_hash) VALUES (?1, ?2)",
                )?
                .execute(params![old.as_bytes(), new.as_bytes()])?;
            if let Some(state) = self.state.addresses.remove(old) {
                self.state.addresses.insert(*new, state);
            }
            self.state.grace.remove(new);
            self.state.grace.insert(*old, (*new, until));
            renamed += 1;
        }
        Ok(renamed)
    }

    /// The present name of an address, and its queue; brings it into memory.
    pub(super) fn resolve(
        &mut self,
        address: &AddressHash,
    ) -> rusqlite::Result<Option<(AddressHash, QueueId)>> {
        if self.load_address(address)? {
            let state = self.state.addresses.get(address);
            return Ok(state.map(|state| (*address, state.queue)));
        }
        self.resolve_old_name(address)
    }

    /// The same for what is no address any more.
    fn resolve_old_name(
        &mut self,
        address: &AddressHash,
    ) -> rusqlite::Result<Option<(AddressHash, QueueId)>> {
        let mut name = *address;
        for _ in 0..RENAMES_FOLLOWED {
            match self.state.grace.get(&name) {
                Some((new, until)) if self.now < *until => name = *new,
                _ => return Ok(None),
            }
            if self.load_address(&name)? {
                let state = self.state.addresses.get(&name);
                return Ok(state.map(|state| (name, state.queue)));
            }
        }
        Ok(None)
    }

    fn load_address(&mut self, address: &AddressHash) -> rusqlite::Result<bool> {
        if self.state.addresses.contains_key(address) {
            return Ok(true);
        }
        let row: Option<([u8; 16], i64)> = self
            .connection
            .prepare_cached("SELECT queue_id, kind FROM addresses WHERE address_hash = ?1")?
            .query_row([address.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((queue, kind)) = row else {
            return Ok(false);
        };
        let state = AddressState {
            queue: QueueId::new(queue),
            kind: kind_of(kind),
            load: AddressLoad::default(),
        };
        self.state.addresses.insert(*address, state);
        Ok(true)
    }

    /// Reads the old names that are in grace. When each was renamed is not stored, so its grace starts anew.
    pub(super) fn load_grace(&mut self) -> rusqlite::Result<()> {
        let until = self.now + self.shared.limits.rename_grace;
        let mut statement = self
            .connection
            .prepare_cached("SELECT old_hash, new_hash FROM renamed_addresses")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (old, new) = (AddressHash::new(row.get(0)?), AddressHash::new(row.get(1)?));
            self.state.grace.insert(old, (new, until));
        }
        Ok(())
    }

    /// Forgets old names whose grace is over.
    pub(super) fn expire_grace(&mut self) -> rusqlite::Result<()> {
        let now = self.now;
        let over: Vec<AddressHash> = self
            .state
            .grace
            .iter()
            .filter(|(_, (_, until))| *until <= now)
            .map(|(old, _)| *old)
            .collect();
        for old in over {
            self.connection
                .prepare_cached("DELETE FROM renamed_addresses WHERE old_hash = ?1")?
                .execute([old.as_bytes()])?;
            self.state.grace.remove(&old);
        }
        Ok(())
    }
}
