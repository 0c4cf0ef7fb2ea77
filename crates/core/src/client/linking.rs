//! Linking devices: as the device that has the account (calls of [`Client`]), and as the new one ([`Linking`]).

use std::{path::Path, sync::Arc, time::Duration};

use undertone_wire::origin::{Origin, ServerAddress};

use super::{Client, ClientOptions, ProxyChoice, life};
use crate::{
    error::{Reason, Result},
    home::{Creation, Home, Owner, Passphrase},
    ids::DeviceId,
    joining::{self, Rendezvous, State},
    store::Database,
    sync::{account, devices, history, linking, linking::State as Step, rotation, siblings},
    view::*,
};

/// How long a code is good for.
const CODE_LIVES: Duration = Duration::from_secs(3600);
const NAME_BYTES: usize = 64;

/// The server of a device to be linked: `host:port`, with or without its pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkServer {
    origin: Origin,
    known: Option<ServerAddress>,
}

impl std::str::FromStr for LinkServer {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Ok(known) = text.parse::<ServerAddress>() {
            return Ok(Self {
                origin: known.origin.clone(),
                known: Some(known),
            });
        }
        let origin = text.parse().map_err(|_| Reason::ServerInvalid)?;
        Ok(Self {
            origin,
            known: None,
        })
    }
}

/// A home that is being linked to an account.
pub struct Linking {
    home: Home,
    rendezvous: Rendezvous,
    options: ClientOptions,
}

impl Linking {
    /// Makes a home for a device that is to be linked, and a code for it.
    ///
    /// # Errors
    /// `connection.*` if the server can't be reached, `home.*` if the home can't be made.
    pub async fn begin(
        dir: &Path,
        passphrase: &Passphrase,
        server: &LinkServer,
        device_name: &str,
        options: ClientOptions,
    ) -> Result<Self> {
        life::cheap_kdf(&options);
        let name = life::check_name(device_name, NAME_BYTES, Reason::DeviceNameInvalid)?;
        let proxy = match &options.proxy {
            ProxyChoice::Socks5(proxy) => proxy.to_string(),
            ProxyChoice::Direct | ProxyChoice::Remembered => String::new(),
        };
        let transport = life::transport(&options, &proxy)?;
        let server = match &server.known {
            Some(known) => known.clone(),
            // Whether it is the right one is for the other device to say: it compares the pin with its own.
            None => ServerAddress {
                origin: server.origin.clone(),
                pin: transport.look_up_pin(&server.origin).await?,
            },
        };
        let now_ms = options.clock.now_ms();
        let lives = i64::try_from(CODE_LIVES.as_millis()).unwrap_or(0);
        let creation = tokio::task::block_in_place(|| Creation::begin(dir, passphrase))?;
        creation.database().transaction(|tx| {
            joining::begin(tx.connection(), server, &name, &proxy, now_ms + lives)
        })?;
        let home = tokio::task::block_in_place(|| creation.finish())?;
        Self::of(home, options)
    }

    /// Goes on with a home that is being linked.
    ///
    /// # Errors
    /// `home.*`; `linking.none` if the home is not being linked.
    pub async fn resume(
        dir: &Path,
        passphrase: &Passphrase,
        options: ClientOptions,
    ) -> Result<Self> {
        life::cheap_kdf(&options);
        let owner = Owner::acquire(dir)?;
        let home =
            tokio::task::block_in_place(|| owner.unlock(passphrase)).map_err(|(_, error)| error)?;
        Self::of(home, options)
    }

    fn of(home: Home, options: ClientOptions) -> Result<Self> {
        let database = home.database().clone();
        let row = database
            .transaction(|tx| joining::get(tx.connection()))?
            .ok_or(Reason::LinkingNone)?;
        let transport = life::transport(&options, &row.proxy)?;
        Ok(Self {
            rendezvous: Rendezvous {
                database,
                transport,
                clock: Arc::clone(&options.clock),
            },
            home,
            options,
        })
    }

    /// As [`Client::ask_before_commits_for_tests`], also for the account that this becomes.
    #[cfg(debug_assertions)]
    pub fn ask_before_commits_for_tests(&self, hook: impl Fn() -> bool + Send + Sync + 'static) {
        self.rendezvous.database.set_commit_hook(Arc::new(hook));
    }

