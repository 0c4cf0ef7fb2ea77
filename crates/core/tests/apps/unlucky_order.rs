//! Things that come one after the other in an order that nobody thinks of first. Each of these once left somebody out of a conversation, or
//! without a message, and nobody noticed.

use crate::fake::{FakeServer, Person, at_rest, eventually, meet, three};
use undertone_core::{ChatKind, ChatState, ContactId, Draft, LinkOptions, Page};
use undertone_wire::ids::QueueId;

const MISSING: &str = "A message is missing here.";

async fn link_that_asks(maker: &Person) -> String {
    let options = LinkOptions {
        ask: Some(true),
        ..LinkOptions::default()
    };
    maker.client().create_link(options).await.unwrap().uri
}

async fn laptop_of(person: &Person, server: &FakeServer) -> Person {
    let laptop = Person::links(person, "laptop", server).await;
    at_rest(server, &[person, &laptop]).await;
    laptop
}

/// Ada and Ben, who know each other, and what Ada knows Ben by.
async fn two(server: &FakeServer) -> (Person, Person, ContactId) {
    let (ada, ben) = (
        Person::new("Ada", server).await,
        Person::new("Ben", server).await,
    );
    meet(&ben, &ada).await;
    ada.settle().await;
    let id = ada.client().find_contact("Ben").await.unwrap().id;
    (ada, ben, id)
}

/// That of the device that was linked last.
fn newest_queue(server: &FakeServer) -> QueueId {
    server.queue_numbered(server.registered() - 1)
}

async fn is_in(person: &Person, chat: &str) -> bool {
    let found = person.client().find_chat(chat).await;
    found.is_ok_and(|chat| chat.state == ChatState::Active)
}

