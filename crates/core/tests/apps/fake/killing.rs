//! Kill codes in tests: made, and used by somebody who has nothing but the words.
#![allow(clippy::unwrap_used, reason = "a test that can't go on may end there")]

use std::{path::Path, time::Duration};

use undertone_core::kill::{
    KillAnswer, KillCode, KillProgress, SLOTS, Scope, Sender, SendingOptions,
};

use super::{FakeServer, Person, eventually};

pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// Makes a kill code and waits until it reaches the device.
pub async fn with_code(person: &Person) -> KillCode {
    let words = person.client().new_kill_code().await.unwrap();
    is_armed(person).await;
    KillCode::parse(words.words()).unwrap()
}

pub async fn is_armed(person: &Person) {
    eventually("the kill code reaches the device", || async {
        person.client().kill_status().await.unwrap().armed
    })
    .await;
}

pub fn how(wait: Duration) -> SendingOptions {
    SendingOptions {
        scope: Scope::Devices,
        good_for: DAY,
        wait,
    }
}

/// What somebody with the words does on a machine of their own.
pub async fn kill(
    stranger: &Person,
    code: &KillCode,
    server: &FakeServer,
    how: &SendingOptions,
) -> Vec<KillProgress> {
    let mut sender = Sender::open(&stranger.options(), &server.address)
        .await
        .unwrap();
    let slots = (0..SLOTS).map(|number| (number, code.seed().slot(number)));
    let found = sender.find(slots.collect()).await.unwrap();
    let answers = sender
        .send(&code.signer(), found, how, |_| ())
        .await
        .unwrap();
    sender.close().await;
    answers
}

pub fn answers(all: &[KillProgress]) -> Vec<KillAnswer> {
    all.iter().map(|one| one.answer.clone()).collect()
}

/// Nothing is left but what says that there is nothing left.
pub fn is_wiped(home: &Path) -> bool {
    let names: Vec<_> = std::fs::read_dir(home)
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.file_name())
                .filter(|name| name != "sentinel" && name != "lock")
                .collect()
        })
        .unwrap_or_default();
    names.is_empty() && home.join("sentinel").exists()
}
