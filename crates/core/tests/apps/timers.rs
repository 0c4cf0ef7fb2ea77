//! Messages that disappear: after they were read or at a moment, whatever happens to the clock, and wholly.

use crate::fake::{FakeServer, Person, eventually, meet, three};
use undertone_core::{Clock as _, Delivery, Draft, Expires};

type Outcome = Result<(), undertone_core::Error>;

const HOUR_MS: i64 = 3_600_000;
const HOUR_S: u32 = 3600;

/// A person reads everything in a chat.
async fn reads_all(person: &Person, chat: &str) {
    let chat = person.chat(chat).await;
    if let Some(last) = chat.last {
        let read = person.client().mark_read(&chat.id, last.local_id).await;
        read.expect("read");
    }
}

/// Everything that holds a message is empty of it.
async fn holds_nothing_of(person: &mut Person, needle: &str) {
    person.settle().await;
    person.quit().await;
    assert_eq!(
        person.finds(needle),
        Vec::<String>::new(),
        "{}",
        person.name
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chats_messages_go_an_hour_after_each_person_has_read_them() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, mut cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    // Ben is no admin.
    let refused = ben.client().set_timer(&desk, 60).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    assert_eq!(
        ada.client().set_timer(&desk, HOUR_S).await?,
        Delivery::Accepted
    );
    eventually("all know", || async {
        ben.chat("Desk").await.timer_s == Some(HOUR_S)
            && cleo.chat("Desk").await.timer_s == Some(HOUR_S)
    })
    .await;
    let line = "Ada set messages to disappear 1 hour after they are read.".to_owned();
    assert!(ben.notices("Desk").await.contains(&line));

    ada.says("Desk", "The door code is 4711.").await;
    for person in [&ben, &cleo] {
        person.reads("Desk", &["Ada: The door code is 4711."]).await;
    }
    let shown = ben.chat("Desk").await.last.expect("a line");
    assert_eq!((shown.timer_s, shown.expires_ms), (Some(HOUR_S), None));
    reads_all(&ben, "Desk").await;
    let shown = ben.chat("Desk").await.last.expect("a line");
    let left = shown.expires_ms.expect("its time has begun") - ben.clock().now_ms();
    assert!(
        (HOUR_MS - 60_000..=HOUR_MS).contains(&left),
        "{left} ms left"
    );

    for person in [&ada, &ben, &cleo] {
        person.settle().await;
        person.clock().pass_ms(HOUR_MS + 1000);
    }
    // Ada sent it and Ben has read it; Cleo has not.
    ada.reads("Desk", &[]).await;
    ben.reads("Desk", &[]).await;
    cleo.reads("Desk", &["Ada: The door code is 4711."]).await;
    reads_all(&cleo, "Desk").await;
    cleo.clock().pass_ms(HOUR_MS + 1000);
    cleo.reads("Desk", &[]).await;
    for person in [&mut ada, &mut ben, &mut cleo] {
        holds_nothing_of(person, "4711").await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_clock_gives_a_message_more_time() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let chat = ada.chat("Ben").await.id;
    let brief = |text: &str| Draft {
        expires: Some(Expires::After(HOUR_S)),
        ..Draft::text(text)
    };
    ada.client()
        .send(&chat, brief("Burn after reading."))
        .await?;
    ben.reads("Ada", &["Ada: Burn after reading."]).await;
    reads_all(&ben, "Ada").await;

    // Ben's clock is set a year back: the hour passes all the same, half of it while the app is closed.
    ben.clock().set_off_ms(-365 * 24 * HOUR_MS);
    ben.clock().pass_ms(HOUR_MS / 2);
    ben.reads("Ada", &["Ada: Burn after reading."]).await;
    ben.settle().await;
    ben.quit().await;
    ben.clock().pass_ms(HOUR_MS / 2 + 1000);
    ben.open().await;
    ben.reads("Ada", &[]).await;
    // A clock that jumps ahead while the app runs takes nothing away before its time.
    ada.client().send(&chat, brief("Still here.")).await?;
    ada.reads("Ben", &["Ada: Burn after reading.", "Ada: Still here."])
        .await;
    ada.settle().await;
    ada.clock().set_off_ms(30 * 24 * HOUR_MS);
    ada.reads("Ben", &["Ada: Burn after reading.", "Ada: Still here."])
        .await;
    ada.clock().pass_ms(HOUR_MS + 1000);
    ada.reads("Ben", &[]).await;
    holds_nothing_of(&mut ada, "Burn after").await;
    ben.quit().await;
    assert_eq!(ben.finds("Burn after"), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_was_named_by_a_clock_that_runs_ahead_is_no_later_for_the_others() -> Outcome
{
    let server = FakeServer::new();
    let (ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ada.clock().jump_ms(15 * 24 * HOUR_MS);
    let chat = ada.chat("Ben").await.id;
    let at_s = u32::try_from((ada.clock().now_ms() + HOUR_MS) / 1000).unwrap();
    let draft = Draft {
        expires: Some(Expires::At(at_s)),
        ..Draft::text("For an hour.")
    };
    ada.client().send(&chat, draft).await?;
    ben.reads("Ada", &["Ada: For an hour."]).await;
    ben.settle().await;
    ben.clock().pass_ms(HOUR_MS + 1000);
    ben.reads("Ada", &[]).await;
    holds_nothing_of(&mut ben, "For an hour").await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_goes_at_its_moment_with_its_versions_quotes_and_files() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let chat = ada.chat("Ben").await.id;
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.txt");
    std::fs::write(&plan, b"through the back door").unwrap();
    let at_s = u32::try_from((ada.clock().now_ms() + HOUR_MS) / 1000).unwrap();
    let draft = Draft {
        expires: Some(Expires::At(at_s)),
        ..Draft::text("The plan.").attach(&plan)
    };
    let sent = ada.client().send(&chat, draft).await?;
    ben.reads("Ada", &["Ada: The plan."]).await;
    ben.client()
        .save(&chat, &sent.message, 0, &folder.path().join("saved.txt"))
        .await?;
    ada.client()
        .edit(&chat, &sent.message, "The real plan.", false)
        .await?;
    ben.reads("Ada", &["Ada: The real plan."]).await;
    let answer = Draft {
        in_reply_to: Some(sent.message.clone()),
        ..Draft::text("Good.")
    };
    ben.client().send(&chat, answer).await?;
    ada.reads("Ben", &["Ada: The real plan.", "Ben: Good."])
        .await;
    for person in [&ada, &ben] {
        person.settle().await;
        person.clock().pass_ms(HOUR_MS + 1000);
        let other = if person.name == "Ada" { "Ben" } else { "Ada" };
        person.reads(other, &["Ben: Good."]).await;
        let last = person.chat(other).await.last.expect("a line");
        assert!(
            last.quote
                .is_some_and(|quote| quote.deleted && quote.text.is_empty())
        );
    }
    let past = Draft {
        expires: Some(Expires::At(at_s)),
        ..Draft::text("Too late.")
    };
    let refused = ada.client().send(&chat, past).await;
    assert_eq!(refused.unwrap_err().code(), "message.timer_invalid");
    for person in [&mut ada, &mut ben] {
        eventually("its file is gone", || async {
            std::fs::read_dir(person.home.join("attachments")).map_or(0, Iterator::count) == 0
        })
        .await;
        holds_nothing_of(person, "plan.txt").await;
        assert_eq!(person.finds("The plan"), Vec::<String>::new());
        assert_eq!(person.finds("real plan"), Vec::<String>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quote_goes_for_each_person_when_what_it_quotes_has_had_its_time() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, mut cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let draft = Draft {
        expires: Some(Expires::After(HOUR_S)),
        ..Draft::text("Under the doormat.")
    };
    let sent = ada.client().send(&desk, draft).await?;
    let said = "Ada: Under the doormat.";
    for person in [&ben, &cleo] {
        person.reads("Desk", &[said]).await;
    }
    reads_all(&ben, "Desk").await;
    let answer = Draft {
        in_reply_to: Some(sent.message.clone()),
        ..Draft::text("Found it.")
    };
    ben.client().send(&desk, answer).await?;
    let quote = async |person: &Person| {
        let last = person.chat("Desk").await.last.expect("a line");
        assert_eq!((last.text.as_str(), last.timer_s), ("Found it.", None));
        let quote = last.quote.expect("a quote");
        (quote.text, quote.deleted)
    };
    for person in [&ada, &ben, &cleo] {
        person.reads("Desk", &[said, "Ben: Found it."]).await;
        let stands = ("Under the doormat.".to_owned(), false);
        assert_eq!(quote(person).await, stands);
    }

    // Ada sent it and Ben has read it; Cleo has read neither, and the answer has no time of its own.
    for person in [&ada, &ben, &cleo] {
        person.settle().await;
        person.clock().pass_ms(HOUR_MS + 1000);
    }
    for person in [&ada, &ben] {
        person.reads("Desk", &["Ben: Found it."]).await;
        assert_eq!(quote(person).await, (String::new(), true));
    }
    cleo.reads("Desk", &[said, "Ben: Found it."]).await;
    assert_eq!(quote(&cleo).await.0, "Under the doormat.");
    reads_all(&cleo, "Desk").await;
    cleo.reopen().await;
    cleo.clock().pass_ms(HOUR_MS + 1000);
    cleo.reads("Desk", &["Ben: Found it."]).await;
    assert_eq!(quote(&cleo).await, (String::new(), true));
    for person in [&mut ada, &mut ben, &mut cleo] {
        holds_nothing_of(person, "doormat").await;
    }
    Ok(())
}
