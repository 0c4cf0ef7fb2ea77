//! What protects a device that is lost, seized or coerced: the passphrase, its limits, the duress passphrase, the
//! dead-man timer, and wiping.
//!
//! The process that has the account open listens to [`Client::ending`]: locking and wiping end with it, because only
//! the process can let go of its own memory. What must stay true: a wipe first destroys and only then talks to
//! anybody; what weakens a protection asks for the passphrase.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use ts_rs::TS;
use undertone_mls::{AccountId, RecoveryPhrase as Words};
use undertone_wire::{auth, request::Request};

use super::{Client, RecoveryPhrase, ServerChoice, life};
use crate::{
    attachments::Attachments,
    error::{Error, Reason, Result},
    home::{
        Home, HomeError, HomeResult, Passphrase, Wipe,
        dead_man::{self, DeadManStanding, Moment},
        panic::{self, Press},
        sentinel::Sentinel,
    },
    ids::ContactId,
    kill::take_leave,
    sync::{Engine, alarm, change::Change, devices, heartbeat, kill},
    transport::Role,
    view::SettingsPart,
};

/// How long the server may take to delete the queue after a wipe.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long tasks may take to end before a wipe does without them.
const LAST_WORK: Duration = Duration::from_secs(1);
/// The longest idle time before locking, in seconds.
const LONGEST_AUTO_LOCK: u32 = 24 * 60 * 60;

const AUTO_LOCK: &str = "protection.auto_lock_s";
const ON_SUSPEND: &str = "protection.lock_on_suspend";
const WITH_SCREEN: &str = "protection.lock_with_screen";
const DURESS: &str = "protection.duress";

/// Told to watchers when any of it was changed.
const PROTECTION: Change = Change::Settings(SettingsPart::Protection);

/// How the process that has the account open is to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Lock: close the account and let go of the memory that held it.
    Lock,
    /// The home is being wiped: nothing of it is to be shown any more. [`Ending::Wiped`] follows.
    Wiping,
    /// The home has been wiped: the same, and there is nothing to come back to.
    Wiped,
}

/// How this device is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Protection {
    /// Wrong passphrases in a row after which this device is wiped; 0: never.
    pub wrong_attempts_limit: u16,
    /// Wrong passphrases since the last right one.
    pub wrong_attempts: u32,
    /// The app in the browser locks after so many seconds without the owner doing anything, and `undertone watch` and `undertone rpc` end
    /// when they were asked for nothing for so long; 0: never.
    pub auto_lock_s: u32,
    /// Whether they do when the computer is suspended.
    pub lock_on_suspend: bool,
    /// Whether they do when the desktop says that the screen is locked.
    pub lock_with_screen: bool,
    /// Whether the desktop's keyring is needed to open the home, beside a passphrase.
    pub keyring: bool,
    /// Whether a duress passphrase was set from this account. Nothing outside the account says so.
    pub duress: bool,
    /// Contacts who are told when the duress passphrase is given on this device. Nothing outside the account says so.
    pub alarm: Vec<ContactId>,
    /// Whether this is the decoy, visited by the passphrase for that.
    pub decoy: bool,
    /// Whether a device of the account that was wiped, by another one or by hand, is removed from the account as soon as it says so, which
    /// shows people in its chats a line; the only one tells them itself. The same on all of the account's devices.
    pub remove_wiped: bool,
    /// The dead-man timer.
    pub dead_man: DeadManStanding,
}

