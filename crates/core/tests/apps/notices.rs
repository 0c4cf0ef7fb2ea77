//! What a chat says of itself comes as a kind with its parameters, so that every page says it in its own language.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::fake::{FakeServer, Person, TestClock, eventually, meet};
use undertone_core::{MessageInfo, MessageKind, Notice, NoticePerson, Page, Search};

type Outcome = Result<(), undertone_core::Error>;

async fn notices(person: &Person, chat: &str) -> Vec<MessageInfo> {
    let chat = person.chat(chat).await.id;
    let page = Page {
        limit: 100,
        before: None,
    };
    let lines = person.client().messages(&chat, page).await.expect("lines");
    lines
        .into_iter()
        .filter(|line| line.kind == MessageKind::Notice)
        .collect()
}

/// A known kind whose English sentence is the line's text.
fn known(line: &MessageInfo) -> Notice {
    let notice = line.notice.clone();
    let notice = notice.unwrap_or_else(|| panic!("no kind: {}", line.text));
    assert_eq!(notice.to_string(), line.text);
    notice
}

/// The group's notices, oldest first, as this person sees them.
async fn story(person: &Person, chat: &str) -> Vec<Notice> {
    notices(person, chat).await.iter().map(known).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_says_what_happened_and_who_did_it_and_is_kept_so_in_a_backup() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, words) = Person::with_phrase("Ada", &server).await;
    let mut ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    let account_of_ben = ada.client().find_contact("Ben").await?.id;
    let account_of_ada = ben.client().find_contact("Ada").await?.id;
    let members = [account_of_ben.clone()];
    ada.client().create_group("Desk", &members).await?;
    eventually("Ben is in", || async {
        ben.client().find_chat("Desk").await.is_ok()
    })
    .await;
    let desk = ada.chat("Desk").await.id;
    ada.client().group_rename(&desk, "Night desk").await?;
    ada.client().set_timer(&desk, 3600).await?;
    eventually("Ben is told", || async {
        let chat = ben.client().find_chat("Night desk").await;
        chat.is_ok_and(|chat| chat.timer_s == Some(3600))
    })
    .await;

    let as_seen_by = |is_ada: bool| {
        let who = NoticePerson {
            account: Some(account_of_ada.clone()),
            name: "Ada".into(),
            me: is_ada,
        };
        let whom = NoticePerson {
            account: Some(account_of_ben.clone()),
            name: "Ben".into(),
            me: !is_ada,
        };
        [
            Notice::Added {
                who: who.clone(),
                whom,
            },
            Notice::Renamed {
                who: who.clone(),
                name: "Night desk".into(),
            },
            Notice::TimerSet { who, seconds: 3600 },
        ]
    };
    assert_eq!(story(&ada, "Night desk").await, as_seen_by(true));
    assert_eq!(story(&ben, "Night desk").await, as_seen_by(false));
    // A search is of what people say.
    let found = ada.client().search(Search {
        text: "named".into(),
        ..Search::default()
    });
    assert!(found.await?.is_empty());

    // What an earlier version wrote is the sentence alone, and stays one.
    ben.quit().await;
    ben.tamper("UPDATE messages SET notice = x''");
    ben.reopen().await;
    let old = notices(&ben, "Night desk").await;
    let texts: Vec<&str> = old.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Ada added you.",
            "Ada named the group \u{201c}Night desk\u{201d}.",
            "Ada set messages to disappear 1 hour after they are read.",
        ]
    );
    assert!(old.iter().all(|line| line.notice.is_none()));

    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    ada.client().make_backup(&backup, false, None).await?;
    ada.quit().await;
    let (ada, _) = Person::restored("Ada", &server, &backup, &words, TestClock::default()).await;
    let restored = story(&ada, "Night desk").await;
    assert_eq!(restored[..3], as_seen_by(true));
    Ok(())
}
