//! What the devices of one person must show alike, whatever came first on each of them, and whatever their clocks say.

use crate::fake::{FakeServer, Person, eventually, meet, three};
use undertone_core::{ChatChange, Draft, Expires, MessageInfo, MessageKind, Page};

type Outcome = Result<(), undertone_core::Error>;

const HOUR_MS: i64 = 3_600_000;

/// Ada with a phone and a laptop, and Ben, at rest.
async fn ada_and_ben(server: &FakeServer) -> (Person, Person, Person) {
    let (ada, ben) = (
        Person::new("Ada", server).await,
        Person::new("Ben", server).await,
    );
    meet(&ben, &ada).await;
    let laptop = Person::links(&ada, "Ada's laptop", server).await;
    eventually("the chat is on the laptop", || async {
        laptop.client().find_chat("Ben").await.is_ok()
    })
    .await;
    for person in [&ada, &laptop, &ben] {
        person.settle().await;
    }
    (ada, laptop, ben)
}

async fn lines(person: &Person, chat: &str) -> Vec<MessageInfo> {
    let chat = person.chat(chat).await.id;
    let all = person.client().messages(&chat, Page::default()).await;
    let mut all = all.unwrap();
    all.retain(|line| line.kind == MessageKind::Message);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_weeks_off_keeps_nothing_from_the_other_device() -> Outcome {
    let server = FakeServer::new();
    let (ada, laptop, _ben) = ada_and_ben(&server).await;
    let chat = ada.chat("Ben").await.id;
    laptop.clock().set_off_ms(-20 * 24 * HOUR_MS);
    ada.client().set_draft(&chat, "Dear Ben,", None).await?;
    eventually("the draft is on the laptop", || async {
        let draft = laptop.chat("Ben").await.draft;
        draft.is_some_and(|draft| draft.text == "Dear Ben,")
    })
    .await;
    // What the laptop does next is newer, whatever its clock says.
    laptop.client().set_draft(&chat, "", None).await?;
    eventually("the draft is gone", || async {
        ada.chat("Ben").await.draft.is_none()
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_opened_once_is_opened_once_by_a_person_and_not_by_its_author() -> Outcome {
    let server = FakeServer::new();
    let (ada, laptop, ben) = ada_and_ben(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("passport.txt");
    std::fs::write(&secret, b"number 123").unwrap();
    let once = || Draft {
        view_once: true,
        ..Draft::default().attach(&secret)
    };
    let chat = ben.chat("Ada").await.id;
    let sent = ben.client().send(&chat, once()).await?.message;
    for device in [&ada, &laptop] {
        eventually("it came", || async {
            lines(device, "Ben").await.len() == 1
        })
        .await;
    }
    let to = folder.path().join("saved.txt");
    ada.client().save(&chat, &sent, 0, &to).await?;
    eventually("the laptop can't open it any more", || async {
        let line = lines(&laptop, "Ben").await.remove(0);
        line.opened && line.attachments.is_empty()
    })
    .await;
    // The other way round: what Ada sends is not for her laptop.
    ada.client().send(&chat, once()).await?;
    eventually("it came", || async {
        lines(&laptop, "Ben").await.len() == 2
    })
    .await;
    let own = lines(&laptop, "Ben").await.remove(1);
    assert!(own.view_once && own.opened && own.attachments.is_empty());
    // A word with it can be changed there all the same, and what it said before is told.
    laptop
        .client()
        .edit(&chat, &own.id, "My passport", false)
        .await?;
    eventually("it has a new word", || async {
        let lines = lines(&ben, "Ada").await;
        lines.get(1).is_some_and(|line| line.text == "My passport")
    })
    .await;
    let said = laptop.client().history(&chat, &own.id).await?;
    assert_eq!(said.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_brings_an_archived_chat_back_on_all_devices() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut laptop, ben) = ada_and_ben(&server).await;
    let chat = ada.chat("Ben").await.id;
    // The laptop knows the message before it learns that the chat was put away.
    ada.settle().await;
    laptop.open().await;
    let archive = ChatChange {
        archived: Some(true),
        ..ChatChange::default()
    };
    laptop.client().set_chat(&chat, archive).await?;
    ben.says("Ada", "Are you there?").await;
    ada.reads("Ben", &["Ben: Are you there?"]).await;
    laptop.client().start().await?;
    laptop.reads("Ben", &["Ben: Are you there?"]).await;
    eventually("both show it", || async {
        !ada.chat("Ben").await.archived && !laptop.chat("Ben").await.archived
    })
    .await;
    laptop.settle().await;
    ada.settle().await;
    assert!(!ada.chat("Ben").await.archived && !laptop.chat("Ben").await.archived);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_and_expired_looks_the_same_whichever_came_first() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut laptop, ben) = ada_and_ben(&server).await;
    let chat = ben.chat("Ada").await.id;
    let draft = Draft {
        expires: Some(Expires::After(3600)),
        ..Draft::text("Burn this.")
    };
    let sent = ben.client().send(&chat, draft).await?.message;
    for device in [&ada, &laptop] {
        device.reads("Ben", &["Ben: Burn this."]).await;
        let last = device.chat("Ben").await.last.unwrap().local_id;
        device.client().mark_read(&chat, last).await?;
        device.settle().await;
    }
    // Its time is over on the laptop before that learns that Ben deleted it; with Ada and Ben the deletion comes first.
    laptop.open().await;
    ben.client().delete_for_everyone(&chat, &sent).await?;
    eventually("Ada sees that", || async {
        lines(&ada, "Ben").await.iter().any(|line| line.deleted)
    })
    .await;
    for person in [&ada, &laptop, &ben] {
        person.clock().pass_ms(HOUR_MS + 1000);
        let other = if person.name == "Ben" { "Ada" } else { "Ben" };
        eventually("nothing is shown", || async {
            lines(person, other).await.is_empty()
        })
        .await;
    }
    laptop.client().start().await?;
    laptop.settle().await;
    assert!(lines(&laptop, "Ben").await.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_neither_moves_chats_nor_stands_for_them_in_the_list() {
    let server = FakeServer::new();
    let (ada, _ben, _cleo) = three(&server).await;
    ada.says("Cleo", "Good morning.").await;
    ada.clock().pass_ms(1000);
    ada.says("Desk", "And to you.").await;
    ada.clock().pass_ms(1000);
    ada.says("Ben", "Are you there?").await;
    ada.clock().pass_ms(1000);
    let _laptop = Person::links(&ada, "Ada's laptop", &server).await;
    // Ada's chats are as they were: the newest first, each with what was said there.
    eventually("a line about the new device in each", || async {
        let mut told = 0;
        for chat in ["Ben", "Cleo", "Desk"] {
            told += usize::from(
                ada.notices(chat)
                    .await
                    .iter()
                    .any(|line| line.contains("Another device")),
            );
        }
        told == 3
    })
    .await;
    let chats = ada.client().chats().await.unwrap();
    let shown: Vec<(&str, &str)> = chats
        .iter()
        .filter_map(|chat| Some((chat.name.as_str(), chat.last.as_ref()?.text.as_str())))
        .filter(|(name, _)| *name != "Notes to self")
        .collect();
    assert_eq!(
        shown,
        [
            ("Ben", "Are you there?"),
            ("Desk", "And to you."),
            ("Cleo", "Good morning.")
        ]
    );
}
