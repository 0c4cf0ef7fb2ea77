//! From making or opening an account to closing it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use undertone_mls::{AccountRoot, BackupKey, DeviceKeys, RecoveryPhrase as Words};
use undertone_wire::{ids::QueueId, secrets::Secret};

use super::{
    Client, ClientOptions, EventStream, Inner, ProxyChoice, RecoveryPhrase, ServerChoice,
    SocksProxy,
};
use crate::{
    attachments::Attachments,
    bell::BellPass,
    driver::{self, Driver},
    error::{Error, Reason, Result},
    home::{Creation, Home, Owner, Passphrase, socket::Listener},
    ids::{ContactId, DeviceId},
    kill::section::Section,
    net::TlsTransport,
    store::Database,
    sync::{
        Engine,
        account::{self, Me, NewAccount},
        profile,
    },
    transport::{Role, Transport},
    view::{AccountInfo, Settled, Status},
};

/// How long opening an account waits for the kill queue.
const KILL_FIRST: Duration = Duration::from_secs(3);
/// How often registering is tried again when the answer was lost.
const REGISTER_ATTEMPTS: u32 = 4;
/// The generation of an account's first device-signing key.
pub(super) const FIRST_GENERATION: u32 = 1;

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::Reason(Reason::Closed))
}

pub(crate) fn transport(options: &ClientOptions, proxy: &str) -> Result<Arc<dyn Transport>> {
    if let Some(transport) = &options.transport {
        return Ok(Arc::clone(transport));
    }
    let proxy = if proxy.is_empty() {
        None
    } else {
        Some(proxy.parse::<SocksProxy>()?)
    };
    Ok(Arc::new(TlsTransport::new(proxy)))
}

/// A name as others see it.
pub(super) fn check_name(name: &str, longest: usize, reason: Reason) -> Result<String> {
    Ok(profile::fit_name(name, longest).ok_or(reason)?.to_owned())
}

#[cfg(debug_assertions)]
pub(super) fn cheap_kdf(options: &ClientOptions) {
    if options.cheap_kdf_for_tests {
        crate::home::use_cheap_kdf_for_tests();
    }
}

#[cfg(not(debug_assertions))]
pub(super) fn cheap_kdf(_: &ClientOptions) {}

impl Client {
    /// Makes a home with a new account and registers it. The recovery phrase is to be shown once.
    ///
    /// # Errors
    /// `connection.*` and `version.*` if the server can't be reached or spoken to, `invitation.*` if it refuses,
    /// `home.*` if the home can't be made. Nothing is left of it then.
    pub async fn init(
        dir: &Path,
        passphrase: &Passphrase,
        server: &ServerChoice,
        name: &str,
        options: ClientOptions,
    ) -> Result<(Self, RecoveryPhrase)> {
        cheap_kdf(&options);
        let name = check_name(name, 64, Reason::NameInvalid)?;
        let proxy = match &options.proxy {
            ProxyChoice::Socks5(proxy) => proxy.to_string(),
            ProxyChoice::Direct | ProxyChoice::Remembered => String::new(),
        };
        let transport = transport(&options, &proxy)?;
        // The pin, the version and the way there are tried before anything is made.
        transport
            .connect(server.server(), Role::Inbox)
            .await?
            .close();

        let creation = tokio::task::block_in_place(|| Creation::begin(dir, passphrase))?;
        let now_ms = options.clock.now_ms();
        let words = Words::generate()?;
        let shown = RecoveryPhrase::new(words.words());
        let me = new_account(
            &words,
            FIRST_GENERATION,
            name,
            server,
            now_ms,
            &proxy,
            creation.database(),
        )?;
        drop(words);
        let database = creation.database().clone();
        let attachments = Attachments::new(database.clone(), creation.attachments());
        let engine = Engine::new(
            database,
            attachments,
            me,
            Arc::clone(&options.clock),
            options.sending,
            options.inline_max(),
        );
        register(engine, &transport).await?;
        let home = tokio::task::block_in_place(|| creation.finish())?;
        Ok((Self::from_home(home, options).await?, shown))
    }

