//! Nothing is waited for, answered, asked or kept without a limit: clocks that jump, members whom nothing reaches, questions without end,
//! blobs that never come, answers that make no sense, links that nobody proves.

use std::time::Duration;

use crate::fake::{FakeServer, Nonsense, Person, at_rest, eventually, meet, three};
use undertone_core::{ChatState, Draft, LinkOptions, MessageKind, Page};
use undertone_wire::Code;

type Outcome = Result<(), undertone_core::Error>;

const HOUR_MS: i64 = 3600 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

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

fn count(lines: &[String], part: &str) -> usize {
    lines.iter().filter(|line| line.contains(part)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_keys_change_by_the_day_and_what_was_sealed_before_still_opens() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = two(&server).await;
    let mut wanted = Vec::new();
    // Days pass; the clock jumps far ahead and comes back; later it is two days behind, and put right.
    for (round, days) in [1, 2, 3, 400, 3, 4, 5, 3, 5].into_iter().enumerate() {
        ben.settle().await;
        ben.quit().await;
        let text = format!("Message {round}");
        ada.says("Ben", &text).await;
        wanted.push(format!("Ada: {text}"));
        let before = server.rotations();
        ben.clock().set_off_ms(days * DAY_MS);
        ben.reopen().await;
        let lines: Vec<_> = wanted.iter().map(String::as_str).collect();
        ben.reads("Ada", &lines).await;
        eventually("the key was changed", || async {
            server.rotations() == before + 1
        })
        .await;
        ben.settle().await;
        // A second look, so that what was retired may go.
        ben.reopen().await;
        ben.settle().await;
        assert_eq!(server.rotations(), before + 1, "once a day");
        ben.quit().await;
        // Today's, the one before it, and after the clock was put right one more for two hours.
        let kept = ben.queue_keys();
        assert!(kept <= 3, "{kept} keys are kept");
        ben.reopen().await;
    }
    ben.says("Ada", "All of it.").await;
    wanted.push("Ben: All of it.".to_owned());
    let lines: Vec<_> = wanted.iter().map(String::as_str).collect();
    ada.reads("Ben", &lines).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_pair_stays_as_long_as_something_sealed_for_it_may_come() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = two(&server).await;
    let queue = server.queue_numbered(1);
    ben.quit().await;
    // Sealed for yesterday's pair, and not handed out yet while a new pair is made; then the clock jumps.
    ada.says("Ben", "Sealed for the old pair.").await;
    server.hold(queue);
    let before = server.rotations();
    ben.clock().set_off_ms(DAY_MS);
    ben.reopen().await;
    eventually("a new pair", || async { server.rotations() == before + 1 }).await;
    ben.clock().set_off_ms(30 * DAY_MS);
    ben.reopen().await;
    server.let_go();
    ben.reads("Ada", &["Ada: Sealed for the old pair."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_off_line_by_a_clock_that_ran_ahead_goes_once_it_is_right() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = two(&server).await;
    let chat = ben.chat("Ada").await.id;
    ben.open().await;
    ben.clock().jump_ms(20 * DAY_MS);
    ben.client()
        .enqueue(&chat, Draft::text("From the future."))
        .await?;
    ben.quit().await;
    ben.clock().jump_ms(-20 * DAY_MS);
    ben.reopen().await;
    ada.reads("Ben", &["Ben: From the future."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_go_yet_holds_up_nothing_that_is_due_after_it() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben) = two(&server).await;
    // Nothing but what is due wakes Ada's app for an hour, or it would look again by chance.
    ada.pace.automatic_from = Duration::from_millis(500);
    ada.pace.automatic_to = ada.pace.automatic_from;
    ada.pace.gap_shown = Duration::from_secs(3600);
    ada.pace.reconnect_to = Duration::from_secs(3600);
    ada.reopen().await;
    ada.settle().await;

    // A file waits for a server that takes none at present.
    server.refuse_uploads(Some(Code::LimitRate));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Minutes.txt");
    std::fs::write(&file, "Everybody was there.").unwrap();
    let chat = ada.chat("Ben").await.id;
    ada.client()
        .enqueue(&chat, Draft::default().attach(&file))
        .await?;
    // A message is missing, and asked for after a moment.
    server.lose_next_to(server.queue_numbered(0));
    ben.says("Ada", "One.").await;
    ben.says("Ada", "Two.").await;
    eventually("Ada has both", || async {
        ada.lines("Ben")
            .await
            .iter()
            .filter(|line| line.starts_with("Ben"))
            .eq(["Ben: One.", "Ben: Two."])
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_ran_forty_days_ahead_holds_nothing_up_once_it_is_right() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    ada.says("Desk", "One.").await;
    ben.reads("Desk", &["Ada: One."]).await;
    ben.settle().await;
    ben.clock().set_off_ms(40 * DAY_MS);
    ben.reopen().await;
    ben.settle().await;
    let link = ben.client().create_link(LinkOptions::default()).await?;

    // Ben misses a change, and with it all that follows; who is asked to let him in takes the question for an old or a forged one.
    server.lose_next_to(server.queue_numbered(1));
    let desk = ada.chat("Desk").await.id;
    ada.client().group_rename(&desk, "Newsroom").await?;
    ada.says("Newsroom", "Two.").await;
    eventually("Ben has lost the thread", || async {
        ben.chat("Desk").await.state == ChatState::Resyncing
    })
    .await;
    ben.settle().await;
    ada.settle().await;
    // Other things go on.
    ada.says("Ben", "Is your clock right?").await;
    ben.reads("Ada", &["Ada: Is your clock right?"]).await;
    ben.says("Ada", "No!").await;
    assert_eq!(ben.chat("Desk").await.state, ChatState::Resyncing);
    ben.quit().await;

    ben.clock().set_off_ms(0);
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
    // A message that never came is asked for after a moment, not after forty days.
    server.lose_next_to(server.queue_numbered(1));
    ada.says("Newsroom", "Four.").await;
    ada.says("Newsroom", "Five.").await;
    eventually("Ben has all", || async {
        ben.lines("Newsroom").await.len() == 5
    })
    .await;
    ben.says("Newsroom", "Here.").await;
    cleo.reads(
        "Newsroom",
        &[
            "Ada: One.",
            "Ada: Two.",
            "Ada: Three.",
            "Ada: Four.",
            "Ada: Five.",
            "Ben: Here.",
        ],
    )
    .await;
    let lives = ben.client().links().await?.pop().unwrap();
    let by = lives.expires_ms.unwrap();
    assert!(by < link.expires_ms.unwrap() - 39 * DAY_MS);
    ben.settle().await;
    ben.quit().await;
    assert_eq!(ben.moments_ahead(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn key_packages_that_nobody_took_for_forty_days_still_lead_to_their_owner() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = two(&server).await;
    for _ in 0..2 {
        ben.clock().pass_ms(41 * DAY_MS);
        ben.reopen().await;
        ben.settle().await;
    }
    let contact = ada.client().find_contact("Ben").await?.id;
    ada.client().create_group("Desk", &[contact]).await?;
    ada.says("Desk", "Still there?").await;
    ben.reads("Desk", &["Ada: Still there?"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_that_did_not_arrive_is_sent_again() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let ids = [
        ada.client().find_contact("Ben").await?.id,
        ada.client().find_contact("Cleo").await?.id,
    ];
    server.set_reachable(server.queue_numbered(1), false);
    ada.client().create_group("Newsroom", &ids).await?;
    ada.says("Newsroom", "Is Ben here?").await;
    cleo.reads("Newsroom", &["Ada: Is Ben here?"]).await;
    eventually("Ada is told", || async {
        count(
            &ada.notices("Newsroom").await,
            "Ben could not be let in yet",
        ) == 1
    })
    .await;
    assert!(ben.client().find_chat("Newsroom").await.is_err());
    server.set_reachable(server.queue_numbered(1), true);
    eventually("Ben is in", || async {
        ben.client().find_chat("Newsroom").await.is_ok()
    })
    .await;
    ada.says("Newsroom", "Now he is.").await;
    eventually("Ben reads what was said since he was added", || async {
        ben.lines("Newsroom").await == ["Ada: Is Ben here?", "Ada: Now he is."]
    })
    .await;
    ben.says("Newsroom", "Yes.").await;
    cleo.reads(
        "Newsroom",
        &["Ada: Is Ben here?", "Ada: Now he is.", "Ben: Yes."],
    )
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_reached_is_shown_and_stays_a_member() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    server.set_reachable(server.queue_numbered(2), false);
    let mut wanted = Vec::new();
    for round in 0.. {
        let text = format!("Message {round}");
        ada.says("Desk", &text).await;
        wanted.push(format!("Ada: {text}"));
        ada.settle().await;
        if count(&ada.notices("Desk").await, "does not reach Cleo") > 0 {
            break;
        }
        assert!(round < 1000);
    }
    assert!(wanted.len() >= 3, "one word of the server is no word");
    ada.says("Desk", "One more.").await;
    wanted.push("Ada: One more.".to_owned());
    ada.settle().await;
    let told = ada.notices("Desk").await;
    assert_eq!(count(&told, "does not reach Cleo"), 1);
    assert_eq!(count(&ben.notices("Desk").await, "does not reach"), 0);
    assert_eq!(ada.chat("Desk").await.members, 3);
    server.set_reachable(server.queue_numbered(2), true);
    ada.says("Desk", "And now?").await;
    wanted.push("Ada: And now?".to_owned());
    eventually("Ada is told", || async {
        let told = ada.notices("Desk").await;
        println!("{told:?} {:?}", ada.chat("Desk").await.state);
        count(&told, "reaches Cleo again") == 1
    })
    .await;
    eventually("Cleo reads what she had missed", || async {
        cleo.lines("Desk").await == wanted
    })
    .await;
    Ok(())
}

/// Waits until the last message of a chat was told to have come.
async fn delivered(sender: &Person, chat: &str) {
    eventually("it was delivered", || async {
        let last = sender.chat(chat).await.last;
        last.is_some_and(|last| last.delivered_to == 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_for_the_keys_of_a_device_that_was_removed() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = two(&server).await;
    let laptop = Person::links(&ada, "laptop", &server).await;
    at_rest(&server, &[&ada, &ben, &laptop]).await;
    server.empty_pools_of(server.queue_numbered(server.registered() - 1));
    let id = ada.client().find_contact("Ben").await?.id;
    ada.client().create_group("Desk", &[id]).await?;
    let takes = || async {
        let left = ada.client().what_is_left_for_tests().await.unwrap();
        left.iter().any(|kind| kind == "take")
    };
    eventually("Ada waits for the laptop's keys", takes).await;
    let laptops = laptop.client().account().await?.device_id;
    ada.client().remove_device(&laptops, None).await?;
    eventually("she does no more", || async { !takes().await }).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_and_again_is_answered_twice_an_hour() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = two(&server).await;
    for text in ["One.", "Two.", "Three."] {
        ada.says("Ben", text).await;
    }
    let lines = ["Ada: One.", "Ada: Two.", "Ada: Three."];
    ben.reads("Ada", &lines).await;
    delivered(&ada, "Ben").await;
    let mut expected = server.messages();
    for round in 0..4 {
        ada.settle().await;
        ben.settle().await;
        ben.quit().await;
        // Ben claims that he has nothing of it.
        ben.tamper(
            "DELETE FROM gaps;
             INSERT INTO gaps (conversation, device, generation, number, place_generation, place_number, noticed_at_ms, asked_at_ms, message, asks)
             SELECT conversation, x'', generation, number, generation, number, CAST(strftime('%s', 'now') AS INTEGER) * 1000 - 5000, 0, 0, 5
             FROM messages WHERE kind = 1 AND state = 1",
        );
        if round == 3 {
            ada.clock().pass_ms(2 * HOUR_MS);
            ada.reopen().await;
        }
        ben.reopen().await;
        let answered = round < 2 || round == 3;
        expected += if answered { 2 } else { 1 };
        eventually("he has asked", || async { server.messages() >= expected }).await;
        ada.settle().await;
    }
    ada.says("Ben", "Enough.").await;
    eventually("it is read", || async {
        ben.lines("Ada")
            .await
            .last()
            .is_some_and(|line| line == "Ada: Enough.")
    })
    .await;
    // That, and that it came.
    delivered(&ada, "Ben").await;
    assert_eq!(server.messages(), expected + 2);
    assert_eq!(ben.lines("Ada").await.len(), 4);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_never_comes_holds_a_conversation_up_for_a_day_at_most() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = two(&server).await;
    ben.quit().await;
    ben.tamper(
        "INSERT INTO held_items (address, kind, channel_hash, number, epoch, next_lock, payload, waits_for, received_at_ms)
         SELECT address, 3, zeroblob(32), 999, epoch, zeroblob(32), zeroblob(64), 2, CAST(strftime('%s', 'now') AS INTEGER) * 1000
         FROM conversations WHERE kind = 1;
         INSERT INTO fetches (item, blob_id, key, hash, size, attempts, not_before_ms, body, state)
         SELECT max(id), randomblob(32), randomblob(32), randomblob(32), 100000, 0, 0, x'', 0 FROM held_items",
    );
    server.set_blobs_fail(true);
    ben.reopen().await;
    ada.says("Ben", "Behind it.").await;
    eventually("Ben has taken it out of his queue", || async {
        server.items() == 0
    })
    .await;
    assert!(ben.lines("Ada").await.is_empty());
    ben.clock().pass_ms(25 * HOUR_MS);
    ben.reads("Ada", &["Ada: Behind it."]).await;
    Ok(())
}

/// How many requests a server gets by answering so for two seconds.
async fn requests_under(nonsense: Nonsense) -> u64 {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    server.answer_with(Some(nonsense));
    let before = server.requests();
    let client = ada.client();
    client
        .enqueue(&desk, Draft::text("Can you read this?"))
        .await
        .unwrap();
    // None of these can be done now; they are wishes, and stay.
    let wishes = async {
        match nonsense {
            Nonsense::EpochOfOnesOwn => drop(client.group_rename(&desk, "Newsroom").await),
            Nonsense::NoPool => drop(client.create_link(LinkOptions::default()).await),
            _ => std::future::pending().await,
        }
    };
    let stretch = tokio::time::timeout(Duration::from_secs(2), wishes).await;
    assert!(stretch.is_err(), "{nonsense:?}: it was done");
    let requests = server.requests() - before;
    server.answer_with(None);
    eventually("it goes out after all", || async {
        // By its id: what it is called may change meanwhile.
        let lines = ben.client().messages(&desk, Page::default()).await.unwrap();
        let said = lines
            .iter()
            .filter(|line| line.kind == MessageKind::Message);
        said.map(|line| line.text.as_str())
            .eq(["Can you read this?"])
    })
    .await;
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_make_no_sense_are_not_asked_for_without_end() {
    let kinds = [
        Nonsense::EpochOfOnesOwn,
        Nonsense::NoChannelThatExists,
        Nonsense::OtherKind,
        Nonsense::StaleForOnesOwn,
        Nonsense::NoPool,
    ];
    let counts = futures_util::future::join_all(kinds.map(requests_under)).await;
    for (kind, requests) in kinds.iter().zip(counts) {
        println!("{kind:?}: {requests} requests in two seconds");
        assert!(
            requests < 60,
            "{kind:?}: {requests} requests in two seconds"
        );
    }
}

/// Ben takes a link of Ada's and never gets to prove it.
async fn half_met(server: &FakeServer, options: LinkOptions) -> (Person, undertone_core::ChatId) {
    let ada = Person::new("Ada", server).await;
    let mut ben = Person::new("Ben", server).await;
    let link = ada.client().create_link(options).await.expect("a link");
    server.answer_with(Some(Nonsense::StaleForOnesOwn));
    ben.client().add_contact(&link.uri).await.expect("added");
    let chat = ben.chat("Ada").await.id;
    eventually("Ada has the Welcome", || async {
        ada.client().has_chat(&chat).await.unwrap()
    })
    .await;
    assert!(ada.client().chats().await.unwrap().is_empty());
    ben.quit().await;
    server.answer_with(None);
    ada.settle().await;
    (ada, chat)
}

async fn nothing_is_left(mut ada: Person, chat: &undertone_core::ChatId) {
    eventually("it is gone", || async {
        !ada.client().has_chat(chat).await.unwrap()
    })
    .await;
    ada.settle().await;
    ada.quit().await;
    for (table, condition) in [
        ("conversations", "1"),
        ("members", "1"),
        ("messages", "1"),
        ("outbox", "1"),
        ("names", "name = 'Ben'"),
        ("pools", "link = 0"),
        ("addresses", "kind = 1"),
        ("mls_conversation", "1"),
        ("mls_epoch_secret", "1"),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
        assert_eq!(ada.looks_up(&sql), 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_with_a_link_and_never_proven_goes_after_a_month() -> Outcome {
    let server = FakeServer::new();
    let options = LinkOptions {
        uses: 2,
        expires_in_s: Some(0),
        ask: Some(false),
    };
    let (mut ada, chat) = half_met(&server, options).await;
    for (days, here) in [(1, true), (29, true), (2, false)] {
        ada.clock().pass_ms(days * DAY_MS);
        ada.reopen().await;
        ada.settle().await;
        if here {
            assert!(
                ada.client().has_chat(&chat).await?,
                "after {days} days more"
            );
        }
    }
    nothing_is_left(ada, &chat).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_with_a_link_goes_with_the_link() -> Outcome {
    let server = FakeServer::new();
    let (ada, chat) = half_met(&server, LinkOptions::default()).await;
    let link = ada.client().links().await?.remove(0);
    ada.client().revoke_link(&link.id).await?;
    nothing_is_left(ada, &chat).await;
    Ok(())
}