    /// The code to be shown to the other device.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn code(&self) -> Result<String> {
        Ok(self.rendezvous.row().await?.code.to_string())
    }

    /// Unix milliseconds at which the code ends.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn expires_ms(&self) -> Result<i64> {
        Ok(self.rendezvous.row().await?.expires_at_ms)
    }

    /// Whether the words were found to be the same here already.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn is_confirmed(&self) -> Result<bool> {
        Ok(self.rendezvous.row().await?.state >= State::Confirmed)
    }

    /// Waits until the other device has taken the code, and gives the words that both show.
    ///
    /// # Errors
    /// `linking.expired`, `linking.refused`, `connection.*` for what will not get better.
    pub async fn words(&self) -> Result<String> {
        self.rendezvous.until(State::Compare).await?;
        let row = self.rendezvous.row().await?;
        let transcript = row.transcript.ok_or(Reason::StateBroken)?;
        Ok(transcript.words())
    }

    /// Says that the words are the same here, and waits until the other device has sent the account.
    ///
    /// # Errors
    /// As [`Linking::words`].
    pub async fn agree(&self) -> Result<()> {
        self.rendezvous.write(|db, _| joining::confirm(db)).await?;
        self.rendezvous.until(State::Provisioned).await
    }

    /// Opens the account that [`Linking::agree`] waited for.
    ///
    /// # Errors
    /// As [`Client::from_home`].
    pub async fn finish(self) -> Result<Client> {
        self.rendezvous.leave(false).await;
        let Self {
            home,
            rendezvous,
            options,
        } = self;
        drop(rendezvous);
        Client::from_home(home, options).await
    }

    /// Says that the words are the same here, waits until the other device has sent the account, and opens it.
    ///
    /// # Errors
    /// As [`Linking::words`].
    pub async fn confirm(self) -> Result<Client> {
        self.agree().await?;
        self.finish().await
    }

    /// Gives it up, and leaves nothing: the words differ, or it is not wanted.
    ///
    /// # Errors
    /// `home.*` if the home can't be taken away.
    pub async fn abandon(self) -> Result<()> {
        self.rendezvous.leave(true).await;
        let Self {
            home, rendezvous, ..
        } = self;
        drop(rendezvous);
        tokio::task::block_in_place(|| home.destroy()).map_err(Into::into)
    }
}

/// What is kept of a home that is being linked, if it is; for those who open it as an account's.
pub(crate) fn is_unfinished(database: &Database) -> Result<bool> {
    database.transaction(|tx| {
        let db = tx.connection();
        let account = db.prepare("SELECT 1 FROM account")?.exists([])?;
        Ok(!account && joining::get(db)?.is_some())
    })
}

fn info(row: &linking::Linking) -> LinkingInfo {
    let problem = Reason::ALL
        .iter()
        .find(|reason| reason.code() == row.failure)
        .map(|reason| crate::Error::from(*reason).problem());
    let state = match row.state {
        _ if problem.is_some() => LinkingState::Failed,
        Step::ToOffer | Step::Offered => LinkingState::Waiting,
        Step::Compare => LinkingState::Compare,
        Step::Confirmed => LinkingState::Confirmed,
        Step::ToProvision | Step::Provisioned => LinkingState::Sending,
    };
    LinkingInfo {
        state,
        words: row.words(),
        device_name: Some(row.name.clone()).filter(|name| !name.is_empty()),
        expires_ms: row.expires_at_ms,
        problem,
    }
}

impl Client {
    /// Takes the code that a new device shows. Then [`Client::linking`] has the words to compare. With `history` the new device is given
    /// what was said before, too; [`Client::histories`] says how far that is.
    ///
    /// # Errors
    /// `linking.invalid`, `linking.other_server`, `linking.expired`, `linking.busy`, `linking.too_many`.
    pub async fn begin_linking(&self, code: &str, history: bool) -> Result<()> {
        let code = zeroize::Zeroizing::new(code.to_owned());
        self.write(move |work| linking::begin(work, &code, history))
            .await
    }

