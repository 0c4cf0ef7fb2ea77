//! Backups: making one of an open account, checking one, and making a home from one.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use undertone_mls::{BackupKey, RecoveryPhrase as Words};

use super::{Client, ClientOptions, ProxyChoice, ServerChoice, life};
use crate::{
    attachments::Attachments,
    backup::{self, Backup, Control, MakeBackup},
    error::{Reason, Result},
    home::{Creation, Passphrase},
    sync::{Engine, rotation},
    transport::Role,
    view::*,
};

fn parse(phrase: &str) -> Result<Words> {
    Words::parse(phrase).map_err(|_| Reason::PhraseWrong.into())
}

/// Of the device-signing key that a restored device makes: higher than that of the backup, and than any that was made by an earlier
/// restoring of the same backup, of which it knows nothing. So it counts the minutes since 2026, and never less than one more.
fn next_generation(of_backup: u32, now_ms: i64) -> u32 {
    const FROM_MS: i64 = 1_767_225_600_000;
    let minutes = u32::try_from((now_ms - FROM_MS) / 60_000).unwrap_or(0);
    of_backup.saturating_add(1).max(minutes)
}

impl Client {
    /// Makes an encrypted backup in `folder`, or brings the one there up to date. Only the recovery phrase opens it. Progress comes as
    /// [`Event::Backup`].
    ///
    /// # Errors
    /// `backup.no_key` if this device needs the phrase once, `backup.foreign`, `backup.busy`, `backup.cancelled`, `backup.disk_full`,
    /// `backup.unwritable`, `account.phrase_wrong`. What was there before stays whole.
    pub async fn make_backup(
        &self,
        folder: &Path,
        media: bool,
        phrase: Option<&str>,
    ) -> Result<BackupReport> {
        if let Some(phrase) = phrase {
            let words = parse(phrase)?;
            self.write(move |work| rotation::set_backup_key(work, &BackupKey::of(&words)?))
                .await?;
        }
        let events = self.inner.engine.events.clone();
        let control = Control::new(move |done, total| {
            let _ = events.send(Event::Backup { done, total });
        });
        {
            let mut running = self.running();
            if running.is_some() {
                return Err(Reason::BackupBusy.into());
            }
            *running = Some(control.clone());
        }
        let (folder, attachments) = (
            folder.to_owned(),
            self.inner.attachments.folder().to_owned(),
        );
        let inner = Arc::clone(&self.inner);
        self.inner
            .engine
            .blocking(move |engine| {
                // Also if the caller is gone meanwhile.
                let _running = Running(&inner);
                backup::make(
                    &MakeBackup {
                        database: &engine.database,
                        attachments,
                        me: &engine.me,
                        media,
                        now_ms: engine.clock.now_ms(),
                    },
                    &folder,
                    &control,
                )
            })
            .await
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Control>> {
        self.inner
            .backup
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the backup that is being made; what was there before stays. Nothing if there is none.
    pub fn cancel_backup(&self) {
        if let Some(control) = &*self.running() {
            control.cancel();
        }
    }

    /// Whether this device can make backups, and when it last did.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn backup_state(&self) -> Result<BackupState> {
        let running = self.running().is_some();
        self.read(move |snapshot, _| {
            let db = snapshot.connection();
            Ok(BackupState {
                ready: db.query_row(
                    "SELECT backup_key <> x'' FROM account WHERE id = 1",
                    [],
                    |row| row.get(0),
                )?,
                last_made_ms: backup::last_made(db)?,
                running,
            })
        })
        .await
    }

    /// Opens every part of a backup and checks it. No home is needed for it.
    ///
    /// # Errors
    /// `backup.none`, `backup.damaged`, `backup.newer`, `account.phrase_wrong`.
    pub async fn check_backup(
        folder: &Path,
        phrase: &str,
        progress: impl Fn(u64, u64) + Send + Sync + 'static,
    ) -> Result<BackupCheck> {
        let words = parse(phrase)?;
        let folder = folder.to_owned();
        life::blocking(move || Backup::open(&folder, &words)?.check(&Control::new(progress)))
            .await?
    }

    /// Makes a home from a backup, with a new device that takes the place of all that the account had. What was said before is there at
    /// once, to be read; conversations go on as their members let this device in.
    ///
    /// # Errors
    /// As [`Client::check_backup`] and [`Client::init`]. Nothing is left of the home then.
    pub async fn restore(
        dir: &Path,
        passphrase: &Passphrase,
        server: &ServerChoice,
        folder: &Path,
        phrase: &str,
        options: ClientOptions,
        progress: impl Fn(u64, u64) + Send + Sync + 'static,
    ) -> Result<(Self, RestoreReport)> {
        life::cheap_kdf(&options);
        let words = parse(phrase)?;
        let proxy = match &options.proxy {
            ProxyChoice::Socks5(proxy) => proxy.to_string(),
            ProxyChoice::Direct | ProxyChoice::Remembered => String::new(),
        };
        let transport = life::transport(&options, &proxy)?;
        let place: PathBuf = folder.to_owned();
        let (backup, words) =
            life::blocking(move || Backup::open(&place, &words).map(|backup| (backup, words)))
                .await??;
        transport
            .connect(server.server(), Role::Inbox)
            .await?
            .close();
        let creation = tokio::task::block_in_place(|| Creation::begin(dir, passphrase))?;
        let now_ms = options.clock.now_ms();
        let control = Control::new(progress);
        let restored = tokio::task::block_in_place(|| {
            backup::fill(
                &backup,
                creation.database(),
                &creation.attachments(),
                now_ms,
                &control,
            )
        })?;
        let me = life::new_account(
            &words,
            next_generation(backup.manifest.generation, now_ms),
            backup.manifest.name.clone(),
            server,
            now_ms,
            &proxy,
            creation.database(),
        )?;
        drop(words);
        let same_server = backup.manifest.origin == me.server.origin.to_string()
            && backup.manifest.pin[..] == me.server.pin.as_bytes()[..];
        let attachments = Attachments::new(creation.database().clone(), creation.attachments());
        let engine = Engine::new(
            creation.database().clone(),
            attachments,
            me,
            Arc::clone(&options.clock),
            options.sending,
            options.inline_max(),
        );
        tokio::task::block_in_place(|| engine.write(|work| backup::take_up(work, same_server)))?;
        life::register(engine, &transport).await?;
        let home = tokio::task::block_in_place(|| creation.finish())?;
        let report = RestoreReport {
            messages: restored.messages,
            files: restored.files,
            expired: restored.expired,
            made_ms: backup.manifest.made_at_ms,
            same_server,
        };
        Ok((Self::from_home(home, options).await?, report))
    }
}

/// Says that no backup is being made any more.
struct Running<'a>(&'a super::Inner);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0
            .backup
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let _ = self.0.engine.events.send(Event::SettingsChanged {
            part: SettingsPart::Backup,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::next_generation;

    #[test]
    fn a_restored_device_is_newer_than_any_before() {
        let in_2027 = 1_800_000_000_000;
        let first = next_generation(1, in_2027);
        assert!(first > 1);
        // The same backup once more, later: of the first restoring it knows nothing.
        assert!(next_generation(1, in_2027 + 60_000) > first);
        // A clock that says nothing of use.
        assert_eq!(next_generation(7, 0), 8);
    }
}
