//! Pools of key packages: published by an address's owner, taken by whoever knows the address.

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::stored;
use super::writer::{Failure, Writer};
use crate::store::{
    AddressHash, PublishKeyPackages, QueueId, SealedKeyPackage, SendId, StoreError, TakenKeyPackage,
};

impl Writer<'_> {
    pub(super) fn publish_key_packages(
        &mut self,
        request: &(QueueId, PublishKeyPackages),
    ) -> Result<u32, Failure> {
        let (queue, publish) = request;
        let Some((address, holder)) = self.resolve(&publish.address)? else {
            return Err(StoreError::UnknownAddress.into());
        };
        if holder != *queue {
            return Err(StoreError::UnknownAddress.into());
        }
        if self.is_temporary(queue)? {
            return Err(StoreError::Temporary.into());
        }
        let held = self.pool_size(&address)?;
        if publish.one_time.is_empty() && publish.last_resort.is_none() {
            return Ok(held);
        }
        if self.full {
            return Err(StoreError::Full.into());
        }
        let mut fresh: Vec<&SealedKeyPackage> = Vec::new();
        for package in &publish.one_time {
            let known = self
                .connection
                .prepare_cached(
                    "SELECT 1 FROM key_packages WHERE address_hash = ?1 AND last_resort = 0 AND key_package_id = ?2",
                )?
                .exists(params![address.as_bytes(), package.id.as_bytes()])?;
            if !known && fresh.iter().all(|seen| seen.id != package.id) {
                fresh.push(package);
            }
        }
        let after = held as usize + fresh.len();
        if after > self.shared.limits.key_packages as usize {
            return Err(StoreError::TooManyKeyPackages.into());
        }
        for package in fresh {
            self.insert_key_package(&address, package, false)?;
        }
        if let Some(package) = &publish.last_resort {
            self.connection
                .prepare_cached(
                    "DELETE FROM key_packages WHERE address_hash = ?1 AND last_resort = 1",
                )?
                .execute([address.as_bytes()])?;
            self.insert_key_package(&address, package, true)?;
        }
        Ok(u32::try_from(after).unwrap_or(u32::MAX))
    }

    pub(super) fn take_key_packages(
        &mut self,
        request: &(SendId, Vec<AddressHash>),
    ) -> Result<Vec<TakenKeyPackage>, Failure> {
        let (send_id, addresses) = request;
        if let Some(taken) = self.state.recent_takes.get(send_id) {
            return Ok(taken);
        }
        let mut taken = Vec::with_capacity(addresses.len());
        for address in addresses {
            taken.push(match self.resolve(address)? {
                Some((name, _)) => self.take_key_package(&name)?,
                None => TakenKeyPackage::default(),
            });
        }
        self.state.recent_takes.put(*send_id, taken.clone());
        Ok(taken)
    }

    /// One-time ones first, in the order of their random ids.
    fn take_key_package(&mut self, address: &AddressHash) -> rusqlite::Result<TakenKeyPackage> {
        let found: Option<(i64, bool, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "SELECT random_key, last_resort, sealed FROM key_packages WHERE address_hash = ?1
                 ORDER BY last_resort, key_package_id LIMIT 1",
            )?
            .query_row([address.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((random_key, last_resort, sealed)) = found else {
            return Ok(TakenKeyPackage::default());
        };
        if !last_resort {
            self.connection
                .prepare_cached("DELETE FROM key_packages WHERE random_key = ?1")?
                .execute([random_key])?;
        }
        Ok(TakenKeyPackage {
            sealed: Bytes::from(sealed),
            last_resort,
        })
    }

    fn insert_key_package(
        &mut self,
        address: &AddressHash,
        package: &SealedKeyPackage,
        last_resort: bool,
    ) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO key_packages (random_key, address_hash, key_package_id, last_resort, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                stored(rand::random::<u64>()),
                address.as_bytes(),
                package.id.as_bytes(),
                last_resort,
                &package.sealed[..]
            ])?;
        Ok(())
    }

    fn pool_size(&self, address: &AddressHash) -> rusqlite::Result<u32> {
        self.connection
            .prepare_cached(
                "SELECT count(*) FROM key_packages WHERE address_hash = ?1 AND last_resort = 0",
            )?
            .query_row([address.as_bytes()], |row| row.get(0))
    }
}
