//! A running server: opens the folder, binds the ports, owns every task, and ends in order.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use undertone_wire::ids::Pin;

use crate::admin;
use crate::admission::bringers::Bringers;
use crate::admission::guests::{GuestLimits, Guests};
use crate::admission::rate::Rate;
use crate::admission::token_keys::TokenKeys;
use crate::announcements::Announcements;
use crate::config::Config;
use crate::delivery::{Hub, RingLimits};
use crate::error::ServerError;
use crate::folder::{self, FolderLock};
use crate::forward::{self, keys::ForwardKeys};
use crate::gateway::{self, Gateway, listen};
use crate::identity::{self, Identity, LeafCertificates};
use crate::metrics::{Metrics, MetricsPort};
use crate::store::blobs::Blobs;
use crate::store::sqlite::{Options, SqliteStore};
use crate::store::{Clock, Quota, Store, StoreError, StoreLimits, SystemClock};

/// How often expired things are deleted.
const SWEEP: Duration = Duration::from_secs(3600);

/// How often it is looked whether a new week has begun.
const ROLL: Duration = Duration::from_secs(1);

/// How often it is looked for what an interrupted backup left.
const STALE_COPIES: Duration = Duration::from_secs(5);

/// The first sweep after a start.
const FIRST_SWEEP: Duration = Duration::from_secs(5);

/// A running server. [`Server::shutdown`] ends it in order; dropping it cuts everything off at once, and what
/// was acknowledged is on disk either way.
pub struct Server {
    local_addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    pin: Pin,
    dir: PathBuf,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    store: Arc<SqliteStore>,
    _lock: FolderLock,
}

impl Server {
    /// Starts a server on the folder `dir` with these settings. Listening when it returns.
    ///
    /// # Errors
    /// One sentence for whatever is in the way; nothing is left running then.
    pub async fn start(dir: &Path, config: Config) -> Result<Self, ServerError> {
        Self::start_by(dir, config, Arc::new(SystemClock::default())).await
    }

