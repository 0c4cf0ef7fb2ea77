//! The app in the user's own browser: a host on loopback that serves the user interface and speaks the RPC to it.
//!
//! [`guard`] decides which requests are looked at, [`doors`] who may come in, [`proof`] has pages know the program, [`route`] what is where, [`assets`] hold the user
//! interface, [`socket`] speaks JSON-RPC over a WebSocket with [`methods`] of its own beside the core's, [`media`] and [`upload`]
//! carry files, [`home`] makes, opens and locks the home, [`joining`] makes it another device's of an account,
//! [`guarding`] and [`desktop`] lock it by themselves,
//! [`launch`] finds the browser and a host that runs already, and [`run`]
//! is the whole of it. What must stay true: it listens on 127.0.0.1 alone; nothing is answered before Host and Origin are exactly
//! its own; nothing is told to who has not shown a secret that was given to this user only; it uses no cookie; nothing
//! decrypted is written to disk or may be kept by the browser; and text of others leaves as JSON or as bytes that no browser
//! runs.

pub mod assets;
pub(crate) mod desktop;
mod doors;
mod guard;
mod guarding;
mod handover;
mod home;
mod joining;
mod launch;
mod media;
pub mod methods;
mod phrase;
mod proof;
mod proxy;
mod ranges;
mod route;
mod run;
mod runtime_folder;
pub mod secret;
pub(crate) mod sleep_delay;
mod socket;
mod upload;
mod while_locked;

pub use home::HostState;
pub use joining::{JoiningInfo, JoiningStep};
pub use run::{Appearance, run};

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::watch;

use crate::guard::Idle;

/// Everything that the host's tasks share.
pub struct Host {
    /// `http://127.0.0.1:PORT`, the one origin there is.
    origin: String,
    /// `127.0.0.1:PORT`, as it must stand in Host.
    authority: String,
    doors: doors::Doors,
    /// By which pages know it.
    proofs: proof::Proofs,
    home: home::HomeKeeper,
    media: media::MediaUrls,
    uploads: upload::Uploads,
    /// When the owner last did something.
    idle: Idle,
    /// Turns true when the home is to be locked.
    locking: watch::Sender<bool>,
    /// Turns true when the process is to end.
    ending: watch::Sender<bool>,
    /// Whether no other image takes the place of this one: pages need not come back.
    is_leaving: AtomicBool,
    /// Whether the desktop says when the screen is locked.
    desktop: watch::Sender<bool>,
    /// Whether sleep waits for the lock.
    sleep_delay: sleep_delay::SleepDelay,
}

impl Host {
    fn new(
        port: u16,
        home: home::HomeKeeper,
        doors: doors::Doors,
        proofs: proof::Proofs,
    ) -> Arc<Self> {
        let authority = format!("127.0.0.1:{port}");
        Arc::new(Self {
            origin: format!("http://{authority}"),
            authority,
            doors,
            proofs,
            home,
            media: media::MediaUrls::default(),
            uploads: upload::Uploads::default(),
            idle: Idle::default(),
            locking: watch::channel(false).0,
            ending: watch::channel(false).0,
            is_leaving: AtomicBool::default(),
            desktop: watch::channel(false).0,
            sleep_delay: sleep_delay::SleepDelay::default(),
        })
    }

    /// Ends for good: pages are told so.
    fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
        self.revoke();
    }

    /// Nothing that was handed out for the open home is worth anything from here on.
    fn revoke(&self) {
        self.media.revoke_all();
        self.uploads.revoke_all();
    }
}
