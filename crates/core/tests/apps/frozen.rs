//! What earlier versions stored still opens: a home and a backup, kept as files, are read as they were and can be used.
//!
//! `testdata/frozen/home-N` and `backup-N` were written once and are never changed. `UNDERTONE_WRITE_FROZEN=1` writes those of `VERSION` where
//! there are none; to be done, under a new number, by a version whose store or backup differs (`step-N` says which step of the store's
//! migrations was the last one). What MLS and the wire wrote is kept in those
//! crates (`crates/mls/testdata`, `crates/wire/tests`).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::fake::{FakeServer, Person, TestClock, copy_folder, eventually, meet};
use undertone_core::{
    ChatState, Client, Draft, MessageInfo, Page, ProfileChange, store::StoreError,
};

/// The newest one.
const VERSION: u32 = 3;
const DRAFT: &str = "to be gone on with";
const STORES: [&str; 2] = ["store-a", "store-b"];

fn folder(what: &str, version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/frozen/{what}-{version}"))
}

async fn all(person: &Person, chat: &str) -> Vec<MessageInfo> {
    let chat = person.chat(chat).await.id;
    let page = Page {
        limit: 100,
        before: None,
    };
    let lines = person.client().messages(&chat, page).await.expect("lines");
    lines
        .into_iter()
        .filter(|line| line.sender.is_some())
        .collect()
}

/// The unused store is random bytes of the same length: only the used one is kept.
async fn keep_home(person: &Person, server: &FakeServer) {
    let place = tempfile::tempdir().unwrap();
    for (unused, used) in [(STORES[0], STORES[1]), (STORES[1], STORES[0])] {
        let home = place.path().join(unused);
        copy_folder(&person.home, &home);
        fill_in(&home, unused, used);
        let opens = tokio::spawn({
            let (home, server) = (home.clone(), server.clone());
            async move {
                Person::moved_in("Ada", &server, &home).await;
            }
        });
        if opens.await.is_ok() {
            let target = folder("home", VERSION);
            copy_folder(&person.home, &target);
            for needless in [unused, "lock", "rpc.sock"] {
                let _ = fs::remove_file(target.join(needless));
            }
        }
    }
}

fn fill_in(home: &Path, unused: &str, used: &str) {
    let length = fs::metadata(home.join(used)).unwrap().len();
    fs::write(
        home.join(unused),
        vec![0x5a; usize::try_from(length).unwrap()],
    )
    .unwrap();
}

async fn write() {
    fs::create_dir_all(folder("words", VERSION).parent().unwrap()).unwrap();
    let server = FakeServer::new();
    let (mut ada, words) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    ada.says("Ben", "kept for later").await;
    ada.says("Ben", "a first version").await;
    ada.settle().await;
    let chat = ada.chat("Ben").await.id;
    let lines = all(&ada, "Ben").await;
    ada.client()
        .edit(&chat, &lines[1].id, "a second version", false)
        .await
        .unwrap();
    ben.reads("Ada", &["Ada: kept for later", "Ada: a second version"])
        .await;
    let theirs = ben.chat("Ada").await.id;
    ben.client()
        .react(&theirs, &lines[0].id, "+1", true)
        .await
        .unwrap();
    ben.says("Ada", "an answer").await;
    ada.reads(
        "Ben",
        &[
            "Ada: kept for later",
            "Ada: a second version",
            "Ben: an answer",
        ],
    )
    .await;
    ada.says("notes", "a note").await;
    let id = ada.client().find_contact("Ben").await.unwrap().id;
    ada.client().set_verified(&id, true).await.unwrap();
    ada.client()
        .create_group("Desk", std::slice::from_ref(&id))
        .await
        .unwrap();
    ada.says("Desk", "in a group").await;
    ben.client().set_profile(looks()).await.unwrap();
    eventually("Ada sees him", || async {
        let seen = ada.client().picture_of(&id).await.unwrap();
        seen.is_some() && ben.client().find_chat("Desk").await.is_ok()
    })
    .await;
    ada.client().set_draft(&chat, DRAFT, None).await.unwrap();
    ada.settle().await;
    ada.client()
        .make_backup(&folder("backup", VERSION), false, None)
        .await
        .unwrap();
    fs::write(folder("words", VERSION), words).unwrap();
    ada.quit().await;
    fs::write(folder("step", VERSION), last_step(&ada)).unwrap();
    keep_home(&ada, &server).await;
}

