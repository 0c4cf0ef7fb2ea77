//! This computer as another device of an account that exists already: its code, the words that both devices show, and the way from
//! there to an open home.
//!
//! One task leads it from beginning to end and holds the home meanwhile; the page sees how far it is and says yes or no. What must
//! stay true: nothing is taken over before the owner said here that the words are the same; a linking that came to nothing leaves
//! no home; one that was interrupted goes on when the home is unlocked again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinHandle};
use ts_rs::TS;
use undertone_core::{LinkServer, Linking, Problem, home::Passphrase};
use zeroize::Zeroizing;

use super::{
    Host,
    home::{HomeKeeper, HostState},
    methods::NewJoining,
    secret::Secret,
};
use crate::{cli::passphrase, failure::Failure};

/// How far linking this device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum JoiningStep {
    /// The code waits for the other device.
    Waiting,
    /// Both show the words; the owner compares them.
    Compare,
    /// They are the same here; the other device has yet to say so and to send the account.
    Confirmed,
    /// It came to nothing.
    Failed,
}

/// Linking this device to an account.
#[derive(Clone, Serialize, Deserialize, TS)]
pub struct JoiningInfo {
    /// How far it is.
    pub step: JoiningStep,
    /// What the other device is to be given, as text or as a QR code; only while it waits.
    #[ts(as = "Option<String>")]
    pub code: Option<Secret>,
    /// When the code ends, Unix milliseconds.
    #[ts(type = "number")]
    pub expires_ms: i64,
    /// Six words that both devices show, once the other one has taken the code.
    pub words: Option<String>,
    /// Why it came to nothing, if it did.
    pub problem: Option<Problem>,
}

/// A linking under way.
pub(super) struct Joining {
    /// The owner's yes or no.
    said: mpsc::Sender<bool>,
    task: JoinHandle<()>,
}

impl Joining {
    /// Takes the owner's answer.
    pub(super) fn say(&self, is_same: bool) {
        // A second answer changes nothing.
        let _ = self.said.try_send(is_same);
    }

    /// Stops leading it, and lets go of the home: it goes on when the home is unlocked again.
    pub(super) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Makes a home for this device, and a code for it.
///
/// # Errors
/// `home.exists`, `passphrase.too_short`, `net.offline`, `account.server_invalid`, `connection.*`.
pub(super) async fn begin(host: &Arc<Host>, given: NewJoining) -> Result<(), Failure> {
    let home = &host.home;
    let mut turn = home.turn().await;
    home.must_be_new()?;
    if home.options().offline {
        return Err(Failure::new(
            "net.offline",
            "Linking a device needs the server; start `undertone` without --offline.",
        ));
    }
    let server: LinkServer = given.server.parse().map_err(Failure::from)?;
    let options = home.client_options_by(given.proxy.as_deref())?;
    passphrase::check_new(&given.passphrase.0)?;
    let passphrase = Passphrase::new(given.passphrase.0)?;
    let name = &given.device_name;
    let linking = Linking::begin(home.folder(), &passphrase, &server, name, options).await?;
    turn.joining = Some(lead(host, linking).await?);
    Ok(())
}

/// Goes on with a linking that was interrupted; called with the home's turn.
///
/// # Errors
/// As [`Linking::resume`].
pub(super) async fn resume(host: &Arc<Host>, passphrase: &Passphrase) -> Result<Joining, Failure> {
    let home = &host.home;
    let options = home.client_options();
    let linking = Linking::resume(home.folder(), passphrase, options).await?;
    lead(host, linking).await
}

async fn lead(host: &Arc<Host>, linking: Linking) -> Result<Joining, Failure> {
    let is_confirmed = linking.is_confirmed().await?;
    host.home.is_joining(JoiningInfo {
        step: if is_confirmed {
            JoiningStep::Confirmed
        } else {
            JoiningStep::Waiting
        },
        code: if is_confirmed {
            None
        } else {
            Some(Secret(Zeroizing::new(linking.code().await?)))
        },
        expires_ms: linking.expires_ms().await?,
        words: None,
        problem: None,
    });
    let (said, answers) = mpsc::channel(1);
    let host = Arc::clone(host);
    let task = tokio::spawn(follow(host, linking, answers, is_confirmed));
    Ok(Joining { said, task })
}

/// From the code to the open home, or to none.
async fn follow(
    host: Arc<Host>,
    linking: Linking,
    mut answers: mpsc::Receiver<bool>,
    is_confirmed: bool,
) {
    let home = &host.home;
    if let Err(problem) = agree(home, &linking, &mut answers, is_confirmed).await {
        if linking.abandon().await.is_err() {
            tracing::warn!("a home that was to be linked could not be taken away");
        }
        home.came_to_nothing(problem);
        return;
    }
    let taken_over = match linking.finish().await {
        Ok(client) => home.has_joined(client).await,
        Err(error) => Err(error.into()),
    };
    if let Err(failure) = taken_over {
        // The account is in the home already; unlocking it opens it.
        tracing::warn!(code = failure.code, "a linked home could not be opened");
        home.is_closed();
        home.watch_while_locked().await;
    }
}

/// Until both sides have said that the words are the same, and the account is here. None as a problem: it was not wanted.
async fn agree(
    home: &HomeKeeper,
    linking: &Linking,
    answers: &mut mpsc::Receiver<bool>,
    is_confirmed: bool,
) -> Result<(), Option<Problem>> {
    if !is_confirmed {
        let words = tokio::select! {
            words = linking.words() => words.map_err(|error| Some(error.problem()))?,
            _ = answers.recv() => return Err(None),
        };
        home.now_joining(|info| {
            info.step = JoiningStep::Compare;
            info.code = None;
            info.words = Some(words);
        });
        if answers.recv().await != Some(true) {
            return Err(None);
        }
        home.now_joining(|info| info.step = JoiningStep::Confirmed);
    }
    tokio::select! {
        biased;
        agreed = linking.agree() => agreed.map_err(|error| Some(error.problem())),
        _ = answers.recv() => Err(None),
    }
}

impl HomeKeeper {
    fn must_be_new(&self) -> Result<(), Failure> {
        if self.now().state == HostState::New {
            return Ok(());
        }
        Err(undertone_core::home::HomeError::Exists.into())
    }
}
