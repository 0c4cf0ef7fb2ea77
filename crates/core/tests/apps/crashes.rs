//! The app ends at every single commit in turn, right before it and right after it, and every request and response is lost in turn:
//! nothing is lost, nothing is doubled, the order stays.

use crate::fake::{End, FakeServer, Fault, Person, at_rest, eventually, meet, three};
use undertone_core::{ChatId, ChatState, ContactId, Draft, LinkOptions};

type Outcome = Result<(), undertone_core::Error>;

/// No step here takes so many commits or requests.
const MANY: u64 = 120;

async fn reads(person: &Person, chat: &str, wanted: &[String]) {
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    person.reads(chat, &wanted).await;
}

async fn two(server: &FakeServer) -> (Person, Person) {
    let (ada, ben) = (
        Person::new("Ada", server).await,
        Person::new("Ben", server).await,
    );
    meet(&ben, &ada).await;
    ada.settle().await;
    ben.settle().await;
    (ada, ben)
}

async fn a_message_is_written(end: End) -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben) = two(&server).await;
    let mut wanted = Vec::new();
    for nth in 1..MANY {
        let chat = ada.chat("Ben").await.id;
        let text = format!("Message {nth}");
        wanted.push(format!("Ada: {text}"));
        ada.ends_at(nth, end);
        ada.unless_it_ends(ada.client().enqueue(&chat, Draft::text(&text)))
            .await;
        let ended = ada.settles_or_comes_back().await;
        if ada.lines("Ben").await.len() < wanted.len() {
            // It ended before anything was written down: whoever wrote sees that, and writes it again.
            assert!(ended && nth == 1 && end == End::BeforeCommit);
            ada.says("Ben", &text).await;
        }
        reads(&ben, "Ada", &wanted).await;
        if !ended {
            println!("{end:?}: {} commits to write a message", nth - 1);
            ada.settle().await;
            reads(&ada, "Ben", &wanted).await;
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_ends_before_any_commit_of_writing() -> Outcome {
    a_message_is_written(End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_ends_after_any_commit_of_writing() -> Outcome {
    a_message_is_written(End::AfterCommit).await
}

async fn a_message_is_read(end: End) -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = two(&server).await;
    let mut wanted = Vec::new();
    for nth in 1..MANY {
        ben.ends_at(nth, end);
        for part in ["a", "b"] {
            let text = format!("Message {nth}{part}");
            ada.says("Ben", &text).await;
            wanted.push(format!("Ada: {text}"));
        }
        let ended = ben.settles_or_comes_back().await;
        reads(&ben, "Ada", &wanted).await;
        if !ended {
            println!("{end:?}: {} commits to read two messages", nth - 1);
            ben.settle().await;
            ada.settle().await;
            assert_eq!(server.items(), 0, "everything was acknowledged");
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_ends_before_any_commit_of_reading() -> Outcome {
    a_message_is_read(End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_ends_after_any_commit_of_reading() -> Outcome {
    a_message_is_read(End::AfterCommit).await
}

fn name_of(nth: u64) -> &'static str {
    Box::leak(format!("Ben {nth}").into_boxed_str())
}

/// Which of the two ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Maker,
    Adder,
}

async fn two_meet(who: Who, end: End) -> Outcome {
    let server = FakeServer::new();
    let mut ada = Person::new("Ada", &server).await;
    ada.settle().await;
    for nth in 1..MANY {
        let mut ben = Person::new(name_of(nth), &server).await;
        ben.settle().await;
        if who == Who::Maker {
            ada.ends_at(nth, end);
        }
        let made = ada
            .unless_it_ends(ada.client().create_link(LinkOptions::default()))
            .await;
        let mut ended = false;
        let link = match made {
            Some(link) => link?,
            None => {
                ended = ada.settles_or_comes_back().await;
                ada.client().create_link(LinkOptions::default()).await?
            }
        };
        if who == Who::Adder {
            ben.ends_at(nth, end);
        }
        ben.unless_it_ends(ben.client().add_contact(&link.uri))
            .await;
        match who {
            Who::Maker => ended |= ada.settles_or_comes_back().await,
            Who::Adder => ended |= ben.settles_or_comes_back().await,
        }
        ben.settle().await;
        if ben.client().contacts().await?.is_empty() {
            assert!(ended);
            ben.client().add_contact(&link.uri).await?;
        }
        eventually("both are contacts", || async {
            ada.client().find_contact(ben.name).await.is_ok()
                && ben.client().find_contact("Ada").await.is_ok()
        })
        .await;
        ben.says("Ada", "Hello.").await;
        ada.reads(ben.name, &[&format!("{}: Hello.", ben.name)])
            .await;
        ada.says(ben.name, "Hello, Ben.").await;
        let lines = [format!("{}: Hello.", ben.name), "Ada: Hello, Ben.".into()];
        reads(&ben, "Ada", &lines).await;
        assert_eq!(ben.client().contacts().await?.len(), 1);
        ben.quit().await;
        if !ended {
            println!("{end:?}: {} commits to meet", nth - 1);
            assert_eq!(ada.client().contacts().await?.len() as u64, nth);
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_a_link_ends_before_any_commit() -> Outcome {
    two_meet(Who::Maker, End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_a_link_ends_after_any_commit() -> Outcome {
    two_meet(Who::Maker, End::AfterCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_adds_a_link_ends_before_any_commit() -> Outcome {
    two_meet(Who::Adder, End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_adds_a_link_ends_after_any_commit() -> Outcome {
    two_meet(Who::Adder, End::AfterCommit).await
}

async fn ids(ada: &Person) -> [ContactId; 2] {
    [
        ada.client().find_contact("Ben").await.unwrap().id,
        ada.client().find_contact("Cleo").await.unwrap().id,
    ]
}

async fn groups_called(person: &Person, name: &str) -> Vec<ChatId> {
    let chats = person.client().chats().await.unwrap();
    let named = chats.into_iter().filter(|chat| chat.name == name);
    named.map(|chat| chat.id).collect()
}

/// A group is made, written in, and Cleo is removed; whoever `ends` does so at each commit in turn.
async fn a_group_comes_and_goes(maker_ends: bool, end: End) -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, cleo) = three(&server).await;
    let ids = ids(&ada).await;
    for nth in 1..MANY {
        let name = format!("Group {nth}");
        if maker_ends {
            ada.ends_at(nth, end);
        } else {
            ben.ends_at(nth, end);
        }
        ada.unless_it_ends(ada.client().create_group(&name, &ids))
            .await;
        let mut ended = maker_ends && ada.settles_or_comes_back().await;
        if groups_called(&ada, &name).await.is_empty() {
            assert!(ended && end == End::BeforeCommit);
            ada.client().create_group(&name, &ids).await?;
        }
        ada.settle().await;
        cleo.settle().await;
        ended |= !maker_ends && ben.settles_or_comes_back().await;
        ada.says(&name, "Welcome.").await;
        for person in [&ben, &cleo] {
            person.reads(&name, &["Ada: Welcome."]).await;
        }
        ben.says(&name, "Thank you.").await;
        for person in [&ada, &ben, &cleo] {
            person
                .reads(&name, &["Ada: Welcome.", "Ben: Thank you."])
                .await;
            assert_eq!(groups_called(person, &name).await.len(), 1);
        }
        // And Cleo goes.
        at_rest(&server, &[&ada, &ben]).await;
        let chat = groups_called(&ada, &name).await.remove(0);
        if maker_ends {
            ada.ends_at(nth, end);
        } else {
            ben.ends_at(nth, end);
        }
        ada.unless_it_ends(ada.client().group_remove(&chat, &ids[1]))
            .await;
        if maker_ends {
            ended |= ada.settles_or_comes_back().await;
        } else {
            ada.settle().await;
            ended |= ben.settles_or_comes_back().await;
        }
        ada.settle().await;
        if ada.client().chat(&chat).await?.members == 3 {
            assert!(ended && nth == 1 && end == End::BeforeCommit);
            ada.client().group_remove(&chat, &ids[1]).await?;
        }
        eventually("Cleo is out", || async {
            cleo.chat(&name).await.state == ChatState::Removed
        })
        .await;
        ada.says(&name, "Between us.").await;
        ben.says(&name, "Yes.").await;
        let lines = [
            "Ada: Welcome.",
            "Ben: Thank you.",
            "Ada: Between us.",
            "Ben: Yes.",
        ];
        ada.reads(&name, &lines).await;
        ben.reads(&name, &lines).await;
        assert_eq!(cleo.lines(&name).await.len(), 2);
        let told = ben.notices(&name).await;
        let told = told.iter().filter(|line| *line == "Ada removed Cleo.");
        assert_eq!(told.count(), 1);
        if !ended {
            println!("{end:?}: {} commits to make a group", nth - 1);
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_a_group_ends_before_any_commit() -> Outcome {
    a_group_comes_and_goes(true, End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_a_group_ends_after_any_commit() -> Outcome {
    a_group_comes_and_goes(true, End::AfterCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_group_ends_before_any_commit() -> Outcome {
    a_group_comes_and_goes(false, End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_group_ends_after_any_commit() -> Outcome {
    a_group_comes_and_goes(false, End::AfterCommit).await
}

async fn a_file_goes(sender_ends: bool, end: End) -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = two(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.bin");
    let bytes: Vec<u8> = (0..150_000u32).map(|n| (n * 31 % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let mut wanted = Vec::new();
    for nth in 1..MANY {
        let chat = ada.chat("Ben").await.id;
        let text = format!("File {nth}");
        wanted.push(format!("Ada: {text}"));
        let draft = || Draft::text(&text).attach(&file);
        if sender_ends {
            ada.ends_at(nth, end);
        }
        ada.unless_it_ends(ada.client().enqueue(&chat, draft()))
            .await;
        let mut ended = sender_ends && ada.settles_or_comes_back().await;
        if ada.lines("Ben").await.len() < wanted.len() {
            assert!(ended);
            ada.client().send(&chat, draft()).await?;
        }
        reads(&ben, "Ada", &wanted).await;
        let page = undertone_core::Page::default();
        let chat = ben.chat("Ada").await.id;
        let line = ben.client().messages(&chat, page).await?.pop().unwrap();
        let target = folder.path().join(format!("received {nth}"));
        if !sender_ends {
            ben.ends_at(nth, end);
            let saved = ben
                .unless_it_ends(ben.client().save(&chat, &line.id, 0, &target))
                .await;
            ended = ben.settles_or_comes_back().await;
            if !ended {
                saved.unwrap()?;
            }
        }
        if !target.exists() {
            ben.client().save(&chat, &line.id, 0, &target).await?;
        }
        assert_eq!(std::fs::read(&target).unwrap(), bytes);
        reads(&ben, "Ada", &wanted).await;
        if !ended {
            println!("{end:?}: {} commits of a file", nth - 1);
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_file_ends_at_any_commit() -> Outcome {
    a_file_goes(true, End::BeforeCommit).await?;
    a_file_goes(true, End::AfterCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_saves_a_file_ends_at_any_commit() -> Outcome {
    a_file_goes(false, End::BeforeCommit).await?;
    a_file_goes(false, End::AfterCommit).await
}

/// Each request in turn of meeting and writing both ways.
async fn meeting_under(fault: Fault) -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    ada.settle().await;
    for nth in 1..MANY {
        let mut ben = Person::new(name_of(nth), &server).await;
        ben.settle().await;
        let before = server.requests();
        server.fault_at(before + nth, fault);
        meet(&ben, &ada).await;
        ben.says("Ada", "Hello.").await;
        ada.reads(ben.name, &[&format!("{}: Hello.", ben.name)])
            .await;
        ada.says(ben.name, "Hello, Ben.").await;
        let lines = [format!("{}: Hello.", ben.name), "Ada: Hello, Ben.".into()];
        reads(&ben, "Ada", &lines).await;
        reads(&ada, ben.name, &lines).await;
        ada.settle().await;
        ben.settle().await;
        ben.quit().await;
        if server.requests() - before < nth {
            println!("{fault:?}: {} requests to meet", nth - 1);
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

/// Each request in turn of a group that is made, written in, and left by one who is removed.
async fn a_group_under(fault: Fault) -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let ids = ids(&ada).await;
    for nth in 1..MANY {
        let before = server.requests();
        server.fault_at(before + nth, fault);
        let name = format!("Group {nth}");
        ada.client().create_group(&name, &ids).await?;
        ada.says(&name, "Welcome.").await;
        for person in [&ben, &cleo] {
            person.reads(&name, &["Ada: Welcome."]).await;
        }
        ben.says(&name, "Thank you.").await;
        let chat = groups_called(&ada, &name).await.remove(0);
        ada.client().group_remove(&chat, &ids[1]).await?;
        eventually("Cleo is out", || async {
            cleo.chat(&name).await.state == ChatState::Removed
        })
        .await;
        ben.says(&name, "Between us.").await;
        let lines = ["Ada: Welcome.", "Ben: Thank you.", "Ben: Between us."];
        ada.reads(&name, &lines).await;
        ben.reads(&name, &lines).await;
        at_rest(&server, &[&ada, &ben, &cleo]).await;
        if server.requests() - before < nth {
            println!("{fault:?}: {} requests of a group", nth - 1);
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_meeting_is_lost_in_turn() -> Outcome {
    meeting_under(Fault::Request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_response_of_meeting_is_lost_in_turn() -> Outcome {
    meeting_under(Fault::Response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_group_is_lost_in_turn() -> Outcome {
    a_group_under(Fault::Request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_response_of_a_group_is_lost_in_turn() -> Outcome {
    a_group_under(Fault::Response).await
}
