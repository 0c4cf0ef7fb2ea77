//! Addresses: creating, revoking, renaming, and finding the queue behind one.

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
        let temporary = self.is_temporary(queue);
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
        let mut fresh: Vec<(AddressHash, AddressKind)> = Vec::new();
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
                .resolve(address)?
                .is_some_and(|(_, holder)| holder != *queue)
            {
                // The old name of somebody else's, still in grace.
                return Err(StoreError::AddressTaken.into());
            } else if fresh.iter().all(|(seen, _)| seen != address) {
                fresh.push((*address, *kind));
            }
        }
        let held: u32 = self
            .connection
            .prepare_cached("SELECT count(*) FROM addresses WHERE queue_id = ?1")?
            .query_row([queue.as_bytes()], |row| row.get(0))?;
        if held as usize + fresh.len() > most as usize {
            return Err(StoreError::TooManyAddresses.into());
        }
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

    pub(super) fn revoke_addresses(
        &mut self,
        request: &(QueueId, Vec<AddressHash>),
    ) -> Result<(), Failure> {
        let (queue, addresses) = request;
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
        self.state.addresses.remove(address);
        Ok(())
    }

    /// Renames what can be renamed. An unknown old name or a new one that is taken is passed over: the address's
    /// owner checks, and the sender of the commit has been told nothing that it did not know.
    pub(super) fn rename_addresses(&mut self, renames: &[AddressRename]) -> rusqlite::Result<()> {
        let until = self.now + self.shared.limits.rename_grace;
        for AddressRename { old, new } in renames {
            if old == new || !self.load_address(old)? || self.load_address(new)? {
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
        }
        Ok(())
    }

    /// The present name of an address, and its queue; brings it into memory.
    pub(super) fn resolve(
        &mut self,
        address: &AddressHash,
    ) -> rusqlite::Result<Option<(AddressHash, QueueId)>> {
        let mut name = *address;
        for _ in 0..RENAMES_FOLLOWED {
            if self.load_address(&name)? {
                return Ok(self
                    .state
                    .addresses
                    .get(&name)
                    .map(|state| (name, state.queue)));
            }
            match self.state.grace.get(&name) {
                Some((new, until)) if self.now < *until => name = *new,
                _ => return Ok(None),
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
