//! A device that is linked has what was said before, if its owner wants that.

use crate::fake::{End, FakeServer, Person, at_rest, eventually, meet, three};
use undertone_core::{Draft, Expires, HistoryState, MessageId, MessageInfo, Page, Search};

const HOUR_MS: i64 = 3_600_000;
const LAPTOP: &str = "Ada's laptop";

/// All lines of a chat.
async fn all(person: &Person, chat: &str) -> Vec<MessageInfo> {
    let chat = person.chat(chat).await.id;
    let page = Page {
        limit: 1000,
        before: None,
    };
    person.client().messages(&chat, page).await.unwrap()
}

/// What a chat looks like, without the numbers that each store has for itself.
async fn seen(person: &Person, chat: &str) -> Vec<serde_json::Value> {
    let lines = all(person, chat).await;
    let shown = lines.iter().map(|line| {
        let mut line = serde_json::to_value(line).unwrap();
        line.as_object_mut().unwrap().remove("local_id");
        line
    });
    shown.collect()
}

async fn all_came(person: &Person) {
    eventually("all of the past is there", || async {
        let histories = person.client().histories().await.unwrap();
        histories.iter().any(|one| one.state == HistoryState::Done)
    })
    .await;
}

async fn id_of(person: &Person, chat: &str, text: &str) -> MessageId {
    let lines = all(person, chat).await;
    lines.into_iter().find(|line| line.text == text).unwrap().id
}

