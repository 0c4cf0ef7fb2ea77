//! What each owner sets for himself: receipts, drafts, chats put away, people blocked; and finding what was said.

use std::time::Duration;

use crate::fake::{FakeServer, Person, eventually, meet, three};
use undertone_core::{
    ChatChange, ChatPage, ChatState, Choice, ContactChange, Draft, Event, EventStream, LinkOptions,
    ProtectionChange, Search, SearchKind, SettingsChange, SettingsPart,
};

type Outcome = Result<(), undertone_core::Error>;

async fn two() -> (FakeServer, Person, Person) {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    (server, ada, ben)
}

/// A person reads everything in a chat.
async fn reads_all(person: &Person, chat: &str) {
    let chat = person.chat(chat).await;
    if let Some(last) = chat.last {
        let read = person.client().mark_read(&chat.id, last.local_id).await;
        read.expect("read");
    }
}

/// How many have the last message of a chat, and how many read it.
async fn told(person: &Person, chat: &str) -> (u32, u32) {
    let last = person.chat(chat).await.last.expect("a line");
    (last.delivered_to, last.read_by)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_author_is_told_that_it_came_and_that_it_was_read() -> Outcome {
    let (_server, ada, ben) = two().await;
    ada.says("Ben", "Are you there?").await;
    eventually("it came", || async { told(&ada, "Ben").await == (1, 0) }).await;
    reads_all(&ben, "Ada").await;
    eventually("it was read", || async {
        told(&ada, "Ben").await == (1, 1)
    })
    .await;
    let chat = ada.chat("Ben").await;
    let id = chat.last.expect("a line").id;
    let receipts = ada.client().receipts(&chat.id, &id).await?;
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].name, "Ben");
    assert!(receipts[0].delivered_ms <= receipts[0].read_ms);
    // Receipts are no messages: nobody sees a line, and none is missing.
    ada.settle().await;
    ben.reads("Ada", &["Ada: Are you there?"]).await;
    assert_eq!(ben.chat("Ada").await.unread, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn read_receipts_that_are_off_are_off_both_ways() -> Outcome {
    let (_server, ada, ben) = two().await;
    let off = SettingsChange {
        read_receipts: Some(false),
        ..SettingsChange::default()
    };
    ben.client().set_settings(off).await?;
    ada.says("Ben", "One.").await;
    ben.reads("Ada", &["Ada: One."]).await;
    reads_all(&ben, "Ada").await;
    ben.says("Ada", "Two.").await;
    ada.reads("Ben", &["Ada: One.", "Ben: Two."]).await;
    reads_all(&ada, "Ben").await;
    // Ada's app tells Ben's that it read; Ben's keeps only that it came.
    eventually("it came", || async { told(&ben, "Ada").await.0 == 1 }).await;
    ada.settle().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    ben.settle().await;
    assert_eq!(told(&ben, "Ada").await, (1, 0));
    let first = ada
        .client()
        .messages(&ada.chat("Ben").await.id, Default::default())
        .await?;
    assert_eq!((first[0].delivered_to, first[0].read_by), (1, 0));

    // For one chat, or one person, it can be otherwise; the person counts most.
    let chat = ben.chat("Ada").await.id;
    let on = ChatChange {
        read_receipts: Some(Choice::On),
        ..ChatChange::default()
    };
    ben.client().set_chat(&chat, on).await?;
    ada.says("Ben", "Three.").await;
    ben.reads("Ada", &["Ada: One.", "Ben: Two.", "Ada: Three."])
        .await;
    reads_all(&ben, "Ada").await;
    eventually("it was read", || async {
        told(&ada, "Ben").await == (1, 1)
    })
    .await;
    let ada_id = ben.client().find_contact("Ada").await?.id;
    let never = ContactChange {
        read_receipts: Some(Choice::Off),
        ..ContactChange::default()
    };
    ben.client().set_contact(&ada_id, never).await?;
    ada.says("Ben", "Four.").await;
    eventually("it came", || async { told(&ada, "Ben").await.0 == 1 }).await;
    reads_all(&ben, "Ada").await;
    ben.settle().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    ada.settle().await;
    assert_eq!(told(&ada, "Ben").await, (1, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_too_reading_is_told_to_those_who_tell_it_and_to_nobody_else() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    meet(&cleo, &ben).await;
    let off = SettingsChange {
        read_receipts: Some(false),
        ..SettingsChange::default()
    };
    ben.client().set_settings(off).await?;
    let on = ContactChange {
        read_receipts: Some(Choice::On),
        ..ContactChange::default()
    };
    let id = ben.client().find_contact("Cleo").await?.id;
    ben.client().set_contact(&id, on).await?;
    ada.says("Desk", "Who is in?").await;
    let first = "Ada: Who is in?";
    cleo.reads("Desk", &[first]).await;
    cleo.says("Desk", "I am.").await;
    ben.reads("Desk", &[first, "Cleo: I am."]).await;
    reads_all(&ben, "Desk").await;
    eventually("Cleo is told", || async {
        told(&cleo, "Desk").await == (1, 1)
    })
    .await;
    ben.says("Desk", "So am I.").await;
    for person in [&ada, &cleo] {
        person
            .reads("Desk", &[first, "Cleo: I am.", "Ben: So am I."])
            .await;
        reads_all(person, "Desk").await;
    }
    eventually("Ben is told by Cleo", || async {
        told(&ben, "Desk").await.1 == 1
    })
    .await;
    crate::fake::at_rest(&server, &[&ada, &ben, &cleo]).await;
    assert_eq!(told(&ben, "Desk").await.1, 1, "Ada's reading is not kept");
    let desk = ada.chat("Desk").await.id;
    let all = ada.client().messages(&desk, Default::default()).await?;
    let first = all.iter().find(|line| line.text == "Who is in?").unwrap();
    let told = ada.client().receipts(&desk, &first.id).await?;
    let names: Vec<_> = told.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Cleo"], "nor is Ada told of Ben's");
    Ok(())
}

/// Ben reads what Ada wrote, and before anything of that has gone out he changes his mind. What Ada is told then.
async fn told_after(change: impl AsyncFnOnce(&Person)) -> (u32, u32) {
    let (server, ada, mut ben) = two().await;
    ada.settle().await;
    ben.settle().await;
    ben.pace.automatic_from = Duration::from_secs(600);
    ben.pace.automatic_to = Duration::from_secs(601);
    ben.reopen().await;
    ada.says("Ben", "Read me.").await;
    ben.reads("Ada", &["Ada: Read me."]).await;
    reads_all(&ben, "Ada").await;
    change(&ben).await;
    ben.clock().pass_ms(3600 * 1000);
    ben.reopen().await;
    ben.says("notes", "Later.").await;
    crate::fake::at_rest(&server, &[&ada, &ben]).await;
    told(&ada, "Ben").await
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_that_wait_go_as_things_are_set_when_they_go() {
    assert_eq!(told_after(async |_| ()).await, (1, 1));
    let turned_off = told_after(async |ben| {
        let off = SettingsChange {
            read_receipts: Some(false),
            ..SettingsChange::default()
        };
        ben.client().set_settings(off).await.unwrap();
    });
    assert_eq!(turned_off.await, (1, 0));
    let blocked = told_after(async |ben| {
        let change = ContactChange {
            blocked: Some(true),
            ..ContactChange::default()
        };
        let ada = ben.client().find_contact("Ada").await.unwrap().id;
        ben.client().set_contact(&ada, change).await.unwrap();
    });
    assert_eq!(blocked.await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_only_reading_is_told() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    ada.says("Desk", "Who is in?").await;
    for person in [&ben, &cleo] {
        person.reads("Desk", &["Ada: Who is in?"]).await;
        person.settle().await;
    }
    assert_eq!(told(&ada, "Desk").await, (0, 0));
    reads_all(&ben, "Desk").await;
    reads_all(&cleo, "Desk").await;
    eventually("both have read", || async {
        told(&ada, "Desk").await == (2, 2)
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_contact_is_not_heard_and_not_told() -> Outcome {
    let (_server, ada, ben) = two().await;
    ben.says("Ada", "Hello.").await;
    ada.reads("Ben", &["Ben: Hello."]).await;
    let ben_id = ada.client().find_contact("Ben").await?.id;
    let block = |blocked| ContactChange {
        blocked: Some(blocked),
        ..ContactChange::default()
    };
    ada.client().set_contact(&ben_id, block(true)).await?;
    assert!(ada.client().find_contact("Ben").await?.blocked);
    ben.says("Ada", "Please answer.").await;
    let chat = ada.chat("Ben").await.id;
    let refused = ada.client().send(&chat, Draft::text("No.")).await;
    assert_eq!(refused.unwrap_err().code(), "contact.blocked");
    ada.settle().await;
    ada.client().set_contact(&ben_id, block(false)).await?;
    ben.says("Ada", "Once more.").await;
    ada.reads("Ben", &["Ben: Hello.", "Ben: Once more."]).await;
    ada.settle().await;
    let notices = ada.notices("Ben").await;
    assert!(
        !notices.iter().any(|line| line.contains("missing")),
        "{notices:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_pinned_muted_and_put_away_and_drafts_wait() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben, _cleo) = three(&server).await;
    let (desk, with_ben) = (ada.chat("Desk").await.id, ada.chat("Ben").await.id);
    let names = |chats: Vec<undertone_core::ChatInfo>| -> Vec<String> {
        chats.into_iter().map(|chat| chat.name).collect()
    };
    let pin = ChatChange {
        pinned: Some(true),
        ..ChatChange::default()
    };
    let away = ChatChange {
        archived: Some(true),
        ..ChatChange::default()
    };
    ada.client().set_chat(&with_ben, pin).await?;
    ada.client().set_chat(&desk, away).await?;
    ada.client().set_draft(&with_ben, "Dear Ben,", None).await?;
    ada.reopen().await;
    assert_eq!(names(ada.client().chats().await?), ["Ben", "Cleo", "Desk"]);
    // The first of them, and then those that are not there yet, however the list changed between.
    let first = ada
        .client()
        .chats_of(ChatPage {
            limit: Some(1),
            ..ChatPage::default()
        })
        .await?;
    assert_eq!(names(first.clone()), ["Ben"]);
    let behind = ChatChange {
        pinned: Some(false),
        archived: Some(true),
        ..ChatChange::default()
    };
    ada.client().set_chat(&with_ben, behind).await?;
    let others = ChatPage {
        limit: None,
        except: first.into_iter().map(|chat| chat.id).collect(),
    };
    assert_eq!(
        names(ada.client().chats_of(others).await?),
        ["Cleo", "Desk"]
    );
    let draft = ada.chat("Ben").await.draft.expect("a draft");
    assert_eq!(draft.text, "Dear Ben,");
    // A message brings it back, but not while it is muted.
    ben.says("Desk", "News.").await;
    eventually("it is back", || async { !ada.chat("Desk").await.archived }).await;
    let quiet = ChatChange {
        muted_until_ms: Some(i64::MAX),
        archived: Some(true),
        ..ChatChange::default()
    };
    ada.client().set_chat(&desk, quiet).await?;
    ben.says("Desk", "More news.").await;
    ada.reads("Desk", &["Ben: News.", "Ben: More news."]).await;
    let chat = ada.chat("Desk").await;
    assert!(chat.archived && chat.muted_until_ms == Some(i64::MAX));
    // A draft goes when it is ended.
    ada.client().set_draft(&with_ben, "", None).await?;
    assert_eq!(ada.chat("Ben").await.draft, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_goes_with_the_conversation_that_is_left() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, _cleo) = three(&server).await;
    let desk = ben.chat("Desk").await.id;
    let words = "What I never dared to say";
    ben.client().set_draft(&desk, words, None).await?;
    assert!(ben.chat("Desk").await.draft.is_some());
    ben.client().group_leave(&desk, None).await?;
    eventually("he is out", || async {
        ben.chat("Desk").await.state == ChatState::Left
    })
    .await;
    assert_eq!(ben.chat("Desk").await.draft, None);
    ben.settle().await;
    ben.quit().await;
    assert_eq!(ben.finds(words), Vec::<String>::new());
    drop(ada);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_found_by_words_people_days_and_sort() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    ben.says("Desk", "The Café opens at nine, see https://cafe.example.")
        .await;
    cleo.says("Desk", "Nine is early.").await;
    ada.reads(
        "Desk",
        &[
            "Ben: The Café opens at nine, see https://cafe.example.",
            "Cleo: Nine is early.",
        ],
    )
    .await;
    ada.says("Ben", "nineteen").await;
    let folder = tempfile::tempdir().unwrap();
    let minutes = folder.path().join("Minutes of Nine.txt");
    std::fs::write(&minutes, b"all were there").unwrap();
    let desk = ada.chat("Desk").await.id;
    let sent = ada
        .client()
        .send(&desk, Draft::text("As agreed.").attach(&minutes))
        .await?;
    let found = |search: Search| {
        let client = ada.client().clone();
        async move {
            let found = client.search(search).await.expect("found");
            found.into_iter().map(|line| line.text).collect::<Vec<_>>()
        }
    };
    let text = |text: &str| Search {
        text: text.to_owned(),
        ..Search::default()
    };
    let (cafe, early) = (
        "The Café opens at nine, see https://cafe.example.",
        "Nine is early.",
    );
    assert_eq!(found(text("cafe OPENS")).await, [cafe]);
    assert_eq!(
        found(text("nine")).await,
        ["As agreed.", "nineteen", early, cafe]
    );
    for nothing in [
        "ninety",
        "\"",
        "nine AND",
        "*",
        "'; DROP TABLE messages; --",
    ] {
        assert_eq!(
            found(text(nothing)).await,
            Vec::<String>::new(),
            "{nothing}"
        );
    }
    let by_ben = Search {
        sender: Some(ada.client().find_contact("Ben").await?.id),
        ..text("nine")
    };
    assert_eq!(found(by_ben).await, [cafe]);
    let in_desk = Search {
        chat: Some(desk.clone()),
        limit: Some(2),
        ..text("nine")
    };
    assert_eq!(found(in_desk.clone()).await, ["As agreed.", early]);
    let first = ada.client().search(in_desk.clone()).await?;
    let next_page = Search {
        before: first.last().map(|line| line.local_id),
        ..in_desk
    };
    assert_eq!(found(next_page).await, [cafe]);
    let sort = |kind| Search {
        kind: Some(kind),
        ..Search::default()
    };
    assert_eq!(found(sort(SearchKind::File)).await, ["As agreed."]);
    assert_eq!(found(sort(SearchKind::Link)).await, [cafe]);
    assert_eq!(found(sort(SearchKind::Photo)).await, Vec::<String>::new());
    let old = Search {
        to_ms: Some(1),
        ..text("nine")
    };
    assert_eq!(found(old).await, Vec::<String>::new());
    // What was edited is found by what it says now, what was deleted not at all.
    ada.client()
        .edit(&desk, &sent.message, "Never mind.", false)
        .await?;
    assert_eq!(found(text("agreed")).await, Vec::<String>::new());
    assert_eq!(found(text("never mind")).await, ["Never mind."]);
    ada.client()
        .delete_for_everyone(&desk, &sent.message)
        .await?;
    assert_eq!(found(text("mind")).await, Vec::<String>::new());
    assert_eq!(found(sort(SearchKind::File)).await, Vec::<String>::new());
    Ok(())
}

/// Waits until watchers are told that a part of what the owner sets was changed.
async fn told_of(events: &mut EventStream, wanted: SettingsPart) {
    let told = async {
        while let Some(event) = events.next().await {
            if event == (Event::SettingsChanged { part: wanted }) {
                return;
            }
        }
        panic!("the client was closed");
    };
    tokio::time::timeout(Duration::from_secs(60), told)
        .await
        .unwrap_or_else(|_| panic!("nobody was told of {wanted:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_is_told_of_what_was_set_here_and_on_another_device() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    let (mut here, mut there) = (ada.client().events(), laptop.client().events());
    let off = SettingsChange {
        typing: Some(false),
        ..SettingsChange::default()
    };
    ada.client().set_settings(off).await?;
    told_of(&mut here, SettingsPart::AllChats).await;
    told_of(&mut there, SettingsPart::AllChats).await;
    assert!(!laptop.client().settings().await?.typing);

    let remove = ProtectionChange {
        remove_wiped: Some(true),
        ..ProtectionChange::default()
    };
    ada.client().set_protection(None, remove).await?;
    told_of(&mut here, SettingsPart::Protection).await;
    told_of(&mut there, SettingsPart::Protection).await;
    assert!(laptop.client().protection().await?.remove_wiped);

    ada.client().new_kill_code().await?;
    told_of(&mut here, SettingsPart::Kill).await;
    told_of(&mut there, SettingsPart::Kill).await;
    assert!(laptop.client().kill_status().await?.code);

    // What is each device's own matter is told there alone.
    ada.client().set_preference("theme", 2).await?;
    told_of(&mut here, SettingsPart::Preferences).await;
    let link = ada.client().create_link(LinkOptions::default()).await?;
    told_of(&mut here, SettingsPart::Links).await;
    ada.client().revoke_link(&link.id).await?;
    told_of(&mut here, SettingsPart::Links).await;
    assert_eq!(laptop.client().preferences().await?.get("theme"), None);
    Ok(())
}
