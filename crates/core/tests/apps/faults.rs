//! What must hold when things go wrong: lost requests and responses, apps that end at any moment, two changes at once, a device
//! that lost its state.

use crate::fake::{
    FakeServer, Fault, Person, at_rest, copy_folder, eventually, meet, on_line_again, three,
};
use undertone_core::{ChatState, Draft, Role};

type Outcome = Result<(), undertone_core::Error>;

/// Ada and Ben write in turn while every `every`th request is hit by `fault`.
async fn chat_under(fault: Fault, every: u64) -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    server.fault_every(every, 4000, fault);
    meet(&ben, &ada).await;
    let mut wanted = Vec::new();
    for round in 0..4 {
        ada.says("Ben", &format!("Ada {round}")).await;
        wanted.push(format!("Ada: Ada {round}"));
        ben.reads(
            "Ada",
            &wanted.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
        ben.says("Ada", &format!("Ben {round}")).await;
        wanted.push(format!("Ben: Ben {round}"));
        ada.reads(
            "Ben",
            &wanted.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
    }
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    ada.reads("Ben", &wanted).await;
    ben.reads("Ada", &wanted).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_requests_lose_nothing() -> Outcome {
    chat_under(Fault::Request, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_responses_double_nothing() -> Outcome {
    chat_under(Fault::Response, 3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_ends_at_any_request_goes_on_where_it_was() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let mut wanted = Vec::new();
    for round in 0..8u64 {
        let chat = ada.chat("Ben").await;
        let text = format!("Message {round}");
        ada.client().enqueue(&chat.id, Draft::text(&text)).await?;
        wanted.push(format!("Ada: {text}"));
        // Cut somewhere: a little later every time.
        tokio::time::sleep(std::time::Duration::from_millis(round * 3)).await;
        ada.reopen().await;
        tokio::time::sleep(std::time::Duration::from_millis(round * 2)).await;
        ben.reopen().await;
    }
    server.forget_memory();
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    ben.reads("Ada", &wanted).await;
    ada.settle().await;
    ada.reads("Ben", &wanted).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_changes_at_once_both_come_about() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let ids = (
        ben.client().account().await?.account_id,
        cleo.client().account().await?.account_id,
    );
    ada.client().group_role(&desk, &ids.0, Role::Owner).await?;
    eventually("Ben owns it too", || async {
        ben.chat("Desk").await.my_role == Role::Owner
    })
    .await;
    let dora = Person::new("Dora", &server).await;
    meet(&dora, &ada).await;
    let dora_id = ada.client().find_contact("Dora").await?.id;
    ada.settle().await;
    for round in 0..50 {
        let name = format!("Desk {round}");
        let rename = ben.client().group_rename(&desk, &name);
        let role = if round % 4 < 2 {
            Role::Admin
        } else {
            Role::Member
        };
        let ada_does = async {
            let client = ada.client();
            match round % 4 {
                1 => {
                    client
                        .group_add(&desk, std::slice::from_ref(&dora_id))
                        .await
                }
                3 => client.group_remove(&desk, &dora_id).await,
                _ => client.group_role(&desk, &ids.1, role).await,
            }
        };
        let (one, other) = tokio::join!(ada_does, rename);
        one?;
        other?;
        let with_dora = matches!(round % 4, 1 | 2);
        eventually("both hold everywhere", || async {
            let mut same = true;
            let mut epochs = Vec::new();
            for person in [&ada, &ben, &cleo] {
                let chat = person.client().chat(&desk).await.unwrap();
                let members = person.client().members(&desk).await.unwrap();
                same &= chat.name == name;
                same &= members
                    .iter()
                    .any(|member| member.id == ids.1 && member.role == role);
                same &= members.iter().any(|member| member.id == dora_id) == with_dora;
                epochs.push(chat.epoch);
            }
            same && epochs.iter().all(|epoch| *epoch == epochs[0])
        })
        .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_put_back_is_let_in_again() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    ada.says("Desk", "One.").await;
    ben.reads("Desk", &["Ada: One."]).await;
    ben.settle().await;
    ben.quit().await;
    let copy = ben.home.with_extension("copy");
    copy_folder(&ben.home, &copy);

    ben.reopen().await;
    ada.says("Desk", "Two.").await;
    let desk = ada.chat("Desk").await.id;
    ada.client().group_rename(&desk, "Newsroom").await?;
    cleo.settle().await;
    ben.reads("Newsroom", &["Ada: One.", "Ada: Two."]).await;
    ben.settle().await;
    ben.quit().await;

    // The disk is put back to an earlier day.
    std::fs::remove_dir_all(&ben.home).unwrap();
    copy_folder(&copy, &ben.home);
    ben.reopen().await;
    eventually("Ben is back", || async {
        ben.client()
            .find_chat("Newsroom")
            .await
            .is_ok_and(|chat| chat.state == ChatState::Active)
    })
    .await;
    ada.says("Newsroom", "Three.").await;
    eventually("Ben reads what he had missed, in its place", || async {
        ben.lines("Newsroom").await == ["Ada: One.", "Ada: Two.", "Ada: Three."]
    })
    .await;
    ben.says("Newsroom", "Here again.").await;
    cleo.reads(
        "Newsroom",
        &["Ada: One.", "Ada: Two.", "Ada: Three.", "Ben: Here again."],
    )
    .await;
    eventually("the direct chat works too", || async {
        ben.chat("Ada").await.state == ChatState::Active
    })
    .await;
    ben.says("Ada", "Sorry about that.").await;
    ada.reads("Ben", &["Ben: Sorry about that."]).await;
    Ok(())
}

/// Ben's disk loses what his device knew of all groups; he comes back, and has lost nothing that was said.
async fn comes_back_after(harm: &str) -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    ada.says("Desk", "One.").await;
    ben.reads("Desk", &["Ada: One."]).await;
    ben.says("notes", "Ask Ada.").await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben.quit().await;
    ben.tamper(harm);
    ada.says("Desk", "Two.").await;
    ben.reopen().await;
    let all = ["Ada: One.", "Ada: Two."];
    ben.reads("Desk", &all).await;
    ben.says("Desk", "Here again.").await;
    for person in [&ada, &ben, &cleo] {
        person
            .reads("Desk", &["Ada: One.", "Ada: Two.", "Ben: Here again."])
            .await;
    }
    ben.says("Ada", "Sorry about that.").await;
    ada.reads("Ben", &["Ben: Sorry about that."]).await;
    ben.says("notes", "Buy a new disk.").await;
    ben.reads("notes", &["Ben: Ask Ada.", "Ben: Buy a new disk."])
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_groups_are_unreadable_is_let_in_again() -> Outcome {
    comes_back_after("UPDATE openmls_group_data SET group_data = x'00'").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_groups_are_gone_is_let_in_again() -> Outcome {
    comes_back_after("DELETE FROM openmls_group_data; DELETE FROM mls_conversation;").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_never_came_is_asked_for_again() -> Outcome {
    let server = FakeServer::new();
    let before = server.queues();
    let ada = Person::new("Ada", &server).await;
    let ada_queue = server
        .queues()
        .into_iter()
        .find(|queue| !before.contains(queue))
        .unwrap();
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    ben.says("Ada", "One.").await;
    ada.reads("Ben", &["Ben: One."]).await;
    server.lose_next_to(ada_queue);
    ben.says("Ada", "Two.").await;
    ben.says("Ada", "Three.").await;
    ada.reads("Ben", &["Ben: One.", "Ben: Two.", "Ben: Three."])
        .await;
    assert!(ada.notices("Ben").await.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_last_on_a_channel_that_was_left_stands_where_it_was_said() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    ben.says("Ada", "One.").await;
    ada.reads("Ben", &["Ben: One."]).await;
    at_rest(&server, &[&ada, &ben]).await;
    // Nothing comes after it by which Ada could see that a number is missing: the server is put back, and all go on on another channel.
    server.lose_next_to(server.queue_numbered(0));
    ben.says("Ada", "Two.").await;
    at_rest(&server, &[&ada, &ben]).await;
    server.restore_from_backup();
    on_line_again(&[&ada, &ben]).await;
    ada.says("Ben", "Three.").await;
    ben.reads("Ada", &["Ben: One.", "Ben: Two.", "Ada: Three."])
        .await;
    ben.says("Ada", "Four.").await;
    // By Ben's own count she sees that something is missing between what she has of him, and takes his word for where it stood.
    let all = ["Ben: One.", "Ben: Two.", "Ada: Three.", "Ben: Four."];
    ada.reads("Ben", &all).await;
    ben.reads("Ada", &all).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_overtook_a_photo_and_was_lost_with_its_channel_stands_where_it_was_said() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    ada.says("Ben", "Show me.").await;
    ben.reads("Ada", &["Ada: Show me."]).await;
    at_rest(&server, &[&ada, &ben]).await;
    // Ben's photo waits for its upload, so what he says after it is sent before it, and never gets to Ada.
    server.set_blobs_fail(true);
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("photo.bin");
    std::fs::write(&photo, vec![7; 100_000]).unwrap();
    let chat = ben.chat("Ada").await.id;
    let draft = Draft::text("The photo.".to_owned()).attach(&photo);
    ben.client().enqueue(&chat, draft).await?;
    server.lose_next_to(server.queue_numbered(0));
    ben.client()
        .enqueue(&chat, Draft::text("Did you get it?".to_owned()))
        .await?;
    ben.reads(
        "Ada",
        &["Ada: Show me.", "Ben: Did you get it?", "Ben: The photo."],
    )
    .await;
    server.restore_from_backup();
    server.set_blobs_fail(false);
    on_line_again(&[&ada, &ben]).await;
    ben.says("Ada", "Well?").await;
    let all = [
        "Ada: Show me.",
        "Ben: Did you get it?",
        "Ben: The photo.",
        "Ben: Well?",
    ];
    ada.reads("Ben", &all).await;
    ben.reads("Ada", &all).await;
    Ok(())
}

/// Ben's first word of all is lost with its channel, and only the second one tells of it. Ada's queue is the server's first.
async fn first_word_lost(server: &FakeServer, ada: &Person, ben: &Person) -> Outcome {
    at_rest(server, &[ada, ben]).await;
    server.lose_next_to(server.queue_numbered(0));
    let chat = ben.chat("Ada").await.id;
    ben.client()
        .enqueue(&chat, Draft::text("My first word".to_owned()))
        .await?;
    at_rest(server, &[ada, ben]).await;
    server.restore_from_backup();
    on_line_again(&[ada, ben]).await;
    ben.says("Ada", "My second").await;
    let both = ["Ben: My first word", "Ben: My second"];
    ada.reads("Ben", &both).await;
    ben.reads("Ada", &both).await;
    assert!(ada.notices("Ben").await.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_word_that_was_lost_with_its_channel_is_missed_by_who_was_added() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    first_word_lost(&server, &ada, &ben).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_word_that_was_lost_with_its_channel_is_missed_by_who_added() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ada, &ben).await;
    first_word_lost(&server, &ada, &ben).await
}

/// Ben's own copy of what he said first is lost, so he says it again when he comes back, `later` for Ada. How she then reads it all.
async fn said_twice(
    later: std::time::Duration,
    wanted: &[&str],
) -> Result<(Person, Person), undertone_core::Error> {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let mut ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    server.lose_next_to(server.queue_numbered(1));
    let chat = ben.chat("Ada").await.id;
    ben.client()
        .enqueue(&chat, Draft::text("What I said first".to_owned()))
        .await?;
    ada.reads("Ben", &["Ben: What I said first"]).await;
    ada.says("Ben", "What was answered").await;
    // It has not come back, so it still stands last with Ben.
    ben.reads("Ada", &["Ada: What was answered", "Ben: What I said first"])
        .await;
    let ms = i64::try_from(later.as_millis()).expect("a time");
    ada.clock().pass_ms(ms);
    ben.reopen().await;
    // He has seen that it did not come back, and said it again.
    ben.settle().await;
    ben.says("Ada", "And then").await;
    ada.reads("Ben", wanted).await;
    assert!(ben.notices("Ada").await.is_empty() && ada.notices("Ben").await.is_empty());
    Ok((ada, ben))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_twice_because_its_own_copy_was_lost_stands_in_one_place_for_all() -> Outcome {
    let all = [
        "Ada: What was answered",
        "Ben: What I said first",
        "Ben: And then",
    ];
    let (_ada, ben) = said_twice(std::time::Duration::ZERO, &all).await?;
    ben.reads("Ada", &all).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_long_ago_is_not_moved_by_saying_it_again() -> Outcome {
    let all = [
        "Ben: What I said first",
        "Ada: What was answered",
        "Ben: And then",
    ];
    said_twice(std::time::Duration::from_secs(25 * 3600), &all).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_comes_back_without_its_memory() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    for round in 0..5 {
        server.set_online(false);
        let chat = ada.chat("Ben").await;
        ada.client()
            .enqueue(&chat.id, Draft::text(format!("Message {round}")))
            .await?;
        server.forget_memory();
        server.set_online(true);
    }
    ben.reads(
        "Ada",
        &[
            "Ada: Message 0",
            "Ada: Message 1",
            "Ada: Message 2",
            "Ada: Message 3",
            "Ada: Message 4",
        ],
    )
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_nonsense_for_all_is_passed_over_by_all() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    server.spoil_next_commit();
    ada.client().group_rename(&desk, "Newsroom").await?;
    for person in [&ada, &ben, &cleo] {
        eventually("the name came on the next channel", || async {
            person.client().find_chat("Newsroom").await.is_ok()
        })
        .await;
    }
    ben.says("Newsroom", "All here?").await;
    ada.reads("Newsroom", &["Ben: All here?"]).await;
    cleo.reads("Newsroom", &["Ben: All here?"]).await;
    cleo.says("Newsroom", "Yes.").await;
    ada.reads("Newsroom", &["Ben: All here?", "Cleo: Yes."])
        .await;
    ben.reads("Newsroom", &["Ben: All here?", "Cleo: Yes."])
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_somebody_else_has_stops_nothing_else() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    // Coming into the group uses up one of Ada's key packages; the address of the one that takes its place is not to be had.
    server.take_next_addresses(1);
    let contact = ben.client().find_contact("Ada").await?.id;
    ben.client().create_group("Desk", &[contact]).await?;
    eventually("in the group", || async {
        ada.client().find_chat("Desk").await.is_ok()
    })
    .await;
    ben.says("Desk", "Can you read this?").await;
    ada.reads("Desk", &["Ben: Can you read this?"]).await;
    ada.says("Ben", "Yes.").await;
    ben.reads("Ada", &["Ada: Yes."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_item_is_fetched_again_and_a_hopeless_one_is_asked_for() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    for (round, damages) in [1, 2, 6].into_iter().enumerate() {
        server.damage_next_pushes(damages);
        ben.says("Ada", &format!("Message {round}")).await;
        ben.settle().await;
    }
    ada.reads(
        "Ben",
        &["Ben: Message 0", "Ben: Message 1", "Ben: Message 2"],
    )
    .await;
    ben.reads(
        "Ada",
        &["Ben: Message 0", "Ben: Message 1", "Ben: Message 2"],
    )
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_put_back_from_a_backup_goes_on() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    at_rest(&server, &[&ada, &ben]).await;
    ben.says("Ada", "Before.").await;
    ada.reads("Ben", &["Ben: Before."]).await;
    ada.settle().await;
    ben.settle().await;
    server.restore_from_backup();
    on_line_again(&[&ada, &ben]).await;
    ben.says("Ada", "After.").await;
    ada.reads("Ben", &["Ben: Before.", "Ben: After."]).await;
    ada.says("Ben", "Still here.").await;
    ben.reads("Ada", &["Ben: Before.", "Ben: After.", "Ada: Still here."])
        .await;
    Ok(())
}
