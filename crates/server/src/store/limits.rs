//! Limits that the configuration sets, and the probe for free disk space.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::types::AddressKind;

/// How much may wait undelivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Items.
    pub items: u32,
    /// Bytes, counted after padding.
    pub bytes: u64,
}

/// What a store keeps, for how long, and how much of it.
#[derive(Debug, Clone)]
pub struct StoreLimits {
    /// Days an item is kept for an owner who does not fetch it.
    pub item_days: u32,
    /// Days a queue is kept after its owner last signed in.
    pub queue_days: u32,
    /// Days a channel is kept after it was last used.
    pub channel_days: u32,
    /// Days a blob is kept after it was created; never fewer than `item_days`, since items refer to blobs.
    pub blob_days: u32,
    /// Undelivered items of one conversation address.
    pub conversation: Quota,
    /// Undelivered items of one contact link's address.
    pub contact: Quota,
    /// Undelivered items of one key package's address.
    pub key_package: Quota,
    /// Undelivered items of a whole queue.
    pub queue: Quota,
    /// Undelivered items of a whole temporary queue.
    pub temporary: Quota,
    /// Addresses of one queue.
    pub addresses: u32,
    /// Temporary queues at once; 0: none are made.
    pub temporary_queues: u32,
    /// Addresses of a temporary queue; each has the quota of a key package's address.
    pub temporary_addresses: u32,
    /// Blind tokens that a temporary queue may have issued in all.
    pub temporary_tokens: u32,
    /// Invitations that a queue's owner may make in a day.
    pub invitations: u32,
    /// One-time key packages in one address's pool.
    pub key_packages: u32,
    /// Bytes that may wait for other servers in all.
    pub parcel_bytes: u64,
    /// Bytes that may wait for one other server.
    pub parcel_bytes_per_server: u64,
    /// Other servers for which something may wait.
    pub parcel_servers: usize,
    /// Bytes that may wait for a server that never took anything.
    pub stranger_bytes_per_server: u64,
    /// Such servers on one host for which something may wait.
    pub strangers_per_host: usize,
    /// Days for which it waits.
    pub stranger_days: u32,
    /// Free bytes on the volume below which sends and registrations are refused.
    pub disk_reserve: u64,
    /// Free bytes on the volume below which no blob is begun or goes on: more than `disk_reserve`, so that blobs alone never stop sends.
    pub blob_reserve: u64,
    /// Bytes that all blobs together may hold.
    pub blob_bytes: u64,
    /// The part of `disk_reserve` which commits and new channels leave alone too: what is left for acknowledgements and deletes.
    pub commit_reserve: u64,
    /// Longest time from an acknowledgement, expiry or delete until the bytes are out of the data folder: the
    /// write-ahead log is copied back and truncated this often while there is work. A reader that is slower
    /// than this delays it by one round.
    pub checkpoint_every: Duration,
    /// Longest time an acknowledgement waits for company before it is applied.
    pub ack_delay: Duration,
    /// How long a sealing key is used at most.
    pub sealing_key_age: Duration,
    /// How long a renamed address still goes by its old name.
    pub rename_grace: Duration,
}

impl StoreLimits {
    /// The quota of an address by its kind.
    #[must_use]
    pub fn quota(&self, kind: AddressKind) -> Quota {
        match kind {
            AddressKind::Conversation => self.conversation,
            AddressKind::Contact => self.contact,
            AddressKind::KeyPackage => self.key_package,
        }
    }

    /// Servers that never took anything for which something may wait.
    #[must_use]
    pub fn strangers(&self) -> usize {
        (self.parcel_servers / 2).max(1)
    }

    /// Bytes that may wait for all of them.
    #[must_use]
    pub fn stranger_bytes(&self) -> u64 {
        self.parcel_bytes / 4
    }
}

impl Default for StoreLimits {
    fn default() -> Self {
        const MIB: u64 = 1 << 20;
        Self {
            item_days: 30,
            queue_days: 180,
            channel_days: 400,
            blob_days: 30,
            conversation: Quota {
                items: 100_000,
                bytes: 512 * MIB,
            },
            contact: Quota {
                items: 64,
                bytes: 4 * MIB,
            },
            key_package: Quota {
                items: 8,
                bytes: MIB,
            },
            queue: Quota {
                items: 500_000,
                bytes: 2048 * MIB,
            },
            temporary: Quota {
                items: 64,
                bytes: MIB,
            },
            addresses: 16_384,
            temporary_queues: 1000,
            temporary_addresses: 2,
            temporary_tokens: 6,
            invitations: 4,
            key_packages: 200,
            parcel_bytes: 1024 * MIB,
            parcel_bytes_per_server: 256 * MIB,
            parcel_servers: 1000,
            stranger_bytes_per_server: 8 * MIB,
            strangers_per_host: 8,
            stranger_days: 2,
            disk_reserve: 512 * MIB,
            blob_reserve: 1024 * MIB,
            blob_bytes: u64::MAX,
            commit_reserve: 128 * MIB,
            checkpoint_every: Duration::from_secs(3),
            ack_delay: Duration::from_millis(100),
            sealing_key_age: Duration::from_secs(3600),
            rename_grace: Duration::from_secs(600),
        }
    }
}

/// Says how much room is left on the volume.
pub trait FreeSpace: Send + Sync + 'static {
    /// Bytes that may still be written.
    ///
    /// # Errors
    /// When the volume can't be asked.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// Asks the volume on which a folder lies (`statvfs`).
pub struct VolumeFreeSpace(pub PathBuf);

impl FreeSpace for VolumeFreeSpace {
    fn free_bytes(&self) -> io::Result<u64> {
        let volume = rustix::fs::statvfs(&self.0)?;
        Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
    }
}

/// A figure that tests set by hand.
pub struct FixedFreeSpace(AtomicU64);

impl FixedFreeSpace {
    /// Says `bytes` until told otherwise.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self(AtomicU64::new(bytes))
    }

    /// Says `bytes` from now on.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl FreeSpace for FixedFreeSpace {
    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.0.load(Ordering::Relaxed))
    }
}
