//! What people do to messages: they edit, delete, react and take it back, together, off-line and out of order.

use crate::fake::{FakeServer, Person, eventually, meet, three};
use undertone_core::{Clock as _, ContactChange, Draft, Expires, MessageInfo, MessageKind, Page};

type Outcome = Result<(), undertone_core::Error>;

const HOUR_MS: i64 = 3_600_000;

async fn all(person: &Person, chat: &str) -> Vec<MessageInfo> {
    let chat = person.chat(chat).await;
    let page = Page {
        limit: 1000,
        before: None,
    };
    let lines = person.client().messages(&chat.id, page).await.unwrap();
    lines
        .into_iter()
        .filter(|line| line.kind == MessageKind::Message)
        .collect()
}

/// A chat as a person sees it, a line a message: text, then what was done to it.
async fn looks(person: &Person, chat: &str) -> Vec<String> {
    let lines = all(person, chat).await;
    lines
        .iter()
        .map(|line| {
            let mut shown = match &line.quote {
                Some(quote) if quote.deleted => "(> gone) ".to_owned(),
                Some(quote) => format!("(> {}) ", quote.text),
                None => String::new(),
            };
            shown += if line.deleted {
                "(deleted)"
            } else {
                &line.text
            };
            if line.edits > 0 {
                shown += &format!(" [edited {}]", line.edits);
            }
            for reaction in &line.reactions {
                shown += &format!(" {}{:?}", reaction.text, reaction.names);
            }
            shown
        })
        .collect()
}

async fn see(people: &[&Person], chat: &str, wanted: &[&str]) {
    for person in people {
        let chat = if chat.is_empty() { "Ada" } else { chat };
        eventually(&format!("{} sees {wanted:?}", person.name), || async {
            looks(person, chat).await == wanted
        })
        .await;
    }
}