    /// Opens the account in a home that nobody else has open.
    ///
    /// # Errors
    /// `home.*` (wrong passphrase, in use, not there, newer), `store.*`, `account.none`.
    pub async fn open(dir: &Path, passphrase: &Passphrase, options: ClientOptions) -> Result<Self> {
        cheap_kdf(&options);
        let owner = Owner::acquire(dir)?;
        let home =
            tokio::task::block_in_place(|| owner.unlock(passphrase)).map_err(|(_, error)| error)?;
        Self::from_home(home, options).await
    }

    /// The account in an unlocked home.
    ///
    /// # Errors
    /// `store.*`, `account.none`.
    pub async fn from_home(home: Home, options: ClientOptions) -> Result<Self> {
        let database = home.database().clone();
        let place = home.path().to_owned();
        let folder = home.attachments();
        let cleaning = home.cleaning();
        let visited = home.is_decoy();
        let choice = options.proxy.clone();
        let (me, proxy, attachments) = blocking(move || -> Result<_> {
            let attachments = Attachments::new(database.clone(), folder);
            attachments.recover()?;
            if super::linking::is_unfinished(&database)? {
                return Err(Reason::LinkingUnfinished.into());
            }
            let me = database.read(|snapshot| account::load(snapshot.connection()))?;
            let proxy = database.transaction(|tx| -> Result<String> {
                match choice {
                    ProxyChoice::Remembered => {}
                    ProxyChoice::Direct => account::set_proxy(tx.connection(), "")?,
                    ProxyChoice::Socks5(proxy) => {
                        account::set_proxy(tx.connection(), &proxy.to_string())?;
                    }
                }
                account::proxy(tx.connection())
            })?;
            Ok((me, proxy, attachments))
        })
        .await??;
        let engine = Arc::new(Engine::new(
            home.database().clone(),
            attachments.clone(),
            me,
            Arc::clone(&options.clock),
            options.sending,
            options.inline_max(),
        ));
        let transport = transport(&options, &proxy)?;
        let kill = driver::Kill {
            section: Section::of(home.path()),
            here: tokio::sync::watch::channel(now_s(&options)).0,
            telling: true.into(),
            visited,
            options,
        };
        let client = Self {
            inner: Arc::new(Inner {
                driver: Driver::new(
                    Arc::clone(&engine),
                    transport,
                    attachments.clone(),
                    Some(kill),
                ),
                engine,
                attachments,
                home: Mutex::new(Some(Arc::new(home))),
                folder: place,
                opening: tokio::sync::Mutex::new(()),
                turn: tokio::sync::Mutex::new(()),
                typed: super::Typed::default(),
                ending: tokio::sync::watch::channel(None).0,
                wiped: tokio::sync::Mutex::default(),
                backup: Mutex::default(),
                cleaned: tokio::sync::watch::channel(cleaning.is_none().then_some(true)).0,
            }),
        };
        if let Some(cleaning) = cleaning {
            client.clean_after_duress(cleaning);
        }
        Ok(client)
    }

    /// Connects, and keeps connected until [`Client::close`]. Calling it twice changes nothing. Where there is a kill code, it is waited for
    /// a moment until it is known that nobody has sent a command to wipe.
    ///
    /// # Errors
    /// `state.closed`; `home.wiped` if somebody has.
    pub async fn start(&self) -> Result<()> {
        if self.lock_home().is_none() {
            return Err(Reason::Closed.into());
        }
        self.inner.driver.start();
        self.inner.driver.shared.kill_looked(KILL_FIRST).await
    }