async fn direct_chats(person: &Person) -> usize {
    let chats = person.client().chats().await.unwrap();
    chats
        .iter()
        .filter(|chat| chat.kind == ChatKind::Direct && chat.state == ChatState::Active)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_come_by_links_of_each_other_at_once_are_contacts_in_both_chats() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let laptop = laptop_of(&ada, &server).await;
    // Ben waits on Ada's phone; her laptop does not know that, and comes by a link of his.
    ben.client()
        .add_contact(&link_that_asks(&ada).await)
        .await
        .unwrap();
    eventually("Ben waits", || async {
        ada.client().requests().await.unwrap().len() == 1
    })
    .await;
    laptop
        .client()
        .add_contact(&link_that_asks(&ben).await)
        .await
        .unwrap();
    eventually("Ada waits nowhere: he asked her before", || async {
        ben.client().requests().await.unwrap().is_empty()
    })
    .await;
    for device in [&ada, &laptop, &ben] {
        eventually("both chats are here", || async {
            direct_chats(device).await == 2 && device.client().requests().await.unwrap().is_empty()
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_made_by_somebody_who_waits_to_be_accepted_is_there_once_they_are() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    ben.client()
        .add_contact(&link_that_asks(&ada).await)
        .await
        .unwrap();
    eventually("Ben waits", || async {
        ada.client().requests().await.unwrap().len() == 1
    })
    .await;
    let id = ben.client().find_contact("Ada").await.unwrap().id;
    ben.client().create_group("Club", &[id]).await.unwrap();
    at_rest(&server, &[&ada, &ben]).await;
    assert!(!is_in(&ada, "Club").await, "he can't bring her in yet");
    ben.says("Club", "Are you there?").await;

    let asks = ada.client().requests().await.unwrap().remove(0);
    ada.client().accept_request(&asks.person.id).await.unwrap();
    ada.reads("Club", &["Ben: Are you there?"]).await;
    ada.says("Club", "I am.").await;
    ben.reads("Club", &["Ben: Are you there?", "Ada: I am."])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_from_a_pool_that_was_replaced_since_still_brings_a_device_in() {
    let server = FakeServer::new();
    let (ada, ben, id) = two(&server).await;
    let laptop = laptop_of(&ada, &server).await;
    let laptops_queue = newest_queue(&server);
    let tablet = Person::links(&ada, "tablet", &server).await;
    at_rest(&server, &[&ada, &ben, &laptop, &tablet]).await;
    let tablets_id = tablet.client().account().await.unwrap().device_id;

    // The laptop's Welcome is on its way while it replaces the pool that the others take from: the tablet, which is removed, knows it.
    server.keep_back_next_direct_to(laptops_queue);
    ada.client().create_group("Club", &[id]).await.unwrap();
    eventually("the laptop's Welcome is on its way", || async {
        server.keeps_back()
    })
    .await;
    laptop
        .client()
        .remove_device(&tablets_id, None)
        .await
        .unwrap();
    laptop.settle().await;
    assert!(!is_in(&laptop, "Club").await);
    server.calm();
    eventually("it is in", || is_in(&laptop, "Club")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_brought_in_again_before_they_hear_that_they_were_taken_out_is_in() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let bens_queue = server.queue_numbered(1);
    let desk = ada.chat("Desk").await.id;
    let id = ada.client().find_contact("Ben").await.unwrap().id;
    server.late_next_to(bens_queue);
    ada.client().group_remove(&desk, &id).await.unwrap();
    ada.client()
        .group_add(&desk, std::slice::from_ref(&id))
        .await
        .unwrap();
    at_rest(&server, &[&ada, &cleo]).await;
    server.calm();
    ada.says("Desk", "Back already").await;
    ben.reads("Desk", &["Ada: Back already"]).await;
    ben.says("Desk", "Never noticed").await;
    cleo.reads("Desk", &["Ada: Back already", "Ben: Never noticed"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_late_to_be_read_is_asked_for() {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    let bens_queue = server.queue_numbered(1);
    ben.quit().await;
    server.keep_back_next_to(bens_queue);
    cleo.says("Desk", "Read me").await;
    let desk = ada.chat("Desk").await.id;
    // The secrets of an epoch are kept for some epochs only.
    for name in ["One", "Two", "Three", "Four", "Five"] {
        ada.client().group_rename(&desk, name).await.unwrap();
        eventually("both know", || async {
            is_in(&ada, name).await && is_in(&cleo, name).await
        })
        .await;
    }
    server.calm();
    ben.reopen().await;
    ben.reads("Five", &["Cleo: Read me"]).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    let notices = ben.notices("Five").await;
    assert!(!notices.iter().any(|line| line == MISSING), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_were_missed_are_no_missing_messages() {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    let bens_queue = server.queue_numbered(1);
    ben.quit().await;
    let desk = ada.chat("Desk").await.id;
    for name in ["One", "Two", "Three"] {
        server.lose_next_to(bens_queue);
        ada.client().group_rename(&desk, name).await.unwrap();
        eventually("both know", || async {
            is_in(&ada, name).await && is_in(&cleo, name).await
        })
        .await;
    }
    cleo.says("Three", "Hello").await;
    ben.reopen().await;
    ben.reads("Three", &["Cleo: Hello"]).await;
    // What is missing is shown after a while; asking takes as long.
    eventually("nothing is missing any more", || async {
        let left = ben.client().what_is_left_for_tests().await.unwrap();
        !left.iter().any(|kind| kind == "gap")
    })
    .await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    let notices = ben.notices("Three").await;
    assert!(!notices.iter().any(|line| line == MISSING), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_again_goes_with_its_message() {
    let server = FakeServer::new();
    let (mut ada, ben, _) = two(&server).await;
    at_rest(&server, &[&ada, &ben]).await;
    server.lose_next_to(server.queue_numbered(1));
    ada.says("Ben", "Xylophone").await;
    ada.says("Ben", "Next").await;
    ben.reads("Ada", &["Ada: Xylophone", "Ada: Next"]).await;
    let chat = ada.chat("Ben").await.id;
    let lines = ada.client().messages(&chat, Page::default()).await.unwrap();
    let said = lines.iter().find(|line| line.text == "Xylophone").unwrap();
    ada.client()
        .delete_for_everyone(&chat, &said.id)
        .await
        .unwrap();
    at_rest(&server, &[&ada, &ben]).await;
    ada.quit().await;
    assert_eq!(ada.finds("Xylophone"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_missed_a_removal_is_let_in_again_by_way_of_its_sibling() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let laptop = laptop_of(&ben, &server).await;
    eventually("the laptop is in", || is_in(&laptop, "Desk")).await;
    at_rest(&server, &[&ada, &ben, &cleo, &laptop]).await;
    // Who is taken out knows everybody's addresses: they get other names, which Ben's phone does not hear of. Those before the last are good
    // for nothing.
    server.lose_next_to(server.queue_numbered(1));
    let desk = ada.chat("Desk").await.id;
    let id = ada.client().find_contact("Cleo").await.unwrap().id;
    for members in [2, 3, 2] {
        if members == 2 {
            ada.client().group_remove(&desk, &id).await.unwrap();
        } else {
            ada.client()
                .group_add(&desk, std::slice::from_ref(&id))
                .await
                .unwrap();
        }
        eventually("the laptop knows", || async {
            laptop.chat("Desk").await.members == members
        })
        .await;
    }
    ben.client()
        .enqueue(&desk, Draft::text("Still here"))
        .await
        .unwrap();
    for person in [&ada, &laptop] {
        person.reads("Desk", &["Ben: Still here"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_hear_that_somebody_wants_to_leave_sees_all_the_same_that_they_left() {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    cleo.says("Desk", "Good morning").await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // The change that takes Ben out names his wish, which Cleo does not have. Nobody says anything afterwards.
    server.lose_next_to(server.queue_numbered(2));
    let desk = ben.chat("Desk").await.id;
    ben.client().group_leave(&desk, None).await.unwrap();
    for person in [&ada, &cleo] {
        eventually("Ben is not there any more", || async {
            person.chat("Desk").await.members == 2
        })
        .await;
    }
    cleo.says("Desk", "Good-bye").await;
    ada.reads("Desk", &["Cleo: Good morning", "Cleo: Good-bye"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_linked_while_another_has_lost_the_thread_comes_in_when_that_is_back() {
    let server = FakeServer::new();
    let (mut ada, mut ben, mut cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    ben.quit().await;
    server.lose_next_to(server.queue_numbered(1));
    ada.client().group_rename(&desk, "Club").await.unwrap();
    ada.says("Club", "A new name").await;
    cleo.reads("Club", &["Ada: A new name"]).await;
    ada.settle().await;
    ada.quit().await;
    cleo.quit().await;
    ben.reopen().await;
    let lost = || async { ben.chat("Desk").await.state == ChatState::Resyncing };
    eventually("Ben has lost the thread", lost).await;

    // Whoever could help is not there, and he gets a laptop.
    let laptop = Person::links(&ben, "laptop", &server).await;
    eventually("it is in the other chat", || async {
        direct_chats(&laptop).await == 1
    })
    .await;
    eventually("his phone thinks that it has done its part", || async {
        let left = ben.client().what_is_left_for_tests().await.unwrap();
        let part = ["duty", "device check", "intent", "take", "queue"];
        !left.iter().any(|kind| part.contains(&kind.as_str()))
    })
    .await;
    assert!(lost().await && laptop.client().find_chat("Club").await.is_err());

    ada.reopen().await;
    cleo.reopen().await;
    eventually("his phone is back", || is_in(&ben, "Club")).await;
    eventually("so is his laptop", || is_in(&laptop, "Club")).await;
}

/// What Ben's chat shows of a message of Ada's that his phone missed, after she has sent it, done `then` with it, and written once more.
async fn seen_of_what_was_missed(
    draft: Draft,
    then: impl AsyncFnOnce(&Person, &undertone_core::Sent),
) -> Vec<String> {
    let server = FakeServer::new();
    let (ada, ben, _) = two(&server).await;
    at_rest(&server, &[&ada, &ben]).await;
    server.lose_next_to(server.queue_numbered(1));
    let chat = ada.chat("Ben").await.id;
    let sent = ada.client().send(&chat, draft).await.unwrap();
    // Until she has seen it come back it is not placed.
    ada.settle().await;
    then(&ada, &sent).await;
    ada.says("Ben", "Seen?").await;
    eventually("the next one came", || async {
        ben.lines("Ada").await.contains(&"Ada: Seen?".to_owned())
    })
    .await;
    eventually("it came again, or has its line", || async {
        let left = ben.client().what_is_left_for_tests().await.unwrap();
        let shown = ben.notices("Ada").await.iter().any(|line| line == MISSING);
        shown || !left.iter().any(|kind| kind == "gap")
    })
    .await;
    let missing = ben.notices("Ada").await;
    let missing = missing.into_iter().filter(|line| line == MISSING);
    missing.chain(ben.lines("Ada").await).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_misses_what_may_be_opened_once_sees_that_there_was_something() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("passport.txt");
    std::fs::write(&secret, b"number 123").unwrap();
    let draft = Draft {
        view_once: true,
        ..Draft::default().attach(&secret)
    };
    let seen = seen_of_what_was_missed(draft, async |_, _| ()).await;
    assert_eq!(seen, [MISSING, "Ada: Seen?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_author_deletes_for_themselves_is_missed_by_whoever_has_not_got_it() {
    let seen = seen_of_what_was_missed(Draft::text("Shall we?"), async |ada, sent| {
        let chat = ada.chat("Ben").await.id;
        let deleted = ada.client().delete_for_me(&chat, &sent.message).await;
        deleted.unwrap();
    });
    assert_eq!(seen.await, [MISSING, "Ada: Seen?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_author_deletes_for_everyone_is_missed_by_nobody() {
    let seen = seen_of_what_was_missed(Draft::text("Shall we?"), async |ada, sent| {
        let chat = ada.chat("Ben").await.id;
        let deleted = ada.client().delete_for_everyone(&chat, &sent.message).await;
        deleted.unwrap();
    });
    assert_eq!(seen.await, ["Ada: Seen?"]);
}
