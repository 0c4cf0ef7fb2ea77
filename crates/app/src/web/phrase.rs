//! The recovery phrase of an account that was just made, until its owner says that it is on paper.
//!
//! What must stay true: whatever locks or ends meanwhile, it is shown again. So it is held in the encrypted home, and here only while that is open.

use std::sync::{Mutex, MutexGuard, PoisonError};

use undertone_core::{Client, RecoveryPhrase};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// It, or none.
#[derive(Default)]
pub(super) struct UnkeptPhrase(Mutex<Option<RecoveryPhrase>>);

impl UnkeptPhrase {
    /// The account was made with this one.
    pub(super) async fn hold(&self, client: &Client, phrase: RecoveryPhrase) {
        if client.hold_phrase(&phrase).await.is_err() {
            tracing::warn!("the recovery phrase is held in memory only");
        }
        *self.lock() = Some(phrase);
    }

    /// The home was opened.
    ///
    /// # Errors
    /// `store.*`.
    pub(super) async fn look(&self, client: &Client) -> Result<(), Failure> {
        let found = client.unkept_phrase().await?;
        *self.lock() = found;
        Ok(())
    }

    /// The home is closed.
    pub(super) fn close(&self) {
        self.lock().take();
    }

    /// Whether there is one still to be written down.
    pub(super) fn is_there(&self) -> bool {
        self.lock().is_some()
    }

    /// The words.
    ///
    /// # Errors
    /// `host.no_phrase`.
    pub(super) fn words(&self) -> Result<Zeroizing<String>, Failure> {
        self.lock()
            .as_ref()
            .map(|phrase| Zeroizing::new(phrase.words().to_owned()))
            .ok_or_else(|| {
                Failure::new(
                    "host.no_phrase",
                    "The recovery phrase is shown when the account is made, until it is on paper; it is not kept here any more.",
                )
            })
    }

    /// It is on paper.
    ///
    /// # Errors
    /// `store.*`.
    pub(super) async fn is_kept(&self, client: &Client) -> Result<(), Failure> {
        client.phrase_is_kept().await?;
        self.close();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<RecoveryPhrase>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