async fn are_there(person: &Person, chats: &[&str]) {
    for chat in chats {
        eventually("the chats are there", || async {
            person.client().find_chat(chat).await.is_ok()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_has_what_was_said_before_as_the_old_one_shows_it() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    for text in ["one", "two", "three"] {
        ada.says("Ben", text).await;
    }
    ben.reads("Ada", &["Ada: one", "Ada: two", "Ada: three"])
        .await;
    ben.says("Ada", "four").await;
    cleo.says("Desk", "in the group").await;
    cleo.says("Desk", "and not read yet").await;
    ada.reads("Ben", &["Ada: one", "Ada: two", "Ada: three", "Ben: four"])
        .await;
    let chat = ada.chat("Ben").await.id;
    let (two, three) = (
        id_of(&ada, "Ben", "two").await,
        id_of(&ada, "Ben", "three").await,
    );
    let corrected = ada.client().edit(&chat, &two, "two, corrected", false);
    corrected.await.unwrap();
    ada.client().pin(&chat, &two, true).await.unwrap();
    let deleted = ada.client().delete_for_everyone(&chat, &three);
    deleted.await.unwrap();
    let one = id_of(&ben, "Ada", "one").await;
    let with_ada = ben.chat("Ada").await.id;
    for (text, on) in [("👍", true), ("🎉", true), ("👍", false)] {
        let reacted = ben.client().react(&with_ada, &one, text, on);
        reacted.await.unwrap();
    }
    let group = [
        "Cleo: in the group".to_owned(),
        "Cleo: and not read yet".to_owned(),
    ];
    eventually("all that was said is here", || async {
        let lines = all(&ada, "Ben").await;
        ada.lines("Desk").await == group
            && lines.iter().any(|line| line.text == "two, corrected")
            && lines.iter().any(|line| line.reactions.len() == 1)
    })
    .await;
    let desk = ada.chat("Desk").await.id;
    let lines = all(&ada, "Desk").await;
    let first = lines.iter().find(|line| line.text == "in the group");
    let local = first.unwrap().local_id;
    ada.client().mark_read(&desk, local).await.unwrap();
    ada.says("notes", "for myself").await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;

    let laptop = Person::links_with(&ada, LAPTOP, &server, true).await;
    are_there(&laptop, &["Ben", "Cleo", "Desk"]).await;
    all_came(&laptop).await;
    at_rest(&server, &[&ada, &laptop, &ben, &cleo]).await;
    all_came(&ada).await;
    for name in ["Ben", "Desk", "Notes to self"] {
        let (old, new) = (seen(&ada, name).await, seen(&laptop, name).await);
        // What was said of the new device itself came to the old one alone.
        let old: Vec<_> = old.into_iter().take(new.len()).collect();
        assert!(!new.is_empty() && new == old, "{name}: {new:#?}\n{old:#?}");
        let unread = (ada.chat(name).await.unread, laptop.chat(name).await.unread);
        assert_eq!(unread.0, unread.1, "{name}");
    }
    let pinned = laptop.client().pinned(&laptop.chat("Ben").await.id).await;
    assert_eq!(pinned.unwrap().len(), 1);
    let search = Search {
        text: "corrected".to_owned(),
        ..Search::default()
    };
    let found = laptop.client().search(search).await.unwrap();
    assert_eq!(found.len(), 1);
    // What is said from now on stands below it, once on each device.
    ben.says("Ada", "to both").await;
    eventually("it came", || async {
        ada.lines("Ben").await.last().unwrap() == "Ben: to both"
    })
    .await;
    laptop.says("Ben", "from the laptop").await;
    eventually("both have the same", || async {
        let (old, new) = (ada.lines("Ben").await, laptop.lines("Ben").await);
        old == new && new.last().unwrap() == "Ada: from the laptop"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_or_had_its_time_on_the_way_does_not_come_back() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    for text in ["Stays.", "Vos, for everyone.", "Vos, for me."] {
        ada.says("Ben", text).await;
    }
    let chat = ada.chat("Ben").await.id;
    let short = Draft {
        expires: Some(Expires::After(3600)),
        ..Draft::text("Vos, for an hour.")
    };
    ada.client().send(&chat, short).await.unwrap();
    ada.settle().await;
    ben.settle().await;
    // Nobody can read the portion yet.
    server.set_blobs_fail(true);
    let mut laptop = Person::links_with(&ada, LAPTOP, &server, true).await;
    are_there(&laptop, &["Ben"]).await;
    eventually("the past is on its way", || async {
        let left = ada.client().what_is_left_for_tests().await.unwrap();
        server.blobs() > 0 && left.is_empty()
    })
    .await;
    let everyone = id_of(&ada, "Ben", "Vos, for everyone.").await;
    let me = id_of(&ada, "Ben", "Vos, for me.").await;
    let deleted = ada.client().delete_for_everyone(&chat, &everyone);
    deleted.await.unwrap();
    ada.client().delete_for_me(&chat, &me).await.unwrap();
    eventually("it is told", || async {
        let left = ada.client().what_is_left_for_tests().await.unwrap();
        left.is_empty() && server.items_on_their_way() == 0
    })
    .await;
    laptop.clock().pass_ms(HOUR_MS + 1000);
    server.set_blobs_fail(false);
    laptop.reopen().await;
    all_came(&laptop).await;
    laptop.settle().await;
    let lines = laptop.lines("Ben").await;
    assert_eq!(lines.first().map(String::as_str), Some("Ada: Stays."));
    assert!(lines.iter().all(|line| !line.contains("Vos")), "{lines:?}");
    laptop.quit().await;
    assert_eq!(laptop.finds("Vos, for"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_on_the_server_is_said_to_be_missing() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ada.says("Ben", "from before").await;
    ada.settle().await;
    server.set_blobs_fail(true);
    let laptop = Person::links_with(&ada, LAPTOP, &server, true).await;
    are_there(&laptop, &["Ben"]).await;
    eventually("the past is on its way", || async {
        let left = ada.client().what_is_left_for_tests().await.unwrap();
        server.blobs() > 0 && left.is_empty()
    })
    .await;
    server.lose_blobs();
    server.set_blobs_fail(false);
    for device in [&ada, &laptop] {
        eventually("it is known to be lost", || async {
            let histories = device.client().histories().await.unwrap();
            histories[0].state == HistoryState::Incomplete
        })
        .await;
    }
    ben.says("Ada", "after").await;
    laptop.reads("Ben", &["Ben: after"]).await;
}

/// A home with more to say than goes into one portion.
async fn talkative(server: &FakeServer) -> (Person, Person, Vec<String>) {
    let (ada, ben) = (
        Person::new("Ada", server).await,
        Person::new("Ben", server).await,
    );
    meet(&ben, &ada).await;
    let mut lines = Vec::new();
    for number in 0..30 {
        let text = format!("{number} {}", "long ".repeat(6000));
        ada.says("Ben", &text).await;
        lines.push(format!("Ada: {text}"));
    }
    ada.settle().await;
    ben.settle().await;
    (ada, ben, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_device_may_end_at_any_commit_while_its_past_comes() {
    let server = FakeServer::new();
    let (ada, _ben, lines) = talkative(&server).await;
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for end in [End::BeforeCommit, End::AfterCommit] {
        server.set_blobs_fail(true);
        let mut laptop = Person::links_with(&ada, LAPTOP, &server, true).await;
        are_there(&laptop, &["Ben"]).await;
        server.set_blobs_fail(false);
        let mut ends = 0;
        // Each life lasts a little longer.
        for nth in 1.. {
            laptop.ends_at(nth, end);
            let came = laptop.unless_it_ends(all_came(&laptop)).await;
            if came.is_some() {
                break;
            }
            laptop.comes_back_if_it_ended().await;
            ends += 1;
        }
        laptop.ends_no_more();
        assert!(ends > 0, "it never ended");
        laptop.reads("Ben", &lines).await;
        laptop.settle().await;
        let device = laptop.client().devices().await.unwrap();
        let device = device.into_iter().find(|device| device.this).unwrap().id;
        ada.client().remove_device(&device, None).await.unwrap();
        ada.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_device_may_end_at_any_commit_while_it_gives_its_past() {
    let server = FakeServer::new();
    let (mut ada, _ben, lines) = talkative(&server).await;
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let laptop = Person::links_with(&ada, LAPTOP, &server, true).await;
    let mut ends = 0;
    for nth in 1.. {
        ada.ends_at(nth, End::AfterCommit);
        if ada.unless_it_ends(all_came(&laptop)).await.is_some() {
            break;
        }
        ada.comes_back_if_it_ended().await;
        ends += 1;
    }
    ada.ends_no_more();
    assert!(ends > 0, "it never ended");
    laptop.reads("Ben", &lines).await;
}