/// Of the home of somebody who is away, which is that of this version.
fn last_step(person: &Person) -> String {
    let home = person.home_while_away();
    let step = home.database().read(|snapshot| {
        let db = snapshot.connection();
        let step: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok::<_, StoreError>(step)
    });
    format!("{}\n", step.unwrap())
}

fn looks() -> ProfileChange {
    let mut picture = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 8, image::Rgb([250, 0, 0]))
        .write_to(&mut picture, image::ImageFormat::Png)
        .unwrap();
    ProfileChange {
        name: None,
        picture: Some(Some(picture.into_inner())),
    }
}

async fn reads_as_it_was(person: &Person, version: u32) {
    let lines = all(person, "Ben").await;
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["kept for later", "a second version", "an answer"]);
    assert_eq!(lines[0].reactions[0].text, "+1");
    assert_eq!(lines[1].edits, 1);
    let chat = person.chat("Ben").await.id;
    let versions = person.client().history(&chat, &lines[1].id).await.unwrap();
    assert_eq!(versions[0].text, "a first version");
    assert_eq!(all(person, "notes").await[0].text, "a note");
    let ben = person.client().find_contact("Ben").await.unwrap();
    assert!(ben.verified);
    if version >= 2 {
        assert_eq!(all(person, "Desk").await[0].text, "in a group");
        let picture = person.client().picture_of(&ben.id).await.unwrap();
        assert!(picture.is_some());
        let draft = person.chat("Ben").await.draft.expect("a draft");
        assert_eq!(draft.text, DRAFT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_and_backups_of_earlier_versions_open() {
    if !folder("words", VERSION).exists() && std::env::var_os("UNDERTONE_WRITE_FROZEN").is_some() {
        write().await;
    }
    for version in 1..=VERSION {
        let server = FakeServer::new();
        // The home: all is there, and what is written now waits to be sent.
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        copy_folder(&folder("home", version), &home);
        // What is empty is not kept.
        fs::create_dir_all(home.join("attachments")).unwrap();
        fs::write(home.join("lock"), []).unwrap();
        for (unused, used) in [(STORES[0], STORES[1]), (STORES[1], STORES[0])] {
            if !home.join(unused).exists() {
                fill_in(&home, unused, used);
            }
        }
        let mut ada = Person::moved_in("Ada", &server, &home).await;
        reads_as_it_was(&ada, version).await;
        assert_eq!(ada.chat("Ben").await.state, ChatState::Active);
        let chat = ada.chat("Ben").await.id;
        ada.client()
            .enqueue(&chat, Draft::text("by a later version"))
            .await
            .unwrap();
        ada.quit().await;
        if version == VERSION {
            let kept = fs::read_to_string(folder("step", VERSION)).unwrap();
            let here = last_step(&ada);
            assert_eq!(kept, here, "what this version stores is not kept yet");
        }

        // The backup: every part opens, and a home is made of it.
        let words = fs::read_to_string(folder("words", version)).unwrap();
        let backup = folder("backup", version);
        let check = Client::check_backup(&backup, &words, |_, _| {})
            .await
            .unwrap();
        let chats = if version == 1 { 2 } else { 3 };
        assert_eq!((check.contacts, check.chats), (1, chats));
        let (ada, report) =
            Person::restored("Ada", &server, &backup, &words, TestClock::default()).await;
        // Another server than then: it can be read, and no more.
        assert!(!report.same_server);
        reads_as_it_was(&ada, version).await;
    }
}
