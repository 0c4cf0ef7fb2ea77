//! The handle that the rest of the server holds: puts writes before the writer and reads before the readers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::OptionalExtension;
use undertone_wire::padding;

use super::checkpoint::Copier;
use super::commit::Syncer;
use super::open::{DATABASE, INCARNATION, open_reader, open_writer};
use super::others::Others;
use super::read::Readers;
use super::submit::{ROW_BYTES, Submissions};
use super::writer;
use super::{engine_error, sweep};
use crate::delivery::Hub;
use crate::store::{
    Accepted, Activity, AddressHash, AddressKind, BlobHash, BlobRecord, Brought, ChannelCommit,
    ChannelControl, ChannelHash, ChannelSend, Clock, Counts, Day, DirectSend, FetchLimit, Fetched,
    Forwarding, FreeSpace, Incarnation, Invitation, NewChannel, ParcelMark, Position,
    PublishKeyPackages, QueueId, QueueRecord, RUNG_BYTES, Ready, Registration, Reply, Responder,
    SendId, Store, StoreError, StoreLimits, StoredBell, Swept, SystemClock, TakenKeyPackage,
    TokenAllowance, TokenHash, VolumeFreeSpace, WaitingParcel, reply,
};

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// What is kept, and how long.
    pub limits: StoreLimits,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where the free space comes from.
    pub free_space: Arc<dyn FreeSpace>,
    /// Where fresh items go.
    pub hub: Arc<Hub>,
    /// Pages that the writer keeps in memory, in bytes.
    pub cache_bytes: usize,
}

impl Options {
    /// The machine's clock and volume, and the default limits.
    #[must_use]
    pub fn new(folder: &Path, hub: Arc<Hub>) -> Self {
        Self {
            limits: StoreLimits::default(),
            clock: Arc::new(SystemClock::default()),
            free_space: Arc::new(VolumeFreeSpace(folder.to_path_buf())),
            hub,
            cache_bytes: 64 << 20,
        }
    }
}

/// What the threads of a store share.
pub(super) struct Shared {
    pub(super) submissions: Submissions,
    pub(super) limits: StoreLimits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) free_space: Arc<dyn FreeSpace>,
    pub(super) hub: Arc<Hub>,
    pub(super) incarnation: Incarnation,
    /// When the store was opened.
    pub(super) opened: Duration,
    closing: Mutex<Closing>,
    others: Mutex<Others>,
}

#[derive(Default)]
struct Closing {
    finished: bool,
    waiting: Vec<Responder<()>>,
}

/// A store in a folder. Dropping it closes it in the background; [`Store::close`] says when that is done.
pub struct SqliteStore {
    shared: Arc<Shared>,
    readers: Readers,
    folder: PathBuf,
}

impl SqliteStore {
    /// Opens the store of `folder`, creating or migrating it as needed. Blocks; call it before serving. That only one
    /// process does so is the caller's to see to.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::Folder`], or the engine's own.
    pub fn open(folder: &Path, options: Options) -> Result<Arc<Self>, StoreError> {
        let connection = open_writer(folder, options.cache_bytes)?;
        let incarnation: [u8; 16] = connection
            .query_row(
                "SELECT value FROM server_records WHERE name = ?1",
                [INCARNATION],
                |row| row.get(0),
            )
            .optional()
            .map_err(engine_error)?
            .ok_or(StoreError::Folder("its database is damaged"))?;
        let shared = Arc::new(Shared {
            opened: options.clock.monotonic(),
            submissions: Submissions::default(),
            limits: options.limits,
            clock: options.clock,
            free_space: options.free_space,
            hub: options.hub,
            incarnation: incarnation.into(),
            closing: Mutex::default(),
            others: Mutex::default(),
        });
        let readers = Readers::start(folder)?;
        let syncer = Syncer::start(folder, &shared)?;
        let copier = Copier::start(folder, &shared)?;
        let of_writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let ended = Ended(of_writer);
                if let Err(error) = writer::run(&connection, &ended.0, syncer, copier) {
                    tracing::error!(%error, "the store's writer has stopped");
                }
                drop(connection);
                drop(ended);
            })?;
        Ok(Arc::new(Self {
            shared,
            readers,
            folder: folder.to_path_buf(),
        }))
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn write<R, T>(&self, request: R, run: super::submit::Run<R, T>) -> Reply<T>
    where
        R: Send + 'static,
        T: Send + 'static,
    {
        self.shared.submissions.submit(request, 0, run)
    }

    /// A call that touches so many small rows.
    fn write_rows<R, T>(&self, request: R, rows: usize, run: super::submit::Run<R, T>) -> Reply<T>
    where
        R: Send + 'static,
        T: Send + 'static,
    {
        let bytes = rows.saturating_mul(ROW_BYTES);
        self.shared.submissions.submit(request, bytes, run)
    }
}