/// What of it is to change; what is left out stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectionChange {
    /// See [`Protection::wrong_attempts_limit`]. Needs the passphrase. 0, or 3 and more.
    #[ts(optional)]
    pub wrong_attempts_limit: Option<u16>,
    /// See [`Protection::auto_lock_s`]; at most a day.
    #[ts(optional)]
    pub auto_lock_s: Option<u32>,
    /// See [`Protection::lock_on_suspend`].
    #[ts(optional)]
    pub lock_on_suspend: Option<bool>,
    /// See [`Protection::lock_with_screen`].
    #[ts(optional)]
    pub lock_with_screen: Option<bool>,
    /// See [`Protection::keyring`]. Needs the passphrase.
    #[ts(optional)]
    pub keyring: Option<bool>,
    /// See [`Protection::remove_wiped`].
    #[ts(optional)]
    pub remove_wiped: Option<bool>,
    /// Days of the dead-man timer, at most 3,650; 0 turns it off. Needs the passphrase.
    #[ts(optional)]
    pub dead_man_days: Option<u16>,
    /// Whether an unlock of another of the account's devices counts as one here, for the dead-man timer. Needs the passphrase, and a
    /// kill code, by whose ways it is told.
    #[ts(optional)]
    pub heartbeats: Option<bool>,
}

/// The account in the decoy.
#[derive(Default)]
pub struct DecoyAccount {
    /// Where it registers; None: it is made for this account's server and not registered until it is opened.
    pub server: Option<ServerChoice>,
    /// The name in it; None: this account's.
    pub name: Option<String>,
}

/// A duress passphrase to be set.
pub struct NewDuress {
    /// The passphrase of this account.
    pub current: Passphrase,
    /// The one that destroys this account and opens the decoy.
    pub duress: Passphrase,
    /// One that opens the decoy and destroys nothing.
    pub visit: Option<Passphrase>,
    /// The account in the decoy.
    pub account: DecoyAccount,
    /// Contacts who are told, silently, when the duress passphrase is given.
    pub alarm: Vec<ContactId>,
}

/// A duress passphrase that was set.
pub struct DuressSet {
    /// Whether the decoy's account is registered with its server.
    pub registered: bool,
    /// The recovery phrase of the decoy's account.
    pub phrase: RecoveryPhrase,
}

/// What a wipe did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Wiped {
    /// Whether nothing is left in the home.
    pub complete: bool,
    /// Whether the server deleted the queue, with its addresses and key packages.
    pub server: bool,
}

impl Client {
    /// How this process is to end; None while nobody asked.
    #[must_use]
    pub fn ending(&self) -> watch::Receiver<Option<Ending>> {
        self.inner.ending.subscribe()
    }