/// The message of a chat that says this.
async fn saying(person: &Person, chat: &str, text: &str) -> MessageInfo {
    let lines = all(person, chat).await;
    let found = lines.into_iter().find(|line| line.text == text);
    found.unwrap_or_else(|| panic!("{} has no message {text}", person.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_shows_everywhere_and_keeps_what_was_said_before() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let everybody = [&ada, &ben, &cleo];
    ada.says("Desk", "We meat at ten.").await;
    see(&everybody, "Desk", &["We meat at ten."]).await;
    let first = saying(&ben, "Desk", "We meat at ten.").await;
    let chat = ben.chat("Desk").await.id;
    let answer = Draft {
        in_reply_to: Some(first.id.clone()),
        ..Draft::text("Where?")
    };
    ben.client().send(&chat, answer).await?;
    see(
        &everybody,
        "Desk",
        &["We meat at ten.", "(> We meat at ten.) Where?"],
    )
    .await;

    ada.client()
        .edit(&chat, &first.id, "We meet at ten.", false)
        .await?;
    ada.client()
        .edit(&chat, &first.id, "We meet at eleven.", false)
        .await?;
    let now = [
        "We meet at eleven. [edited 2]",
        "(> We meet at eleven.) Where?",
    ];
    see(&everybody, "Desk", &now).await;
    for person in everybody {
        let history = person.client().history(&chat, &first.id).await?;
        let said: Vec<&str> = history.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(
            said,
            ["We meat at ten.", "We meet at ten.", "We meet at eleven."]
        );
    }

    // Nobody writes over what somebody else said.
    let refused = ben.client().edit(&chat, &first.id, "No.", false).await;
    assert_eq!(refused.unwrap_err().code(), "message.not_yours");
    let refused = cleo.client().delete_for_everyone(&chat, &first.id).await;
    assert_eq!(refused.unwrap_err().code(), "message.not_yours");
    let refused = ada.client().edit(&chat, &first.id, "", false).await;
    assert_eq!(refused.unwrap_err().code(), "message.empty");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reactions_stand_beside_each_other_and_can_be_taken_back() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, mut cleo) = three(&server).await;
    let everybody = [&ada, &ben, &cleo];
    ada.says("Desk", "It is out.").await;
    see(&everybody, "Desk", &["It is out."]).await;
    let chat = ada.chat("Desk").await.id;
    let id = saying(&ada, "Desk", "It is out.").await.id;

    ben.client().react(&chat, &id, "👍", true).await?;
    see(&everybody, "Desk", &["It is out. 👍[\"Ben\"]"]).await;
    cleo.client().react(&chat, &id, "👍", true).await?;
    cleo.client().react(&chat, &id, "🎉", true).await?;
    cleo.client().react(&chat, &id, "🎉", true).await?;
    let all_three = ["It is out. 👍[\"Ben\", \"Cleo\"] 🎉[\"Cleo\"]"];
    see(&everybody, "Desk", &all_three).await;
    cleo.client().react(&chat, &id, "👍", false).await?;
    see(&everybody, "Desk", &["It is out. 👍[\"Ben\"] 🎉[\"Cleo\"]"]).await;
    // Given once more it is a new one, after the others.
    ben.client().react(&chat, &id, "👍", false).await?;
    ben.client().react(&chat, &id, "👍", true).await?;
    see(&everybody, "Desk", &["It is out. 🎉[\"Cleo\"] 👍[\"Ben\"]"]).await;
    // What is taken back is kept by nobody.
    cleo.client().react(&chat, &id, "hm, no", true).await?;
    cleo.client().react(&chat, &id, "hm, no", false).await?;
    for nonsense in ["", "   ", "line\nbreak", &"x".repeat(65)] {
        let refused = ben.client().react(&chat, &id, nonsense, true).await;
        assert_eq!(refused.unwrap_err().code(), "message.reaction_invalid");
    }
    cleo.says("Desk", "Bye.").await;
    for person in [&mut ada, &mut ben, &mut cleo] {
        eventually("it came", || async {
            looks(person, "Desk")
                .await
                .last()
                .is_some_and(|line| line == "Bye.")
        })
        .await;
        holds_nothing_of(person, &["hm, no"]).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_for_everyone_is_in_no_table_of_anybody() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben, mut cleo) = three(&server).await;
    ada.says("Desk", "The source is Wilhelmina.").await;
    ada.says("Desk", "Forget that.").await;
    let chat = ada.chat("Desk").await.id;
    let id = saying(&ada, "Desk", "The source is Wilhelmina.").await.id;
    ada.client()
        .edit(&chat, &id, "The source is Wilhelmina Vos.", false)
        .await?;
    see(
        &[&ada, &ben, &cleo],
        "Desk",
        &["The source is Wilhelmina Vos. [edited 1]", "Forget that."],
    )
    .await;
    ben.client().react(&chat, &id, "Vos?", true).await?;
    let answer = Draft {
        in_reply_to: Some(id.clone()),
        ..Draft::text("Who?")
    };
    cleo.client().send(&chat, answer).await?;
    eventually("the reaction is there", || async {
        looks(&ada, "Desk").await.len() == 3 && looks(&ada, "Desk").await[0].contains("Ben")
    })
    .await;

    // Cleo is away while it is deleted.
    cleo.quit().await;
    ada.client().delete_for_everyone(&chat, &id).await?;
    let gone = ["(deleted)", "Forget that.", "(> gone) Who?"];
    see(&[&ada, &ben], "Desk", &gone).await;
    cleo.reopen().await;
    see(&[&cleo], "Desk", &gone).await;
    assert!(ben.client().history(&chat, &id).await?.is_empty());
    let refused = ben.client().react(&chat, &id, "👍", true).await;
    assert_eq!(refused.unwrap_err().code(), "message.gone");
    for person in [&mut ada, &mut ben, &mut cleo] {
        person.settle().await;
        person.quit().await;
        for needle in ["Wilhelmina", "Vos?"] {
            assert_eq!(
                person.finds(needle),
                Vec::<String>::new(),
                "{}",
                person.name
            );
        }
        assert!(!person.finds("Forget that.").is_empty());
    }
    Ok(())
}

/// Ben hears nothing that Ada says, or hears her again.
async fn blocks(ben: &Person, ada: &str, blocked: bool) {
    let contact = ben.client().find_contact(ada).await.unwrap();
    let change = ContactChange {
        blocked: Some(blocked),
        ..ContactChange::default()
    };
    ben.client().set_contact(&contact.id, change).await.unwrap();
}

/// Nothing of this is in the home, which is closed.
async fn holds_nothing_of(person: &mut Person, needles: &[&str]) {
    person.settle().await;
    person.quit().await;
    for needle in needles {
        assert_eq!(
            person.finds(needle),
            Vec::<String>::new(),
            "{needle} at {}",
            person.name
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_taken_leaves_nothing_when_it_is_deleted() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    blocks(&ben, "Ada", true).await;
    ada.says("Ben", "Ask Wilhelmina.").await;
    ada.settle().await;
    ben.settle().await;
    blocks(&ben, "Ada", false).await;
    let chat = ada.chat("Ben").await.id;
    let id = saying(&ada, "Ben", "Ask Wilhelmina.").await.id;
    ada.client()
        .edit(&chat, &id, "Ask Wilhelmina Vos.", false)
        .await?;
    ada.client().react(&chat, &id, "Vos?", true).await?;
    ada.client().delete_for_everyone(&chat, &id).await?;
    ada.says("Ben", "Lunch?").await;
    see(&[&ben], "Ada", &["Lunch?"]).await;
    holds_nothing_of(&mut ben, &["Wilhelmina", "Vos?"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_one_came_leaves_nothing_when_it_is_deleted() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    let mut cleo = Person::new("Cleo", &server).await;
    meet(&ben, &ada).await;
    meet(&cleo, &ada).await;
    let ids = |person: &'static str| ada.client().find_contact(person);
    let (to, late) = (ids("Ben").await?.id, ids("Cleo").await?.id);
    ada.client().create_group("Desk", &[to]).await?;
    eventually("in the group", || async {
        ben.client().find_chat("Desk").await.is_ok()
    })
    .await;
    ada.says("Desk", "Ask Wilhelmina.").await;
    ben.reads("Desk", &["Ada: Ask Wilhelmina."]).await;
    let chat = ada.chat("Desk").await.id;
    ada.client().group_add(&chat, &[late]).await?;
    eventually("in the group", || async {
        cleo.client().find_chat("Desk").await.is_ok()
    })
    .await;
    let id = saying(&ada, "Desk", "Ask Wilhelmina.").await.id;
    ben.client().react(&chat, &id, "Vos?", true).await?;
    ada.client()
        .edit(&chat, &id, "Ask Wilhelmina Vos.", false)
        .await?;
    ada.client().delete_for_everyone(&chat, &id).await?;
    see(&[&ben], "Desk", &["(deleted)"]).await;
    ada.says("Desk", "Lunch?").await;
    see(&[&cleo], "Desk", &["Lunch?"]).await;
    holds_nothing_of(&mut cleo, &["Wilhelmina", "Vos?"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_message_that_never_comes_does_not_stay() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    blocks(&ben, "Ada", true).await;
    let chat = ada.chat("Ben").await.id;
    let until = u32::try_from(ada.clock().now_ms() / 1000).unwrap() + 3600;
    let brief = Draft {
        expires: Some(Expires::At(until)),
        ..Draft::text("The code is 4711.")
    };
    let brief = ada.client().send(&chat, brief).await?.message;
    ada.says("Ben", "Ask Wilhelmina.").await;
    ada.settle().await;
    ben.settle().await;
    blocks(&ben, "Ada", false).await;
    let long = saying(&ada, "Ben", "Ask Wilhelmina.").await.id;
    for (id, text) in [
        (&brief, "The code is 0815."),
        (&long, "Ask Wilhelmina Vos."),
    ] {
        ada.client().edit(&chat, id, text, false).await?;
    }
    ada.says("Ben", "Lunch?").await;
    see(&[&ben], "Ada", &["Lunch?"]).await;

    // The message that they would be about may still come.
    ben.quit().await;
    assert!(ben.finds_in("actions", "0815") && ben.finds_in("actions", "a Vos."));
    ben.clock().pass_ms(HOUR_MS + 1000);
    ben.reopen().await;
    holds_nothing_of(&mut ben, &["0815"]).await;
    assert!(ben.finds_in("actions", "a Vos."));
    ben.clock().pass_ms(24 * HOUR_MS);
    ben.reopen().await;
    holds_nothing_of(&mut ben, &["a Vos."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_for_me_stays_with_the_others_and_does_not_come_back() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ada.says("Ben", "Milk, eggs.").await;
    ada.says("Ben", "And bread.").await;
    see(&[&ben], "Ada", &["Milk, eggs.", "And bread."]).await;
    let chat = ben.chat("Ada").await.id;
    let id = saying(&ben, "Ada", "Milk, eggs.").await.id;
    ben.client().delete_for_me(&chat, &id).await?;
    see(&[&ben], "Ada", &["And bread."]).await;
    // A second copy, and an edit of what is not here any more, show nothing.
    server.deliver_times(2);
    ada.client()
        .edit(&chat, &id, "Milk and eggs.", false)
        .await?;
    ada.says("Ben", "Done.").await;
    server.deliver_times(1);
    see(&[&ben], "Ada", &["And bread.", "Done."]).await;
    see(
        &[&ada],
        "Ben",
        &["Milk and eggs. [edited 1]", "And bread.", "Done."],
    )
    .await;
    ben.settle().await;
    ben.quit().await;
    assert_eq!(ben.finds(" eggs"), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_off_line_shows_at_once_and_reaches_the_others_later() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ben.says("Ada", "Hello.").await;
    see(&[&ada], "Ben", &["Hello."]).await;
    ada.settle().await;
    ada.open().await;
    let chat = ada.chat("Ben").await.id;
    let hello = saying(&ada, "Ben", "Hello.").await.id;
    let typo = ada
        .client()
        .send(&chat, Draft::text("Helo."))
        .await?
        .message;
    let secret = ada
        .client()
        .send(&chat, Draft::text("Never said."))
        .await?
        .message;
    ada.client().edit(&chat, &typo, "Hello!", false).await?;
    ada.client().delete_for_everyone(&chat, &secret).await?;
    ada.client().react(&chat, &hello, "👋", true).await?;
    let now = ["Hello. 👋[\"Ada\"]", "Hello! [edited 1]", "(deleted)"];
    see(&[&ada], "Ben", &now).await;
    ada.client().start().await?;
    ada.settle().await;
    // What was deleted before it went out never goes out: there is nothing to say that there was something.
    see(&[&ben], "Ada", &["Hello. 👋[\"Ada\"]", "Hello! [edited 1]"]).await;
    ben.settle().await;
    let notices = ben.notices("Ada").await;
    assert!(
        !notices.iter().any(|line| line.contains("missing")),
        "{notices:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_pin_messages_for_all() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    ada.says("Desk", "Deadline: Friday.").await;
    ben.says("Desk", "Lunch?").await;
    see(
        &[&ada, &ben, &cleo],
        "Desk",
        &["Deadline: Friday.", "Lunch?"],
    )
    .await;
    let chat = ada.chat("Desk").await.id;
    let deadline = saying(&ada, "Desk", "Deadline: Friday.").await.id;
    let lunch = saying(&ada, "Desk", "Lunch?").await.id;
    let refused = ben.client().pin(&chat, &lunch, true).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    ada.client().pin(&chat, &lunch, true).await?;
    ada.client().pin(&chat, &deadline, true).await?;
    ada.client().pin(&chat, &lunch, false).await?;
    for person in [&ada, &ben, &cleo] {
        eventually("one is pinned", || async {
            let pinned = person.client().pinned(&chat).await.unwrap();
            pinned.len() == 1 && pinned[0].text == "Deadline: Friday." && pinned[0].pinned
        })
        .await;
        person.settle().await;
    }
    let line = "Ada pinned a message.".to_owned();
    assert!(cleo.notices("Desk").await.contains(&line));
    ada.client().delete_for_everyone(&chat, &deadline).await?;
    for person in [&ada, &ben, &cleo] {
        eventually("none is pinned", || async {
            person.client().pinned(&chat).await.unwrap().is_empty()
        })
        .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forwarded_does_not_say_who_said_it_first() -> Outcome {
    let server = FakeServer::new();
    let (ada, mut ben, cleo) = three(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let paper = folder.path().join("paper.txt");
    std::fs::write(&paper, b"the same words").unwrap();
    let with_cleo = cleo.chat("Ada").await.id;
    let sent = cleo
        .client()
        .send(&with_cleo, Draft::text("Look at this.").attach(&paper))
        .await?;
    ada.reads("Cleo", &["Cleo: Look at this."]).await;
    let to = ada.chat("Ben").await.id;
    let from = ada.chat("Cleo").await.id;
    ada.client().forward(&from, &sent.message, &to).await?;
    ben.reads("Ada", &["Ada: Look at this."]).await;
    let line = all(&ben, "Ada").await.remove(0);
    assert!(line.forwarded && line.sender_name == "Ada");
    assert_ne!(line.id, sent.message);
    let saved = folder.path().join("saved.txt");
    ben.client().save(&line.chat, &line.id, 0, &saved).await?;
    assert_eq!(std::fs::read(&saved).unwrap(), b"the same words");
    let cleo_id = ada.client().find_contact("Cleo").await?.id;
    let ada_id = ada.client().account().await?.account_id;
    ben.settle().await;
    ben.quit().await;
    // In Ben's chat with Ada nothing is Cleo's; he knows her from the group.
    assert!(!ben.finds_in("messages", &cleo_id.to_string()));
    assert!(ben.finds_in("messages", &ada_id.to_string()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_opened_once_is_gone_when_it_was() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("passport.txt");
    std::fs::write(&secret, b"number 123").unwrap();
    let chat = ada.chat("Ben").await.id;
    let draft = Draft {
        view_once: true,
        ..Draft::default().attach(&secret)
    };
    let sent = ada.client().send(&chat, draft).await?;
    eventually("it came", || async { all(&ben, "Ada").await.len() == 1 }).await;
    // Here it is gone as soon as it was sent.
    ada.settle().await;
    let own = all(&ada, "Ben").await.remove(0);
    assert!(own.view_once && own.opened && own.attachments.is_empty());
    let line = all(&ben, "Ada").await.remove(0);
    assert!(line.view_once && !line.opened && line.attachments.len() == 1);
    let refused = ben.client().forward(&chat, &sent.message, &chat).await;
    assert_eq!(refused.unwrap_err().code(), "message.gone");
    let saved = folder.path().join("saved.txt");
    ben.client().save(&chat, &sent.message, 0, &saved).await?;
    assert_eq!(std::fs::read(&saved).unwrap(), b"number 123");
    let line = all(&ben, "Ada").await.remove(0);
    assert!(line.opened && line.attachments.is_empty());
    let again = folder.path().join("again.txt");
    let refused = ben.client().save(&chat, &sent.message, 0, &again).await;
    assert_eq!(refused.unwrap_err().code(), "attachment.unknown");
    for person in [&mut ada, &mut ben] {
        person.settle().await;
        person.quit().await;
        assert_eq!(
            person.finds("passport"),
            Vec::<String>::new(),
            "{}",
            person.name
        );
        let left = std::fs::read_dir(person.home.join("attachments")).unwrap();
        assert_eq!(left.count(), 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_mentioned_in_markdown() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let chat = ada.chat("Desk").await.id;
    let members = ada.client().members(&chat).await?;
    let about = members.iter().find(|member| member.name == "Ben").unwrap();
    let text = format!("**Thanks** to [@Ben]({})!", about.uri);
    let draft = Draft {
        markdown: true,
        ..Draft::text(&text)
    };
    ada.client().send(&chat, draft).await?;
    ben.reads("Desk", &[&format!("Ada: {text}")]).await;
    let line = all(&ben, "Desk").await.remove(0);
    assert_eq!(line.mentions, [ben.client().account().await?.account_id]);
    let shown = undertone_core::rich_text::as_letters(&line.rich.expect("a tree"));
    assert_eq!(shown, "Thanks to @Ben!");
    Ok(())
}
