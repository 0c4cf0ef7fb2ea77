//! Backups: what only the recovery phrase opens, and an account that comes back from one when all of its devices are lost.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::fake::{FakeServer, Person, TestClock, eventually, meet};
use undertone_core::{ChatState, Client, Draft, DraftAttachment, Expires, Page};

type Outcome = Result<(), undertone_core::Error>;

/// What a folder holds, by path within it.
fn listing(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(listing(&path));
        } else {
            let bytes = fs::read(&path).expect("read");
            found.insert(path, bytes);
        }
    }
    found
}

async fn code_of<T>(call: impl Future<Output = Result<T, undertone_core::Error>>) -> &'static str {
    call.await.err().map_or("", |error| error.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_lost_everything_reads_on_and_talks_on() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, words) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    let cleo = Person::new("Cleo", &server).await;
    meet(&ben, &ada).await;
    meet(&cleo, &ada).await;
    let members = [
        ada.client().find_contact("Ben").await?.id,
        ada.client().find_contact("Cleo").await?.id,
    ];
    ada.client().create_group("Desk", &members).await?;
    eventually("both are in", || async {
        ben.client().find_chat("Desk").await.is_ok()
            && cleo.client().find_chat("Desk").await.is_ok()
    })
    .await;
    ada.says("Desk", "the first draft").await;
    ben.reads("Desk", &["Ada: the first draft"]).await;
    ben.says("Ada", "shall we meet?").await;
    ada.reads("Ben", &["Ben: shall we meet?"]).await;
    ada.says("notes", "call the printer").await;
    let id = ada.client().find_contact("Ben").await?.id;
    ada.client().set_verified(&id, true).await?;
    let seen_as = ben.client().find_contact("Ada").await?.id;
    ben.client().set_verified(&seen_as, true).await?;
    let number = ben.client().safety_number(&seen_as).await?.digits;
    for person in [&ada, &ben, &cleo] {
        person.settle().await;
    }

    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("backup");
    let report = ada.client().make_backup(&folder, false, None).await?;
    assert_eq!(report.written, report.blocks);
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let check = Client::check_backup(&folder, &words, |_, _| {}).await?;
    assert_eq!((check.contacts, check.chats), (2, 4));
    // Nothing of it can be read without the words.
    for (path, bytes) in listing(&folder) {
        for needle in ["first draft", "we meet?", "the printer"] {
            assert!(
                !String::from_utf8_lossy(&bytes).contains(needle),
                "{needle} in {}",
                path.display()
            );
        }
    }

    // The device is lost. Meanwhile the others talk.
    ada.quit().await;
    cleo.says("Desk", "where is Ada?").await;
    ben.reads("Desk", &["Ada: the first draft", "Cleo: where is Ada?"])
        .await;

    let (ada, report) =
        Person::restored("Ada", &server, &folder, &words, TestClock::default()).await;
    assert!(report.same_server);
    // What was said is there at once.
    assert_eq!(ada.lines("Ben").await, ["Ben: shall we meet?"]);
    assert_eq!(ada.lines("notes").await, ["Ada: call the printer"]);
    assert!(
        ada.lines("Desk")
            .await
            .contains(&"Ada: the first draft".to_owned())
    );
    assert!(ada.client().find_contact("Ben").await?.verified);
    // It is let in to all of them again, and what it missed is sent again.
    eventually("back in all chats", || async {
        let chats = ada.client().chats().await.unwrap_or_default();
        chats.iter().all(|chat| chat.state == ChatState::Active)
    })
    .await;
    ada.reads("Desk", &["Ada: the first draft", "Cleo: where is Ada?"])
        .await;
    ada.says("Desk", "I lost my phone").await;
    cleo.reads(
        "Desk",
        &[
            "Ada: the first draft",
            "Cleo: where is Ada?",
            "Ada: I lost my phone",
        ],
    )
    .await;
    ada.says("Ben", "yes, at noon").await;
    ben.reads("Ada", &["Ben: shall we meet?", "Ada: yes, at noon"])
        .await;
    ben.says("Ada", "see you").await;
    ada.reads(
        "Ben",
        &["Ben: shall we meet?", "Ada: yes, at noon", "Ben: see you"],
    )
    .await;
    ada.says("notes", "buy a phone").await;
    ada.reads("notes", &["Ada: call the printer", "Ada: buy a phone"])
        .await;
    // Nobody is alarmed: the account is the same, and so is the safety number.
    let seen = ben.client().find_contact("Ada").await?;
    assert!(seen.verified);
    assert_eq!(ben.client().safety_number(&seen.id).await?.digits, number);
    let told = ben.notices("Ada").await;
    assert!(
        told.iter()
            .any(|line| line.contains("came back with a new device")),
        "{told:?}"
    );
    // The new device makes backups like the old one, into the same folder.
    ada.client().make_backup(&folder, false, None).await?;
    Client::check_backup(&folder, &words, |_, _| {}).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_or_had_its_time_does_not_come_back() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, words) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    let chat = ada.chat("Ben").await.id;
    ada.says("Ben", "it stays").await;
    for text in ["forget-me-for-all", "forget-me-here"] {
        ada.says("Ben", text).await;
    }
    let timed = Draft {
        expires: Some(Expires::After(3600)),
        ..Draft::text("an-hour-at-most")
    };
    ada.client().send(&chat, timed).await?;
    ada.settle().await;
    let all = ada
        .client()
        .messages(
            &chat,
            Page {
                limit: 100,
                before: None,
            },
        )
        .await?;
    let id = |text: &str| {
        all.iter()
            .find(|line| line.text == text)
            .unwrap()
            .id
            .clone()
    };
    ada.client()
        .delete_for_everyone(&chat, &id("forget-me-for-all"))
        .await?;
    ada.client()
        .delete_for_me(&chat, &id("forget-me-here"))
        .await?;
    ada.client()
        .react(&chat, &id("an-hour-at-most"), "tick-tock", true)
        .await?;
    ada.settle().await;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("backup");
    ada.client().make_backup(&folder, false, None).await?;
    ada.quit().await;

    // What was deleted for everyone leaves an empty line that says so.
    // Soon after: what still had time is there, and goes when its time is over.
    let (mut soon, report) =
        Person::restored("Ada", &server, &folder, &words, TestClock::default()).await;
    assert_eq!(report.expired, 0);
    assert_eq!(
        soon.lines("Ben").await,
        ["Ada: it stays", "Ada: ", "Ada: an-hour-at-most"]
    );
    soon.clock().pass_ms(3_700_000);
    soon.reads("Ben", &["Ada: it stays", "Ada: "]).await;
    soon.quit().await;

    // Two hours later: it is never written anywhere.
    let clock = TestClock::default();
    clock.pass_ms(7_200_000);
    let (mut late, report) = Person::restored("Ada", &server, &folder, &words, clock).await;
    assert_eq!(report.expired, 1);
    assert_eq!(late.lines("Ben").await, ["Ada: it stays", "Ada: "]);
    late.quit().await;
    for needle in [
        "forget-me-for-all",
        "forget-me-here",
        "an-hour-at-most",
        "tick-tock",
    ] {
        assert!(
            late.finds(needle).is_empty(),
            "{needle}: {:?}",
            late.finds(needle)
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_writes_only_what_is_new() -> Outcome {
    let server = FakeServer::new();
    let (ada, words) = Person::with_phrase("Ada", &server).await;
    for number in 0..600 {
        ada.says("notes", &format!("line {number}")).await;
    }
    ada.settle().await;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("backup");
    let first = ada.client().make_backup(&folder, false, None).await?;
    let before = listing(&folder);

    let nothing_new = ada.client().make_backup(&folder, false, None).await?;
    assert_eq!((nothing_new.written, nothing_new.blocks), (0, first.blocks));
    ada.says("notes", "one more line").await;
    ada.settle().await;
    let second = ada.client().make_backup(&folder, false, None).await?;
    assert!(
        second.written > 0 && second.written < first.blocks,
        "{second:?}"
    );
    // What did not change was not touched, and what is not needed any more is gone.
    let after = listing(&folder);
    let kept = after
        .iter()
        .filter(|(path, bytes)| before.get(*path) == Some(bytes));
    assert!(kept.count() > 0);
    assert_eq!(after.len(), before.len());
    let check = Client::check_backup(&folder, &words, |_, _| {}).await?;
    assert!(check.messages >= 601);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cancelled_leaves_the_one_before_whole() -> Outcome {
    let server = FakeServer::new();
    let (ada, words) = Person::with_phrase("Ada", &server).await;
    ada.says("notes", "before").await;
    ada.settle().await;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("backup");
    ada.client().make_backup(&folder, false, None).await?;
    let had = Client::check_backup(&folder, &words, |_, _| {}).await?;
    let before = listing(&folder);

    // The next one comes to a file that it can't get on with: a pipe in its place, which the test holds the other end of.
    let path = place.path().join("report.bin");
    fs::write(&path, vec![7; 50_000]).unwrap();
    let notes = ada.chat("notes").await.id;
    let draft = Draft::text("after").attach(&path);
    ada.client().send(&notes, draft).await?;
    ada.settle().await;
    let file = listing(&ada.home.join("attachments"));
    let (kept, bytes) = file.iter().next().expect("one file");
    fs::remove_file(kept).unwrap();
    let made = std::process::Command::new("mkfifo").arg(kept).status();
    assert!(made.expect("mkfifo runs").success());
    let (pipe, held) = (kept.clone(), bytes.clone());
    let other_end = tokio::task::spawn_blocking(move || {
        let mut end = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        // It has been opened from the other side.
        std::io::Write::write_all(&mut end, &held[..10]).unwrap();
        end
    });
    let cancelled = ada.client().make_backup(&folder, true, None);
    let cancelling = async {
        let end = other_end.await.expect("opened");
        ada.client().cancel_backup();
        drop(end);
    };
    let (outcome, ()) = tokio::join!(cancelled, cancelling);
    let error = outcome.expect_err("cancelled");
    assert_eq!(error.code(), "backup.cancelled");
    assert!(
        error.to_string().contains("the one before is whole"),
        "{error}"
    );
    fs::remove_file(kept).unwrap();
    fs::write(kept, bytes).unwrap();

    // What was there is as it was, and is a backup; the next run finishes, and leaves nothing of the one that was cancelled.
    let now = listing(&folder);
    assert!(
        before
            .iter()
            .all(|(path, bytes)| now.get(path) == Some(bytes))
    );
    assert!(
        now.keys().all(|path| path.extension().is_none()),
        "nothing half written"
    );
    let check = Client::check_backup(&folder, &words, |_, _| {}).await?;
    assert_eq!((check.messages, check.files), (had.messages, 0));
    let report = ada.client().make_backup(&folder, true, None).await?;
    assert_eq!(report.files, 1);
    let check = Client::check_backup(&folder, &words, |_, _| {}).await?;
    assert_eq!((check.messages, check.files), (had.messages + 1, 1));
    let named = usize::try_from(report.blocks + report.files + 1).unwrap();
    assert_eq!(listing(&folder).len(), named);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_and_other_words_are_found() -> Outcome {
    let server = FakeServer::new();
    let (ada, words) = Person::with_phrase("Ada", &server).await;
    let (ben, other_words) = Person::with_phrase("Ben", &server).await;
    meet(&ben, &ada).await;
    ada.says("Ben", "hello").await;
    ada.settle().await;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("backup");
    ada.client().make_backup(&folder, true, None).await?;
    let check = |words: &str| {
        let words = words.to_owned();
        let folder = folder.clone();
        async move { Client::check_backup(&folder, &words, |_, _| {}).await }
    };
    assert_eq!(code_of(check(&words)).await, "");
    assert_eq!(code_of(check(&other_words)).await, "account.phrase_wrong");
    assert_eq!(
        code_of(check("twelve words it is not")).await,
        "account.phrase_wrong"
    );
    let nowhere = place.path().join("nowhere");
    assert_eq!(
        code_of(Client::check_backup(&nowhere, &words, |_, _| {})).await,
        "backup.none"
    );
    // Somebody else's folder, and one with something else in it, are left alone.
    assert_eq!(
        code_of(ben.client().make_backup(&folder, false, None)).await,
        "backup.foreign"
    );
    let full = place.path().join("photos");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("cat.jpg"), b"a cat").unwrap();
    assert_eq!(
        code_of(ada.client().make_backup(&full, false, None)).await,
        "backup.foreign"
    );
    // Any bit, anywhere, and any file that is missing.
    for (path, bytes) in listing(&folder) {
        for place in [bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            fs::write(&path, &changed).unwrap();
            let code = code_of(check(&words)).await;
            assert!(
                ["backup.damaged", "account.phrase_wrong"].contains(&code),
                "{}: {code}",
                path.display()
            );
        }
        fs::remove_file(&path).unwrap();
        let code = code_of(check(&words)).await;
        assert!(["backup.damaged", "backup.none"].contains(&code), "{code}");
        fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(code_of(check(&words)).await, "");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_along_if_wanted_and_are_there_without_the_server() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, words) = Person::with_phrase("Ada", &server).await;
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("plan.txt");
    fs::write(&file, vec![7; 200_000]).unwrap();
    let draft = Draft {
        attachments: vec![DraftAttachment {
            path: file.clone(),
            name: None,
            keep_metadata: false,
            film: None,
        }],
        ..Draft::text("the plan")
    };
    let notes = ada.chat("notes").await.id;
    ada.client().send(&notes, draft).await?;
    ada.settle().await;
    let folder = place.path().join("backup");
    let first = ada.client().make_backup(&folder, true, None).await?;
    assert_eq!((first.files, first.new_files), (1, 1));
    let second = ada.client().make_backup(&folder, true, None).await?;
    assert_eq!((second.files, second.new_files), (1, 0));
    assert_eq!(
        Client::check_backup(&folder, &words, |_, _| {})
            .await?
            .files,
        1
    );
    ada.quit().await;
    let (ada, report) =
        Person::restored("Ada", &server, &folder, &words, TestClock::default()).await;
    assert_eq!(report.files, 1);
    let notes = ada.chat("notes").await.id;
    let page = Page {
        limit: 10,
        before: None,
    };
    let message = ada.client().messages(&notes, page).await?[0].id.clone();
    let saved = place.path().join("saved.txt");
    ada.client().save(&notes, &message, 0, &saved).await?;
    assert_eq!(fs::read(&saved).unwrap(), vec![7; 200_000]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_device_makes_backups_that_the_same_words_open() -> Outcome {
    let server = FakeServer::new();
    let (phone, words) = Person::with_phrase("Ada", &server).await;
    phone.says("notes", "from the phone").await;
    phone.settle().await;
    let laptop = Person::links(&phone, "Laptop", &server).await;
    eventually("the key has come", || async {
        laptop
            .client()
            .backup_state()
            .await
            .is_ok_and(|state| state.ready)
    })
    .await;
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("backup");
    laptop.client().make_backup(&folder, false, None).await?;
    Client::check_backup(&folder, &words, |_, _| {}).await?;
    Ok(())
}