    /// Waits until everything that can be done is done, at most `limit`; returns early when the server can't be reached.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn settle(&self, limit: Duration) -> Result<Settled> {
        self.inner.driver.settle(limit).await
    }

    /// Stops all tasks and gives the home back, once what works on it is done; a backup that is being made is not made. Other handles of
    /// this client are of no use afterwards. Who can't wait ends the process: the store is whole then, too.
    ///
    /// # Errors
    /// None at present.
    pub async fn close(&self) -> Result<()> {
        self.cancel_backup();
        self.inner.driver.stop().await;
        self.inner.engine.close().await;
        let Some(mut home) = self.lock_home().take() else {
            return Ok(());
        };
        while let Err(shared) = Arc::try_unwrap(home) {
            home = shared;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// The home's socket, for a client that made its home by itself: to be served while it is open.
    ///
    /// # Errors
    /// `state.closed`, `home.*`.
    pub fn listener(&self) -> Result<Listener> {
        match &*self.lock_home() {
            Some(home) => Ok(Listener::bind(home.owner())?),
            None => Err(Reason::Closed.into()),
        }
    }

    pub(super) fn lock_home(&self) -> std::sync::MutexGuard<'_, Option<Arc<Home>>> {
        self.inner
            .home
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> EventStream {
        EventStream::new(self.inner.engine.events.subscribe())
    }

    /// This account.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn account(&self) -> Result<AccountInfo> {
        self.read(|snapshot, engine| {
            let db = snapshot.connection();
            let me = &engine.me;
            Ok(AccountInfo {
                account_id: ContactId::from_bytes(me.account.as_bytes()),
                name: me.name(),
                device_id: DeviceId::from_bytes(me.device.as_bytes()),
                server: me.server.origin.to_string(),
                pin: me.server.pin.to_string(),
                registered: account::queue_state(db)?.registered,
                created_ms: db.query_row(
                    "SELECT created_at_ms FROM account WHERE id = 1",
                    [],
                    |row| row.get(0),
                )?,
            })
        })
        .await
    }

    /// What a locked process is to hear the bell with; None: the server has not been told of one.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn bell_pass(&self) -> Result<Option<BellPass>> {
        let (server, proxy) = self
            .read(|snapshot, engine| {
                let proxy = account::proxy(snapshot.connection())?;
                Ok((engine.me.server.clone(), proxy))
            })
            .await?;
        Ok(self.inner.driver.shared.bell.pass(server, proxy))
    }

    /// How it stands with the server.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn status(&self) -> Result<Status> {
        tokio::task::block_in_place(|| self.inner.driver.status())
    }
}

/// Unix seconds by the clock of `options`.
pub(super) fn now_s(options: &ClientOptions) -> u64 {
    u64::try_from(options.clock.now_ms() / 1000).unwrap_or(0)
}

/// Draws all keys of a new device of these words' account and stores them. `generation`: of the device-signing key.
pub(super) fn new_account(
    words: &Words,
    generation: u32,
    name: String,
    server: &ServerChoice,
    now_ms: i64,
    proxy: &str,
    database: &Database,
) -> Result<Me> {
    let root = AccountRoot::from_phrase(words);
    let signing_key = root.device_signing_key(generation);
    let keys = DeviceKeys::generate(&signing_key, u64::try_from(now_ms / 1000).unwrap_or(0));
    let backup_key = BackupKey::of(words)?.encode();
    let me = Me::new(
        keys,
        name,
        server.server().clone(),
        QueueId::random(),
        Secret::random(),
    );
    database.transaction(|tx| {
        account::create(
            tx.connection(),
            &NewAccount {
                me: &me,
                signing_key: &signing_key.to_secret_bytes(),
                backup_key: &backup_key,
                invitation: server.0.code.as_ref().map_or(&[][..], |code| code.expose()),
                proxy,
                now_ms,
            },
        )
    })?;
    Ok(me)
}

/// Registers before the home is put in its place. A lost answer is asked for again: the server knows the same keys.
pub(super) async fn register(engine: Engine, transport: &Arc<dyn Transport>) -> Result<()> {
    let attachments = engine.attachments.clone();
    let shared = Driver::new(Arc::new(engine), Arc::clone(transport), attachments, None);
    let mut attempt = 0;
    loop {
        attempt += 1;
        match driver::register(&shared).await {
            Err(Error::Wire(error))
                if attempt < REGISTER_ATTEMPTS
                    && error.class == undertone_wire::Class::RetryNow =>
            {
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            }
            outcome => return outcome,
        }
    }
}
