//! What people do to messages: they edit, delete, react and take it back, together, off-line and out of order.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod fake;

use fake::{FakeServer, Person, eventually, meet, three};
use undertone_core::{Draft, MessageInfo, MessageKind, Page};

type Outcome = Result<(), undertone_core::Error>;

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
    let (ada, ben, cleo) = three(&server).await;
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
    for nonsense in ["", "   ", "line\nbreak", &"x".repeat(65)] {
        let refused = ben.client().react(&chat, &id, nonsense, true).await;
        assert_eq!(refused.unwrap_err().code(), "message.reaction_invalid");
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
    assert_eq!(ben.finds("eggs"), Vec::<String>::new());
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
