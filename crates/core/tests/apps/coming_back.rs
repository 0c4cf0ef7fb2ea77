//! A device that lost the thread is let in again, and somebody else would like to answer first: a member who was removed meanwhile, or
//! one who makes herself owner. What is believed, and what is sent before it is.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::fake::{
    FakeServer, Person, at_rest, eventually,
    forger::{Lie, answer_first, copy_of, put_back},
    meet, three,
};
use undertone_core::{ChatState, Draft};
use undertone_mls::ChannelId;

type Outcome = Result<(), undertone_core::Error>;

async fn notices_have(person: &Person, chat: &str, part: &str) {
    eventually(part, || async {
        let notices = person.notices(chat).await;
        notices.iter().any(|notice| notice.contains(part))
    })
    .await;
}

async fn is_back(ben: &Person, chat: &str) {
    eventually("Ben is back", || async {
        ben.client()
            .find_chat(chat)
            .await
            .is_ok_and(|chat| chat.state == ChatState::Active)
    })
    .await;
}

/// Ben was put back to a day on which Cleo was a member; she is none any more, and has kept her keys. Ada's app is held up.
async fn ben_has_missed_that_cleo_went(server: &FakeServer) -> (Person, Person, Person) {
    let (ada, mut ben, mut cleo) = three(server).await;
    at_rest(server, &[&ada, &cleo]).await;
    let copy = copy_of(&mut ben).await;
    cleo.quit().await;
    let desk = ada.chat("Desk").await.id;
    let id = ada.client().find_contact("Cleo").await.unwrap().id;
    ada.client().group_remove(&desk, &id).await.unwrap();
    notices_have(&ben, "Desk", "Ada removed Cleo.").await;
    ada.settle().await;
    put_back(&mut ben, &copy).await;
    server.hold(server.queue_numbered(0));
    ben.open().await;
    let draft = Draft::text("For Ada's eyes.");
    ben.client().enqueue(&desk, draft).await.unwrap();
    ben.client().start().await.unwrap();
    (ada, ben, cleo)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_removed_lets_nobody_in() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = ben_has_missed_that_cleo_went(&server).await;
    answer_first(&server, &cleo, Lie::default()).await;
    notices_have(&ben, "Desk", "Cleo offered to let this device in again").await;
    assert_eq!(ben.chat("Desk").await.state, ChatState::Resyncing);
    server.let_go();
    is_back(&ben, "Desk").await;
    notices_have(&ben, "Desk", "Cleo is no longer in this group.").await;
    ada.reads("Desk", &["Ben: For Ada's eyes."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_on_a_channel_that_only_the_helper_names() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = ben_has_missed_that_cleo_went(&server).await;
    let lie = Lie {
        channel: Some(ChannelId::random()),
        ..Lie::default()
    };
    answer_first(&server, &cleo, lie).await;
    notices_have(
        &ben,
        "Desk",
        "Nothing is sent until another member confirms",
    )
    .await;
    assert_eq!(ben.chat("Desk").await.state, ChatState::Resyncing);
    // Another answer comes, and nobody has confirmed the first one.
    server.let_go();
    notices_have(&ben, "Desk", "Cleo offered to let this device in again").await;
    is_back(&ben, "Desk").await;
    ada.reads("Desk", &["Ben: For Ada's eyes."]).await;
    assert!(!server.has_channel(&lie.channel.unwrap()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_becomes_owner_by_letting_somebody_in() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, mut cleo) = three(&server).await;
    at_rest(&server, &[&ada, &cleo]).await;
    let copy = copy_of(&mut ben).await;
    ada.says("Desk", "One.").await;
    for person in [&ben, &cleo] {
        person.reads("Desk", &["Ada: One."]).await;
    }
    cleo.settle().await;
    cleo.quit().await;
    put_back(&mut ben, &copy).await;
    server.hold(server.queue_numbered(0));
    ben.reopen().await;
    let lie = Lie {
        owner: true,
        ..Lie::default()
    };
    answer_first(&server, &cleo, lie).await;
    notices_have(
        &ben,
        "Desk",
        "Nothing is sent until another member confirms",
    )
    .await;
    server.let_go();
    is_back(&ben, "Desk").await;
    let notices = ben.notices("Desk").await;
    assert!(notices.iter().any(|line| line.contains("was refused")));
    assert!(!notices.iter().any(|line| line.contains("is now an owner")));
    ben.says("Desk", "Here again.").await;
    ada.reads("Desk", &["Ada: One.", "Ben: Here again."]).await;
    ben.reads("Desk", &["Ada: One.", "Ben: Here again."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_member_confirms_a_channel_that_the_device_never_saw() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    at_rest(&server, &[&ada, &cleo]).await;
    let copy = copy_of(&mut ben).await;
    // The group moves to its fallback channel, and changes there.
    let desk = ada.chat("Desk").await.id;
    let mut name = "Desk".to_owned();
    for round in 1..20 {
        // Another chat's commit may be the next one.
        server.spoil_next_commit();
        name = format!("Newsroom {round}");
        ada.client().group_rename(&desk, &name).await?;
        for person in [&ada, &ben, &cleo] {
            eventually("the new name", || async {
                person.client().find_chat(&name).await.is_ok()
            })
            .await;
        }
        let notices = ada.notices(&name).await;
        if notices.iter().any(|line| line.contains("was not valid")) {
            break;
        }
    }
    put_back(&mut ben, &copy).await;
    ben.reopen().await;
    is_back(&ben, &name).await;
    let notices = ben.notices(&name).await;
    for part in [
        "Nothing is sent until another member confirms",
        "was let in again by",
        &format!("The group is now called \u{201c}{name}\u{201d}."),
    ] {
        assert!(
            notices.iter().any(|line| line.contains(part)),
            "{notices:#?}"
        );
    }
    ben.says(&name, "Here again.").await;
    for person in [&ada, &cleo] {
        person.reads(&name, &["Ben: Here again."]).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_by_anothers_name_is_told_apart() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let (you, other) = (
        Person::new("You", &server).await,
        Person::new("ben ", &server).await,
    );
    let desk = ada.chat("Desk").await.id;
    for person in [&you, &other] {
        meet(person, &ada).await;
        ada.settle().await;
        let id = person.client().account().await?.account_id;
        ada.client().group_add(&desk, &[id]).await?;
    }
    eventually("both are in", || async {
        ben.client()
            .members(&desk)
            .await
            .is_ok_and(|all| all.len() == 5)
    })
    .await;
    // To Ben both are strangers: one by a word of the app's own, one by his own name.
    let notices = ben.notices("Desk").await;
    assert!(
        !notices.contains(&"Ada added You.".to_owned()),
        "{notices:#?}"
    );
    assert!(
        notices
            .iter()
            .any(|line| line.starts_with("Ada added You ("))
    );
    assert!(
        notices
            .iter()
            .any(|line| line.starts_with("Ada added ben "))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_believed_leaves_and_is_added_anew() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = ben_has_missed_that_cleo_went(&server).await;
    let lie = Lie {
        channel: Some(ChannelId::random()),
        ..Lie::default()
    };
    answer_first(&server, &cleo, lie).await;
    notices_have(
        &ben,
        "Desk",
        "Nothing is sent until another member confirms",
    )
    .await;
    let desk = ben.chat("Desk").await.id;
    ben.client().group_leave(&desk, None).await?;
    assert_eq!(ben.chat("Desk").await.state, ChatState::Left);
    server.let_go();
    let id = ada.client().find_contact("Ben").await?.id;
    // Ada's app finds Ben's request too late, or has answered it: either way he is a member to her until she removes him.
    ada.settle().await;
    ada.client().group_remove(&desk, &id).await?;
    ada.client()
        .group_add(&desk, std::slice::from_ref(&id))
        .await?;
    is_back(&ben, "Desk").await;
    ben.says("Desk", "Here again.").await;
    ada.reads("Desk", &["Ben: Here again."]).await;
    ada.says("Desk", "Welcome.").await;
    // What he had written before he left was sent to nobody; it stands at the end.
    let lines = ["Ben: Here again.", "Ada: Welcome.", "Ben: For Ada's eyes."];
    ben.reads("Desk", &lines).await;
    Ok(())
}

/// Bytes of the secret from which this home's group derives the next epoch are changed: commits that others make do not fit here, and
/// those made here fit nobody else. The home is not open.
fn spoil_next_epoch(home: &Person) {
    let home = home.home_while_away();
    let transaction = home.database().begin().expect("a transaction");
    let db = transaction.connection();
    let id: Vec<u8> = db
        .query_row(
            "SELECT group_id FROM conversations WHERE kind = 2",
            [],
            |row| row.get(0),
        )
        .expect("a group");
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = {
        let mut statement = db
            .prepare("SELECT rowid, group_id, group_data FROM openmls_group_data WHERE data_type = 'group_epoch_secrets'")
            .expect("a table");
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    };
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|at| at == part);
    for (row, group, mut secrets) in rows {
        // As an array of numbers, or as bytes.
        let numbers: Vec<u8> = id
            .iter()
            .flat_map(|byte| {
                if *byte < 24 {
                    vec![*byte]
                } else {
                    vec![24, *byte]
                }
            })
            .collect();
        if find(&group, &id).is_none() && find(&group, &numbers).is_none() {
            continue;
        }
        let at = find(&secrets, b"init_secret").expect("a secret") + 60;
        // A number of the array; its neighbour may be a mark that one follows.
        let at = if secrets[at] == 24 { at + 1 } else { at };
        secrets[at] = if secrets[at] >= 24 {
            24 + (secrets[at] - 24 + 1) % 232
        } else {
            (secrets[at] + 1) % 24
        };
        db.execute(
            "UPDATE openmls_group_data SET group_data = ?2 WHERE rowid = ?1",
            rusqlite::params![row, secrets],
        )
        .expect("written");
        transaction.commit().expect("committed");
        return;
    }
    panic!("no group");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_change_does_not_open_for_says_whose_it_was_and_comes_back() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    ben.quit().await;
    spoil_next_epoch(&ben);
    ben.reopen().await;
    let desk = ada.chat("Desk").await.id;
    ada.client().group_rename(&desk, "Newsroom").await?;
    is_back(&ben, "Newsroom").await;
    notices_have(
        &ben,
        "Newsroom",
        "This device could not take in a change by Ada.",
    )
    .await;
    assert!(
        ada.notices("Newsroom")
            .await
            .iter()
            .all(|line| !line.contains("could not take in"))
    );
    ben.says("Newsroom", "Here again.").await;
    for person in [&ada, &cleo] {
        person.reads("Newsroom", &["Ben: Here again."]).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_but_its_maker_can_take_a_change_in_the_others_go_on_without_it() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben, cleo) = three(&server).await;
    ada.quit().await;
    spoil_next_epoch(&ada);
    ada.reopen().await;
    ada.settle().await;
    let desk = ada.chat("Desk").await.id;
    // She makes a change and does not answer those who ask about it.
    server.hold(server.queue_numbered(0));
    ada.client().group_rename(&desk, "Newsroom").await?;
    for person in [&ben, &cleo] {
        notices_have(
            person,
            "Desk",
            "This device could not take in a change by Ada.",
        )
        .await;
        notices_have(
            person,
            "Desk",
            "A change that nobody could take in was ignored.",
        )
        .await;
        is_back(person, "Desk").await;
    }
    ben.says("Desk", "Without Ada, then.").await;
    cleo.reads("Desk", &["Ben: Without Ada, then."]).await;
    cleo.says("Desk", "For now.").await;
    let lines = ["Ben: Without Ada, then.", "Cleo: For now."];
    ben.reads("Desk", &lines).await;
    cleo.reads("Desk", &lines).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_asked_for_once_more() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    let copy = copy_of(&mut ben).await;
    ada.says("Desk", "One.").await;
    ben.reads("Desk", &["Ada: One."]).await;
    put_back(&mut ben, &copy).await;
    // He asks in each of his chats.
    let of_ben = server.queue_numbered(1);
    server.lose_next_direct_to(of_ben);
    ben.reopen().await;
    eventually("one answer is lost", || async {
        !server.loses_direct_to(of_ben)
    })
    .await;
    // It is asked for again after some turns of helpers; those who helped then do so again when a minute is over.
    for person in [&ada, &cleo] {
        person.clock().pass_ms(61_000);
    }
    for chat in ["Desk", "Ada"] {
        is_back(&ben, chat).await;
    }
    ben.says("Desk", "Here again.").await;
    for person in [&ada, &cleo] {
        person
            .reads("Desk", &["Ada: One.", "Ben: Here again."])
            .await;
    }
    Ok(())
}
