//! Takes away what lies about of the account that the duress passphrase destroyed: in the background, and at each unlock until it is done.
//!
//! What must stay true: nobody waits for it who looks on; it holds neither the store nor the account open; and nothing that was made
//! here since is touched.

use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use super::{Client, Inner, protection};
use crate::{
    error::Result,
    home::{Cleaning, HomeError},
};

/// A setting: it was done.
const CLEANED: &str = "protection.cleaned";

impl Client {
    /// Begins, or goes on, unless it was done before.
    pub(super) fn clean_after_duress(&self, cleaning: Cleaning) {
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            // What fails is tried again at the next unlock.
            let done = clean_up(&inner, cleaning).await.unwrap_or_else(|error| {
                tracing::debug!(code = error.code(), "cleaning up was cut short");
                false
            });
            if let Some(inner) = inner.upgrade() {
                inner.cleaned.send_replace(Some(done));
            }
        });
    }

    /// Waits until nothing is to be cleaned up any more, so that what takes the place of the other store is not taken for its rest.
    ///
    /// # Errors
    /// `home.io` if it can't be.
    pub(super) async fn cleaned_up(&self) -> Result<()> {
        let mut cleaned = self.inner.cleaned.subscribe();
        // The sender lives as long as `self`.
        match cleaned.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(true)) => Ok(()),
            _ => Err(HomeError::Io.into()),
        }
    }
}

/// Whether it is done.
async fn clean_up(inner: &Weak<Inner>, cleaning: Cleaning) -> Result<bool> {
    let account = || inner.upgrade().map(|inner| Client { inner });
    let Some(client) = account() else {
        return Ok(false);
    };
    let unknown = client
        .read(|snapshot, engine| {
            if protection::get(snapshot.connection(), CLEANED, 0)? != 0 {
                return Ok(None);
            }
            Ok(Some(engine.attachments.unknown()?))
        })
        .await?;
    drop(client);
    let Some(files) = unknown else {
        return Ok(true);
    };
    let (tell, told) = oneshot::channel();
    // A thread that no end of the process waits for.
    let started = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || tell.send(cleaning.run(&files)));
    if started.is_err() || !told.await.unwrap_or(false) {
        return Ok(false);
    }
    let Some(client) = account() else {
        return Ok(false);
    };
    client
        .write(|work| protection::set(work.db, CLEANED, 1))
        .await?;
    Ok(true)
}