    /// As [`Server::start`], with days and seconds from this clock.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_by(
        dir: &Path,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServerError> {
        config.check()?;
        folder::check_restored(dir)?;
        let identity = Arc::new(Identity::read(dir)?);
        let pin = identity.pin();
        let lock = admin::reach::take_for_server(dir).await?;
        let tokens = TokenKeys::read(dir, clock.day())?;
        let announcements = Arc::new(Announcements::read(dir)?);
        let listener = listen::bind(config.listen)?;
        let local_addr = listener
            .local_addr()
            .map_err(|_| ServerError::AddressUnavailable(config.listen))?;
        let opened = Opened::open_by(dir, &config, Arc::clone(&clock)).await?;
        let (stop, stopping) = watch::channel(false);
        let metrics = Metrics::default();
        let store: Arc<dyn Store> = opened.store.clone();
        let metrics_port = match config.metrics {
            Some(address) => Some(MetricsPort::bind(address, &metrics, Arc::clone(&store)).await?),
            None => None,
        };
        let tls = if config.plain_text_on_loopback {
            None
        } else {
            let (tls, leaves) = identity::tls_config(Arc::clone(&identity))?;
            Some((TlsAcceptor::from(Arc::new(tls)), leaves))
        };
        let today = clock.day();
        let forward_keys = ForwardKeys::open(&store, Arc::clone(&identity), today)
            .await
            .map_err(|error| store_error(dir, &error))?;
        let temporary_rate = Rate::per_minute(config.quotas.temporary_queues_per_minute);
        let bringers = Bringers::per_minute(config.forwarding.requests_per_minute);
        let guests = Guests::new(guest_limits(&config));
        let gateway = Arc::new(Gateway {
            config,
            pin,
            store,
            hub: opened.hub,
            blobs: opened.blobs,
            tokens,
            announcements: Arc::clone(&announcements),
            metrics,
            clock,
            stopping: stopping.clone(),
            arithmetic: Arc::new(Semaphore::new(2)),
            temporary_rate,
            guests,
            forward_keys,
            parcels_wait: Arc::new(Notify::new()),
            bringers,
        });
        let admin = admin::socket::AdminSocket::bind(dir)?;
        let mut tasks = JoinSet::new();
        let metrics_addr = metrics_port.as_ref().and_then(MetricsPort::local_addr);
        if let Some(port) = metrics_port {
            tasks.spawn(port.serve(stopping.clone()));
        }
        let copying = Arc::default();
        tasks.spawn(remove_stale_copies(
            dir.to_path_buf(),
            Arc::clone(&copying),
            stopping.clone(),
        ));
        tasks.spawn(admin.serve(
            admin::Context {
                dir: dir.to_path_buf(),
                pin,
                config: gateway.config.clone(),
                announcements,
                store: Arc::clone(&opened.store),
                gateway: Some(Arc::clone(&gateway)),
                copying: Arc::clone(&copying),
            },
            stopping.clone(),
        ));
        tasks.spawn(sweep(Arc::clone(&gateway), stopping.clone()));
        tasks.spawn(roll_token_keys(Arc::clone(&gateway), stopping.clone()));
        tasks.spawn(forward::run(Arc::clone(&gateway), stopping.clone()));
        let acceptor = tls.map(|(acceptor, leaves)| {
            tasks.spawn(renew_leaves(leaves, stopping));
            acceptor
        });
        tasks.spawn(gateway::serve(gateway, listener, acceptor));
        Ok(Self {
            local_addr,
            metrics_addr,
            pin,
            dir: dir.to_path_buf(),
            stop,
            tasks,
            store: opened.store,
            _lock: lock,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where its figures are, if anywhere.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// What clients know it by.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Tells every client, finishes what is under way, puts everything into the database file and closes it.
    ///
    /// # Errors
    /// When the store could not be closed cleanly; what was acknowledged is on disk all the same.
    pub async fn shutdown(mut self) -> Result<(), ServerError> {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
        let closed = self.store.close().await;
        let _ = std::fs::remove_file(self.dir.join(folder::ADMIN_SOCKET));
        closed.map_err(|error| store_error(&self.dir, &error))
    }
}

/// Waits until the server begins to shut down.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone already.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// An open store with what belongs to it.
pub(crate) struct Opened {
    pub(crate) hub: Arc<Hub>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) blobs: Arc<Blobs>,
}

impl Opened {
    /// Opens the store of the folder `dir`, creating it the first time. The caller holds the folder's lock.
    pub(crate) async fn open(dir: &Path, config: &Config) -> Result<Self, ServerError> {
        Self::open_by(dir, config, Arc::new(SystemClock::default())).await
    }

    async fn open_by(
        dir: &Path,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServerError> {
        let data = dir.join(folder::DATA);
        let limits = store_limits(config);
        let opening = tokio::task::spawn_blocking(move || {
            let hub = Hub::new(RingLimits::default());
            let mut options = Options::new(&data, Arc::clone(&hub));
            options.limits = limits;
            options.clock = clock;
            let store = SqliteStore::open(&data, options.clone())?;
            let blobs = Blobs::open(&data, store.clone(), &options)?;
            Ok::<_, StoreError>(Self { hub, store, blobs })
        });
        match opening.await {
            Ok(opened) => opened.map_err(|error| store_error(dir, &error)),
            Err(_) => Err(ServerError::Store("it could not be opened".to_owned())),
        }
    }
}

/// The sentence for a store that failed outside of any request.
pub(crate) fn store_error(dir: &Path, error: &StoreError) -> ServerError {
    match error {
        StoreError::InUse => ServerError::Running(dir.to_path_buf()),
        StoreError::Newer { .. } => ServerError::NewerData,
        StoreError::Full => ServerError::DiskFull(dir.to_path_buf()),
        error => ServerError::Store(error.to_string().trim_end_matches('.').to_owned()),
    }
}

fn store_limits(config: &Config) -> StoreLimits {
    let quota = |items: u32, mib: u32| Quota {
        items,
        bytes: u64::from(mib) << 20,
    };
    let (quotas, retention) = (&config.quotas, &config.retention);
    StoreLimits {
        item_days: retention.item_days,
        queue_days: retention.queue_days,
        channel_days: retention.channel_days,
        blob_days: retention.blob_days,
        conversation: quota(quotas.conversation_items, quotas.conversation_mib),
        contact: quota(quotas.contact_items, quotas.contact_mib),
        key_package: quota(quotas.contact_items, quotas.contact_mib),
        queue: quota(quotas.queue_items, quotas.queue_mib),
        addresses: quotas.addresses_per_queue,
        temporary_queues: quotas.temporary_queues,
        invitations: quotas.devices_per_day,
        key_packages: quotas.key_packages_per_address,
        parcel_bytes: u64::from(config.forwarding.mib) << 20,
        parcel_bytes_per_server: u64::from(config.forwarding.mib_per_server) << 20,
        parcel_servers: usize::try_from(config.forwarding.servers).unwrap_or(usize::MAX),
        disk_reserve: config.disk.reserve_mib << 20,
        blob_reserve: (config.disk.reserve_mib << 20).saturating_mul(2),
        blob_bytes: match config.disk.blobs_mib {
            0 => u64::MAX,
            mib => mib << 20,
        },
        commit_reserve: (config.disk.reserve_mib << 20) / 4,
        ..StoreLimits::default()
    }
}

fn guest_limits(config: &Config) -> GuestLimits {
    let forwarding = &config.forwarding;
    GuestLimits {
        requests: u64::from(forwarding.guest_requests_per_day),
        bytes: u64::from(forwarding.guest_mib_per_day) << 20,
        all_bytes: u64::from(forwarding.guests_mib_per_day) << 20,
        key_packages: forwarding.guest_key_packages_per_day,
    }
}

async fn sweep(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    let mut wait = FIRST_SWEEP;
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = SWEEP;
        match gateway.store.sweep().await {
            Ok(swept) => tracing::debug!(
                items = swept.items,
                queues = swept.queues,
                channels = swept.channels,
                "expired things deleted"
            ),
            Err(error) => tracing::warn!(error = %error, "sweep"),
        }
        if let Err(error) = gateway.blobs.sweep().await {
            tracing::warn!(error = %error, "sweep of blobs");
        }
    }
}

/// A backup that is interrupted leaves a copy of everything; it must not lie about.
async fn remove_stale_copies(
    dir: PathBuf,
    copying: Arc<Mutex<()>>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        if let Ok(_nobody_copies) = copying.try_lock() {
            let dir = dir.clone();
            let removed = tokio::task::spawn_blocking(move || folder::remove_stale_copy(&dir));
            if let Ok(Err(error)) = removed.await {
                tracing::warn!(code = error.code(), "the copy of an interrupted backup");
            }
        }
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(STALE_COPIES) => {}
        }
    }
}

async fn roll_token_keys(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(ROLL) => {
                let today = gateway.clock.day();
                gateway.tokens.roll(today);
                if let Err(error) = gateway.forward_keys.roll(&gateway.store, today).await {
                    tracing::warn!(error = %error, "a new key for other servers");
                }
            }
        }
    }
}

async fn renew_leaves(leaves: Arc<LeafCertificates>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => return,
            () = tokio::time::sleep(identity::LEAF_RENEWAL) => {}
        }
        match leaves.renew() {
            Ok(()) => tracing::info!("TLS certificate renewed"),
            Err(error) => tracing::error!(code = error.code(), "TLS certificate not renewed"),
        }
    }
}