    /// Asks the process that has the account open to lock.
    pub fn lock(&self) {
        self.inner.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            ending.get_or_insert(Ending::Lock);
            first
        });
    }

    /// Tells the process that has the account open that the home is gone.
    pub fn was_wiped(&self) {
        self.inner.ending.send_replace(Some(Ending::Wiped));
    }

    /// The home's folder.
    #[must_use]
    pub fn home_folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Works on the home off the async threads, beside whoever else does. A home that was wiped by it ends the process.
    async fn with_home<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Home) -> HomeResult<T> + Send + 'static,
    ) -> Result<T> {
        let home = self.lock_home().clone().ok_or(Reason::Closed)?;
        let done = tokio::task::spawn_blocking(move || work(&home).map_err(Error::from))
            .await
            .map_err(|_| Error::Reason(Reason::Closed))?;
        if matches!(&done, Err(Error::Home(HomeError::Wiped))) {
            self.was_wiped();
        }
        done
    }

    /// The same for what changes how the home opens: one at a time.
    async fn change_home<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Home) -> HomeResult<T> + Send + 'static,
    ) -> Result<T> {
        let client = self.clone();
        // A task of its own: the turn lasts as long as the work, whoever asked for it.
        tokio::spawn(async move {
            let _turn = client.inner.opening.lock().await;
            client.with_home(work).await
        })
        .await
        .map_err(|_| Error::Reason(Reason::Closed))?
    }

    /// How this device is protected.
    ///
    /// # Errors
    /// `store.*`, `home.*`.
    pub async fn protection(&self) -> Result<Protection> {
        let (decoy, keyring, attempts, dead_man) = self
            .with_home(|home| {
                let dead_man = dead_man::check(home.path(), &Moment::now())?;
                let attempts = Sentinel::load(home.path())?.attempts;
                let keyring = home.needs_keyring();
                Ok((home.is_decoy(), keyring, attempts, dead_man))
            })
            .await?;
        self.read(move |snapshot, _| {
            let db = snapshot.connection();
            Ok(Protection {
                wrong_attempts_limit: attempts.limit,
                wrong_attempts: attempts.failed,
                auto_lock_s: u32::try_from(get(db, AUTO_LOCK, 0)?).unwrap_or(0),
                lock_on_suspend: get(db, ON_SUSPEND, 1)? != 0,
                lock_with_screen: get(db, WITH_SCREEN, 1)? != 0,
                keyring,
                duress: get(db, DURESS, 0)? != 0,
                alarm: alarm::contacts(db)?
                    .iter()
                    .map(|account| ContactId::from_bytes(account.as_bytes()))
                    .collect(),
                decoy,
                remove_wiped: devices::removes_wiped(db)?,
                dead_man,
            })
        })
        .await
    }

    /// Changes how this device is protected.
    ///
    /// # Errors
    /// `settings.protection_invalid`; `home.decoy` on a visit to the decoy, for what is the whole home's; `home.keyring`, `home.no_keyring`; `kill.none` for heartbeats without a kill code; `home.wrong_passphrase`, `home.too_soon`, `home.wiped` for `passphrase`, and
    /// `home.empty_passphrase` if it is needed and missing; `store.*`, `home.*`.
    pub async fn set_protection(
        &self,
        passphrase: Option<Passphrase>,
        change: ProtectionChange,
    ) -> Result<Protection> {
        let is_possible = change
            .wrong_attempts_limit
            .is_none_or(|limit| limit == 0 || limit >= 3)
            && change
                .dead_man_days
                .is_none_or(|days| days <= dead_man::LONGEST_DAYS)
            && change
                .auto_lock_s
                .is_none_or(|seconds| seconds <= LONGEST_AUTO_LOCK);
        if !is_possible {
            return Err(Reason::ProtectionInvalid.into());
        }
        let is_of_home = change.wrong_attempts_limit.is_some()
            || change.dead_man_days.is_some()
            || change.heartbeats.is_some()
            || change.keyring.is_some();
        // Who was given the passphrase for visits must not weaken what protects the owner's own account.
        if is_of_home && self.with_home(|home| Ok(home.is_decoy())).await? {
            return Err(HomeError::Decoy.into());
        }
        if change.heartbeats == Some(true)
            && self.write(|work| Ok(kill::code(work)?.is_none())).await?
        {
            return Err(Reason::KillNone.into());
        }
        if is_of_home {
            let passphrase = passphrase.ok_or(HomeError::EmptyPassphrase)?;
            self.change_home(move |home| {
                match change.keyring {
                    Some(on) => home.set_keyring(&passphrase, on)?,
                    None => home.confirm(&passphrase)?,
                }
                if let Some(limit) = change.wrong_attempts_limit {
                    Sentinel::update(home.path(), |sentinel| sentinel.attempts.limit = limit)?;
                }
                if let Some(days) = change.dead_man_days {
                    dead_man::set(home.path(), days, &Moment::now())?;
                }
                if let Some(on) = change.heartbeats {
                    Sentinel::update(home.path(), |sentinel| sentinel.dead_man.heartbeats = on)?;
                }
                Ok(())
            })
            .await?;
        }
        self.write(move |work| {
            if let Some(seconds) = change.auto_lock_s {
                set(work.db, AUTO_LOCK, seconds.into())?;
            }
            if let Some(on) = change.lock_on_suspend {
                set(work.db, ON_SUSPEND, on.into())?;
            }
            if let Some(on) = change.lock_with_screen {
                set(work.db, WITH_SCREEN, on.into())?;
            }
            if let Some(on) = change.heartbeats {
                heartbeat::want(work, on)?;
            }
            if let Some(on) = change.remove_wiped {
                devices::set_removes_wiped(work, on)?;
            }
            work.tell(PROTECTION);
            Ok(())
        })
        .await?;
        self.protection().await
    }

    /// Gives this account another passphrase. The key is wrapped anew; the data stays as it is.
    ///
    /// # Errors
    /// As [`Home::change_passphrase`].
    pub async fn change_passphrase(&self, old: Passphrase, new: Passphrase) -> Result<()> {
        self.change_home(move |home| home.change_passphrase(&old, &new))
            .await
    }

    /// Confirms that the owner is here, as an unlock would: the dead-man timer starts anew, and those of the account's other devices
    /// where heartbeats count.
    ///
    /// # Errors
    /// As [`Home::confirm`].
    pub async fn confirm_passphrase(&self, passphrase: Passphrase) -> Result<()> {
        self.change_home(move |home| home.confirm(&passphrase))
            .await?;
        if let Some(kill) = &self.inner.driver.shared.kill {
            kill.here.send_replace(life::now_s(&kill.options));
        }
        self.write(|work| {
            work.tell(PROTECTION);
            Ok(())
        })
        .await
    }

    /// Makes a decoy with an account in it, and a passphrase that destroys this account and opens the decoy. A duress
    /// passphrase of before, and its decoy, are gone.
    ///
    /// # Errors
    /// As [`Home::set_duress`], `contact.unknown` for the alarm, and what registering says if a server was given; nothing is changed then.
    pub async fn set_duress(&self, new: NewDuress) -> Result<DuressSet> {
        let own = &self.inner.engine.me;
        let name = match &new.account.name {
            Some(name) => life::check_name(name, 64, Reason::NameInvalid)?,
            None => own.name(),
        };
        let registers = new.account.server.is_some();
        let server = match new.account.server {
            Some(server) => server,
            None => ServerChoice::without_invitation(own.server.clone()),
        };
        let mut alarmed = Vec::new();
        for contact in &new.alarm {
            let account = AccountId::new(contact.bytes()?);
            if !alarmed.contains(&account) {
                alarmed.push(account);
            }
        }
        let alarms = self
            .write(move |work| {
                let prepared = alarmed.iter().map(|account| alarm::prepare(work, account));
                prepared.collect::<Result<Vec<_>>>()
            })
            .await?;
        self.cleaned_up().await?;
        let decoy = self.with_home(Home::begin_decoy).await?;
        let words = Words::generate()?;
        let phrase = RecoveryPhrase::new(words.words());
        let now_ms = self.inner.engine.clock.now_ms();
        let proxy = self.status().await?.proxy.unwrap_or_default();
        let database = decoy.database()?.clone();
        let me = life::new_account(
            &words,
            life::FIRST_GENERATION,
            name,
            &server,
            now_ms,
            &proxy,
            &database,
        )?;
        drop(words);
        database.transaction(|tx| alarm::put_into_decoy(tx.connection(), &alarms))?;
        if registers {
            let attachments = Attachments::new(database.clone(), self.attachments_folder()?);
            let engine = Engine::new(
                database,
                attachments,
                me,
                std::sync::Arc::clone(&self.inner.engine.clock),
                self.inner.engine.pace,
                usize::MAX,
            );
            life::register(engine, &self.inner.driver.shared.transport).await?;
        } else {
            drop(database);
        }
        let (current, duress, visit) = (new.current, new.duress, new.visit);
        self.change_home(move |home| home.set_duress(&current, &duress, visit.as_ref(), decoy))
            .await?;
        self.write(move |work| {
            alarm::agree(work, &alarms)?;
            work.tell(PROTECTION);
            set(work.db, DURESS, 1)
        })
        .await?;
        Ok(DuressSet {
            registered: registers,
            phrase,
        })
    }

    fn attachments_folder(&self) -> Result<PathBuf> {
        match &*self.lock_home() {
            Some(home) => Ok(home.attachments()),
            None => Err(Reason::Closed.into()),
        }
    }

    /// Takes the duress passphrase and the decoy away.
    ///
    /// # Errors
    /// As [`Home::remove_duress`].
    pub async fn remove_duress(&self, current: Passphrase) -> Result<()> {
        self.change_home(move |home| home.remove_duress(&current))
            .await?;
        self.write(|work| {
            alarm::agree(work, &[])?;
            work.tell(PROTECTION);
            set(work.db, DURESS, 0)
        })
        .await
    }

    /// Panic: locks at the first press, wipes at the second within ten seconds. Whatever goes wrong with noting the press, it locks.
    ///
    /// # Errors
    /// `home.wiped`: the process ends then, too. What [`Client::wipe`] says.
    pub async fn panic(&self) -> Result<Press> {
        let folder = self.home_folder().to_owned();
        let press = tokio::task::spawn_blocking(move || panic::press(&folder, &Moment::now()));
        let press = match press.await {
            Ok(Err(HomeError::Wiped)) => {
                self.was_wiped();
                return Err(HomeError::Wiped.into());
            }
            // A home whose folder is gone is open here all the same.
            Ok(Err(_)) | Err(_) => Press::Lock,
            Ok(Ok(press)) => press,
        };
        match press {
            Press::Lock => self.lock(),
            Press::Wipe => {
                self.wipe().await?;
            }
        }
        Ok(press)
    }

    /// Wipes the home: first what opens it, then everything in it, then the queue on the server, and the kill code's, if it can be reached
    /// within five seconds. If the owner chose so and this is the account's only device, people in its direct chats are told once no key of the
    /// home is on the disk any more, for at most a moment and while the server is there. The process is told to end.
    ///
    /// # Errors
    /// `home.missing`, `home.io`.
    pub async fn wipe(&self) -> Result<Wiped> {
        // A task of its own: what has begun is finished, also when whoever asked for it is gone. A page's connection ends when it begins.
        let client = self.clone();
        tokio::spawn(async move { client.wipe_all().await })
            .await
            .map_err(|_| Error::Reason(Reason::Closed))?
    }

    async fn wipe_all(&self) -> Result<Wiped> {
        // A second caller is told what the first one did.
        let mut done = self.inner.wiped.lock().await;
        if let Some(done) = *done {
            return Ok(done);
        }
        let folder = self.home_folder().to_owned();
        self.inner.ending.send_replace(Some(Ending::Wiping));
        let place = folder.clone();
        tokio::task::spawn_blocking(move || Wipe::destroy_keys(&place))
            .await
            .map_err(|_| Error::Reason(Reason::Closed))??;
        self.inner.driver.shared.part().await;
        let report = tokio::task::spawn_blocking(move || Wipe::begin(&folder))
            .await
            .map_err(|_| Error::Reason(Reason::Closed))??;
        // What still works on the store works on nothing.
        let _ = tokio::time::timeout(LAST_WORK, self.inner.driver.stop()).await;
        let kill_queues = async {
            if let Some(kill) = &self.inner.driver.shared.kill {
                take_leave(kill.section.home(), &kill.options, FAREWELL).await;
            }
        };
        let messages = tokio::time::timeout(FAREWELL, self.delete_queue());
        let (deleted, ()) = tokio::join!(messages, kill_queues);
        let wiped = Wiped {
            complete: report.is_complete(),
            server: matches!(deleted, Ok(Ok(()))),
        };
        *done = Some(wiped);
        self.was_wiped();
        Ok(wiped)
    }

    /// Deletes the queue, with what waits in it, its addresses and key packages. Needs only what is in memory.
    async fn delete_queue(&self) -> Result<()> {
        let me = &self.inner.engine.me;
        let transport = &self.inner.driver.shared.transport;
        let connection = transport.connect(&me.server, Role::Inbox).await?;
        let key = ed25519_dalek::SigningKey::from_bytes(me.queue_key.expose());
        let hello = connection.hello();
        let sign_in = auth::sign_in(&key, &me.server.pin, &hello.challenge, me.queue);
        connection.request(Request::SignIn(sign_in)).await?;
        connection.request(Request::DeleteQueue).await?;
        connection.close();
        Ok(())
    }
}

pub(super) fn get(db: &Connection, name: &str, default: i64) -> Result<i64> {
    let value = db
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value.unwrap_or(default))
}

pub(super) fn set(db: &Connection, name: &str, value: i64) -> Result<()> {
    db.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        params![name, value],
    )?;
    Ok(())
}
