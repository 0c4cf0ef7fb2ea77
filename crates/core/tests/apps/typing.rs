//! That somebody is writing: shown for a moment to who is there, kept nowhere, and nothing is missing when it is lost.

use std::time::Duration;

use crate::fake::{FakeServer, Person, at_rest, eventually, meet, three};
use undertone_core::{ContactChange, Event, EventStream, PolicyChange, Role, SettingsChange};

type Outcome = Result<(), undertone_core::Error>;

/// Who is shown to be writing next.
async fn writes(events: &mut EventStream) -> String {
    let next = async {
        loop {
            if let Some(Event::Typing { name, for_ms, .. }) = events.next().await {
                assert!((1000..=15_000).contains(&for_ms), "it lapses by itself");
                return name;
            }
        }
    };
    let shown = tokio::time::timeout(crate::fake::LIMIT, next).await;
    shown.expect("somebody is writing")
}

/// That nobody is shown to be writing although `who` is, in a chat in which others have been heard since.
async fn is_not_shown(events: &mut EventStream, who: &Person, chat: &str, reader: &Person) {
    type_in(who, chat).await;
    type_in(who, chat).await;
    who.settle().await;
    reader.settle().await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    let next = async {
        loop {
            if let Some(Event::Typing { .. }) = events.next().await {
                return;
            }
        }
    };
    let shown = tokio::time::timeout(Duration::from_millis(50), next).await;
    assert!(shown.is_err(), "{} is shown to be writing", who.name);
}

async fn type_in(who: &Person, chat: &str) {
    let chat = who.chat(chat).await.id;
    who.client().typing(&chat).await.expect("told");
}

async fn two() -> (FakeServer, Person, Person) {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben, &ada]).await;
    (server, ada, ben)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_there_sees_who_is_writing_and_nothing_stays() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let (mut for_ada, mut for_ben) = (ada.client().events(), ben.client().events());
    let before = server.items();
    type_in(&ben, "Desk").await;
    assert_eq!(writes(&mut for_ada).await, "Ben");
    type_in(&ada, "Desk").await;
    assert_eq!(writes(&mut for_ben).await, "Ada");
    assert_eq!(server.items(), before, "no queue holds it");
    for person in [&ada, &ben, &cleo] {
        person.settle().await;
        assert!(person.lines("Desk").await.is_empty());
        let notices = person.notices("Desk").await;
        assert!(
            !notices.iter().any(|line| line.contains("missing")),
            "{notices:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_of_it_leaves_no_gap_and_stops_no_message() -> Outcome {
    let (server, mut ada, ben) = two().await;
    ben.says("Ada", "One.").await;
    ada.reads("Ben", &["Ben: One."]).await;
    ada.settle().await;
    ada.quit().await;
    // More than may be said between two messages: the rest is not sent.
    for _ in 0..250 {
        type_in(&ben, "Ada").await;
    }
    let sent = server.requests();
    for _ in 0..50 {
        type_in(&ben, "Ada").await;
    }
    ben.settle().await;
    assert!(
        server.requests() <= sent + 2,
        "no more until a message goes"
    );
    ben.says("Ada", "Two.").await;
    ada.reopen().await;
    ada.reads("Ben", &["Ben: One.", "Ben: Two."]).await;
    let mut events = ada.client().events();
    type_in(&ben, "Ada").await;
    assert_eq!(writes(&mut events).await, "Ben");
    ben.says("Ada", "Three.").await;
    ada.reads("Ben", &["Ben: One.", "Ben: Two.", "Ben: Three."])
        .await;
    // Longer than a gap takes to be shown.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    ada.settle().await;
    assert!(
        ada.notices("Ben")
            .await
            .iter()
            .all(|line| !line.contains("missing"))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn off_is_off_both_ways_and_blocked_people_see_nothing() -> Outcome {
    let (server, ada, ben) = two().await;
    let (mut for_ada, mut for_ben) = (ada.client().events(), ben.client().events());
    let set = |on| SettingsChange {
        typing: Some(on),
        ..SettingsChange::default()
    };
    ben.client().set_settings(set(false)).await?;
    let before = server.ephemerals();
    is_not_shown(&mut for_ada, &ben, "Ada", &ada).await;
    assert_eq!(server.ephemerals(), before, "it is not even sent");
    is_not_shown(&mut for_ben, &ada, "Ben", &ben).await;
    ben.client().set_settings(set(true)).await?;
    type_in(&ben, "Ada").await;
    assert_eq!(writes(&mut for_ada).await, "Ben");

    let of_ben = ada.client().find_contact("Ben").await?.id;
    let block = ContactChange {
        blocked: Some(true),
        ..ContactChange::default()
    };
    ada.client().set_contact(&of_ben, block).await?;
    is_not_shown(&mut for_ada, &ben, "Ada", &ada).await;
    is_not_shown(&mut for_ben, &ada, "Ben", &ben).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_is_not_shown_to_be_writing() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let board = ada.chat("Desk").await.id;
    let quiet = PolicyChange {
        post: Some(Role::Admin),
        ..PolicyChange::default()
    };
    ada.client().group_policy(&board, quiet).await?;
    for person in [&ben, &cleo] {
        eventually("the policy is there", || async {
            let chat = person.chat("Desk").await;
            chat.policy.is_some_and(|policy| policy.post == Role::Admin)
        })
        .await;
    }
    let (mut for_ben, mut for_cleo) = (ben.client().events(), cleo.client().events());
    is_not_shown(&mut for_cleo, &ben, "Desk", &cleo).await;
    type_in(&ada, "Desk").await;
    assert_eq!(writes(&mut for_ben).await, "Ada");
    Ok(())
}