/// Sees to it that nobody waits for a writer that is gone, however it went.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.submissions.stop();
        self.0.finish_closing();
    }
}

impl Shared {
    /// What is known of other servers.
    pub(super) fn others(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish_closing(&self) {
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing.finished = true;
        for responder in closing.waiting.drain(..) {
            responder.answer(Ok(()));
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shared.submissions.close();
    }
}

impl Store for SqliteStore {
    fn has_room(&self) -> bool {
        self.shared.submissions.has_room()
    }

    fn ready(&self) -> Ready<'_> {
        Box::pin(self.shared.submissions.ready())
    }

    fn register(&self, registration: Registration) -> Reply<Position> {
        self.write(registration, |writer, request| writer.register(request))
    }

    fn queue(&self, queue: QueueId) -> Reply<Option<QueueRecord>> {
        self.readers.queue(queue)
    }

    fn resolve(&self, addresses: Vec<AddressHash>) -> Reply<Vec<Option<QueueId>>> {
        self.readers.resolve(addresses)
    }

    fn exist(&self, addresses: Vec<AddressHash>) -> Reply<Vec<bool>> {
        self.readers.exist(addresses)
    }

    fn has_guests(&self, channel: ChannelHash) -> Reply<bool> {
        self.readers.has_guests(channel)
    }

    fn sign_in(&self, queue: QueueId) -> Reply<Position> {
        // What the owner acknowledged on its last connection counts before its new one starts.
        self.shared.submissions.hurry_acks();
        self.write(queue, |writer, request| writer.sign_in(request))
    }

    fn rotate_queue_key(&self, queue: QueueId, hpke_key: Box<[u8]>) -> Reply<()> {
        self.write((queue, hpke_key), |writer, request| {
            writer.rotate_queue_key(request)
        })
    }

    fn delete_queue(&self, queue: QueueId) -> Reply<()> {
        self.write(queue, |writer, request| writer.delete_queue(request))
    }

    fn set_bell(&self, queue: QueueId, bell: StoredBell) -> Reply<bool> {
        self.write((queue, bell), |writer, request| writer.set_bell(request))
    }

    fn bell(&self, hash: [u8; 32]) -> Reply<Option<(QueueId, StoredBell)>> {
        self.readers.bell(hash)
    }

    fn bell_rung(&self, hash: [u8; 32], rung: [u8; RUNG_BYTES]) -> Reply<()> {
        self.write((hash, rung), |writer, request| writer.bell_rung(request))
    }

    fn take_token_allowance(
        &self,
        queue: QueueId,
        count: u32,
        daily: u32,
    ) -> Reply<TokenAllowance> {
        self.write((queue, count, daily), |writer, request| {
            writer.take_token_allowance(request)
        })
    }

    fn create_addresses(
        &self,
        queue: QueueId,
        addresses: Vec<(AddressHash, AddressKind)>,
    ) -> Reply<()> {
        let rows = addresses.len();
        self.write_rows((queue, addresses), rows, |writer, request| {
            writer.create_addresses(request)
        })
    }

    fn revoke_addresses(&self, queue: QueueId, addresses: Vec<AddressHash>) -> Reply<()> {
        let rows = addresses.len();
        self.write_rows((queue, addresses), rows, |writer, request| {
            writer.revoke_addresses(request)
        })
    }

    fn publish_key_packages(&self, queue: QueueId, publish: PublishKeyPackages) -> Reply<u32> {
        let bytes = publish
            .one_time
            .iter()
            .chain(&publish.last_resort)
            .map(|package| package.sealed.len() + ROW_BYTES)
            .sum();
        self.shared
            .submissions
            .submit((queue, publish), bytes, |writer, request| {
                writer.publish_key_packages(request)
            })
    }

    fn take_key_packages(
        &self,
        send_id: SendId,
        addresses: Vec<AddressHash>,
    ) -> Reply<Vec<TakenKeyPackage>> {
        let rows = addresses.len();
        self.write_rows((send_id, addresses), rows, |writer, request| {
            writer.take_key_packages(request)
        })
    }

    fn send(&self, send: DirectSend) -> Reply<Accepted> {
        let bytes = fan_out_bytes(send.payload.len(), send.addresses.len());
        self.shared
            .submissions
            .submit(send, bytes, |writer, request| writer.send(request))
    }

    fn create_channel(&self, channel: NewChannel) -> Reply<()> {
        self.write(channel, |writer, request| {
            writer.create_channel(request, true)
        })
    }

    fn channel_send(&self, send: ChannelSend) -> Reply<Accepted> {
        let bytes = fan_out_bytes(send.payload.len(), send.addresses.len());
        self.shared
            .submissions
            .submit(send, bytes, |writer, request| writer.channel_send(request))
    }

    fn channel_commit(&self, commit: ChannelCommit) -> Reply<Accepted> {
        let bytes = fan_out_bytes(commit.payload.len(), commit.addresses.len());
        self.shared
            .submissions
            .submit(commit, bytes, |writer, request| {
                writer.channel_commit(request)
            })
    }

    fn channel_control(&self, control: ChannelControl) -> Reply<Accepted> {
        let bytes = fan_out_bytes(control.payload.len(), control.addresses.len());
        self.shared
            .submissions
            .submit(control, bytes, |writer, request| {
                writer.channel_control(request)
            })
    }

    fn forwarding(&self, forwarding: Forwarding) -> Reply<Accepted> {
        let (payload, addresses) = (forwarding.send.payload().len(), forwarding.send.addresses());
        let bytes = fan_out_bytes(payload, addresses + forwarding.parcels.len());
        self.shared
            .submissions
            .submit(forwarding, bytes, |writer, request| {
                writer.forwarding(request)
            })
    }

    fn parcel_servers(&self) -> Reply<Vec<String>> {
        self.readers.parcel_servers()
    }

    fn parcels(&self, server: String, bytes: usize) -> Reply<Vec<WaitingParcel>> {
        self.readers.parcels(server, bytes)
    }

    fn parcels_taken(&self, server: String, upto: ParcelMark) -> Reply<()> {
        self.write((server, upto), |writer, request| {
            writer.parcels_taken(request)
        })
    }

    fn not_reached(&self, server: &str) {
        let now = self.shared.clock.monotonic();
        self.shared.others().was_not_reached(server, now);
    }

    fn bring(&self, brought: Brought) -> Reply<bool> {
        let bytes = fan_out_bytes(brought.item.payload.len(), brought.addresses.len());
        self.shared
            .submissions
            .submit(brought, bytes, |writer, request| writer.bring(request))
    }

    fn create_channel_by_guest(&self, channel: NewChannel) -> Reply<()> {
        self.write(channel, |writer, request| {
            writer.create_channel(request, false)
        })
    }

    fn visit(&self, channel: ChannelHash) -> Reply<bool> {
        self.write(channel, |writer, request| writer.visit(request))
    }

    fn newest(&self, queue: QueueId) -> Reply<Option<u64>> {
        self.readers.newest(queue)
    }

    fn fetch(&self, queue: QueueId, from: u64, limit: FetchLimit) -> Reply<Fetched> {
        self.readers.fetch(queue, from, limit)
    }

    fn ack(&self, queue: QueueId, sequence: u64) {
        self.shared.submissions.ack(queue, sequence);
    }

    fn flush(&self) -> Reply<()> {
        self.shared.submissions.hurry_acks();
        self.write((), |_, ()| Ok(()))
    }

    fn create_blob(&self, blob: BlobHash, size: u64) -> Reply<BlobRecord> {
        self.write((blob, size), |writer, request| writer.create_blob(request))
    }

    fn blob(&self, blob: BlobHash) -> Reply<BlobRecord> {
        self.readers.blob(blob)
    }

    fn blob_bytes(&self) -> Reply<u64> {
        self.readers.blob_bytes()
    }

    fn advance_blob(&self, blob: BlobHash, from: u64, to: u64) -> Reply<BlobRecord> {
        self.write((blob, from, to), |writer, request| {
            writer.advance_blob(request)
        })
    }

    fn expire_blobs(&self, limit: u32) -> Reply<Vec<BlobHash>> {
        self.write(limit, |writer, request| writer.expire_blobs(request))
    }

    fn create_invitation(&self, invitation: Invitation) -> Reply<()> {
        self.write(invitation, |writer, request| {
            writer.create_invitation(request)
        })
    }

    fn create_own_invitation(&self, queue: QueueId, invitation: Invitation) -> Reply<()> {
        self.write((queue, invitation), |writer, request| {
            writer.create_own_invitation(request)
        })
    }

    fn spend_tokens(&self, tokens: Vec<TokenHash>, last_day: Day) -> Reply<Vec<bool>> {
        let rows = tokens.len();
        self.write_rows((tokens, last_day), rows, |writer, request| {
            writer.spend_tokens(request)
        })
    }

    fn record(&self, name: &'static str) -> Reply<Option<Vec<u8>>> {
        self.readers.record(name)
    }

    fn set_record(&self, name: &'static str, value: Vec<u8>) -> Reply<()> {
        self.write((name, value), |writer, request| writer.set_record(request))
    }

    fn sweep(&self) -> Reply<Swept> {
        let (responder, answer) = reply();
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new()
            .name("store-sweep".to_owned())
            .spawn(move || responder.answer(sweep::sweep(&shared.submissions)));
        match spawned {
            Ok(_) => answer,
            Err(error) => Reply::known(Err(error.into())),
        }
    }

    fn counts(&self) -> Reply<Counts> {
        self.readers.counts(&self.folder.join(DATABASE))
    }

    fn activity(&self) -> Activity {
        self.shared.submissions.activity()
    }

    fn close(&self) -> Reply<()> {
        let (responder, answer) = reply();
        let mut closing = self
            .shared
            .closing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if closing.finished {
            responder.answer(Ok(()));
        } else {
            closing.waiting.push(responder);
        }
        drop(closing);
        self.readers.close();
        self.shared.submissions.close();
        answer
    }
}

/// What a send weighs: a copy as it is stored for each address, padded, for the bound on a batch.
fn fan_out_bytes(payload: usize, addresses: usize) -> usize {
    let copy = padding::item_class(payload.saturating_add(padding::ITEM_FIELDS)).unwrap_or(payload);
    let copy = copy.saturating_add(padding::SEAL_OVERHEAD);
    copy.saturating_mul(addresses.max(1))
        .saturating_add(addresses * AddressHash::LEN)
}

/// Opens another connection that only reads, for work that takes long.
pub(super) fn extra_reader(folder: &Path) -> Result<rusqlite::Connection, StoreError> {
    open_reader(folder)
}