    /// What was said before, on its way to devices that were linked with it.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn histories(&self) -> Result<Vec<HistoryInfo>> {
        self.read(|snapshot, engine| history::progress(snapshot.connection(), &engine.me.device))
            .await
    }

    /// The linking that is under way, or why the last one failed.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn linking(&self) -> Result<Option<LinkingInfo>> {
        self.read(|snapshot, _| Ok(linking::get(snapshot.connection())?.as_ref().map(info)))
            .await
    }

    /// Says that both devices show the same words. From here on the new device is given the account, once its owner says so there too.
    ///
    /// # Errors
    /// `linking.none`, `linking.early`.
    pub async fn confirm_linking(&self) -> Result<()> {
        self.write(linking::confirm).await
    }

    /// Ends it.
    ///
    /// # Errors
    /// `linking.none`.
    pub async fn cancel_linking(&self) -> Result<()> {
        self.write(linking::cancel).await
    }

    /// The account's devices, the oldest first; removed ones are left out.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn devices(&self) -> Result<Vec<DeviceInfo>> {
        self.read(|snapshot, engine| {
            let db = snapshot.connection();
            let mut all: Vec<DeviceInfo> = devices::all(db)?
                .into_iter()
                .map(|device| DeviceInfo {
                    id: DeviceId::from_bytes(device.id.as_bytes()),
                    this: device.id == engine.me.device,
                    name: device.name,
                    added_ms: device.added_at_ms,
                    state: match (device.in_use, device.stale) {
                        (true, _) => DeviceState::InUse,
                        (false, false) => DeviceState::Removed,
                        (false, true) => DeviceState::RemovedWithoutPhrase,
                    },
                })
                .collect();
            let strangers = siblings::shown(db, &engine.me, engine.clock.now_ms())?;
            all.extend(strangers.into_iter().map(|(id, since_ms)| DeviceInfo {
                id: DeviceId::from_bytes(id.as_bytes()),
                this: false,
                name: String::new(),
                added_ms: since_ms,
                state: DeviceState::Unknown,
            }));
            if !all.iter().any(|device| device.this) {
                // An account with one device has never had to tell it from others.
                all.insert(
                    0,
                    DeviceInfo {
                        id: DeviceId::from_bytes(engine.me.device.as_bytes()),
                        this: true,
                        name: String::new(),
                        added_ms: db.query_row(
                            "SELECT created_at_ms FROM account WHERE id = 1",
                            [],
                            |row| row.get(0),
                        )?,
                        state: DeviceState::InUse,
                    },
                );
            }
            Ok(all)
        })
        .await
    }

    /// Gives a device another name. Only this account's devices see it.
    ///
    /// # Errors
    /// `device.unknown`, `device.name_invalid`.
    pub async fn rename_device(&self, device: &DeviceId, name: &str) -> Result<()> {
        let id = undertone_mls::DeviceId::new(device.bytes()?);
        let name = life::check_name(name, NAME_BYTES, Reason::DeviceNameInvalid)?;
        self.write(move |work| devices::rename(work, &id, &name))
            .await
    }

    /// Takes a device out of the account and of every conversation. Without the recovery phrase a thief who has opened the device can still
    /// make others for the account, with people who have not seen that it was removed; with it, nothing it knows is worth anything.
    ///
    /// # Errors
    /// `device.unknown`, `device.own`, `account.phrase_wrong`.
    pub async fn remove_device(
        &self,
        device: &DeviceId,
        recovery_phrase: Option<&str>,
    ) -> Result<()> {
        let id = undertone_mls::DeviceId::new(device.bytes()?);
        let phrase = recovery_phrase
            .map(|words| {
                undertone_mls::RecoveryPhrase::parse(words).map_err(|_| Reason::PhraseWrong)
            })
            .transpose()?;
        self.write(move |work| {
            if let Some(phrase) = &phrase {
                rotation::rotate(work, phrase)?;
            }
            let stale = phrase.is_none();
            if siblings::remove_with(work, &id, stale)? {
                return Ok(());
            }
            devices::remove(work, &id, stale)
        })
        .await
    }

    /// The generation of the device-signing key that certified this device; it grows with each removal by the recovery phrase.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn device_key_generation(&self) -> Result<u32> {
        self.read(|_, engine| Ok(engine.me.keys().certificate().generation()))
            .await
    }

    /// Whether another device has removed this one from the account.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn is_removed(&self) -> Result<bool> {
        self.read(|snapshot, _| account::is_removed(snapshot.connection()))
            .await
    }
}
