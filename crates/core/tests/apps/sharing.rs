//! People pass on whom they know, and where they are, as messages.

use crate::fake::{FakeServer, Person, eventually, three};
use undertone_core::{ContactId, Draft, LinkOptions, Location, MessageInfo, SharedContact};

type Outcome = Result<(), undertone_core::Error>;

async fn lines(person: &Person, chat: &str) -> Vec<MessageInfo> {
    let chat = person.chat(chat).await;
    let lines = person.client().messages(&chat.id, Default::default()).await;
    let lines = lines.unwrap().into_iter();
    lines.filter(|line| line.sender.is_some()).collect()
}

/// The last message of a chat once there are so many.
async fn last(person: &Person, chat: &str, count: usize) -> MessageInfo {
    eventually(&format!("{} has {count} messages", person.name), || async {
        lines(person, chat).await.len() == count
    })
    .await;
    lines(person, chat).await.pop().unwrap()
}

fn card(of: &ContactId, link: Option<String>) -> Draft {
    Draft {
        contact: Some(SharedContact {
            contact: of.clone(),
            link,
        }),
        ..Draft::default()
    }
}

async fn id_of(person: &Person) -> ContactId {
    person.client().account().await.unwrap().account_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_tells_name_and_account_and_nothing_to_reach_them_by() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let cleos = id_of(&cleo).await;
    let chat = ada.chat("Ben").await.id;
    ada.client().send(&chat, card(&cleos, None)).await?;
    let line = last(&ben, "Ada", 1).await;
    let shown = line.card.clone().expect("a card");
    assert_eq!(
        (shown.account.clone(), shown.name.as_str()),
        (cleos.clone(), "Cleo")
    );
    assert_eq!(
        (shown.known_as, shown.is_me, shown.link),
        (None, false, None)
    );
    assert_eq!(line.text, "Cleo", "it is found and quoted by the name");
    // She is no contact of his by that, and he can't pass on whom he only knows of.
    assert!(
        ben.client()
            .contacts()
            .await?
            .iter()
            .all(|one| one.id != cleos)
    );
    let to_ada = ben.chat("Ada").await.id;
    let refused = ben.client().send(&to_ada, card(&cleos, None)).await;
    assert_eq!(refused.unwrap_err().code(), "contact.unknown");

    // To her it is her own card; in the group everybody sees it as it is for them.
    let desk = ada.chat("Desk").await.id;
    ada.client().send(&desk, card(&cleos, None)).await?;
    assert!(last(&cleo, "Desk", 1).await.card.unwrap().is_me);
    assert_eq!(
        last(&ada, "Desk", 1)
            .await
            .card
            .unwrap()
            .known_as
            .as_deref(),
        Some("Cleo")
    );

    // It is what it is until it is deleted.
    let own = last(&ada, "Ben", 1).await;
    let refused = ada.client().edit(&chat, &own.id, "Dora", false).await;
    assert_eq!(refused.unwrap_err().code(), "message.not_text");
    ada.client().delete_for_everyone(&chat, &own.id).await?;
    eventually("the card is gone", || async {
        let line = last(&ben, "Ada", 1).await;
        line.deleted && line.card.is_none() && line.text.is_empty()
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_on_a_card_adds_the_person_on_the_card() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let cleos = id_of(&cleo).await;
    let chat = ada.chat("Ben").await.id;

    // A link of somebody else never goes with a name.
    let own = ada.client().create_link(LinkOptions::default()).await?;
    let refused = ada.client().send(&chat, card(&cleos, Some(own.uri))).await;
    assert_eq!(refused.unwrap_err().code(), "message.card_other_link");
    let refused = ada
        .client()
        .send(&chat, card(&cleos, Some("undertone:c:x".to_owned())))
        .await;
    assert!(refused.is_err());
    assert!(lines(&ada, "Ben").await.is_empty(), "nothing went out");

    let link = cleo.client().create_link(LinkOptions::default()).await?.uri;
    ada.client()
        .send(&chat, card(&cleos, Some(format!(" {link}\n"))))
        .await?;
    let line = last(&ben, "Ada", 1).await;
    let shown = line.card.expect("a card");
    assert_eq!(shown.link.as_deref(), Some(link.as_str()));

    // Passed on again, the card stays and the link does not.
    let desk = ben.chat("Desk").await.id;
    let from = ben.chat("Ada").await.id;
    ben.client().forward(&from, &line.id, &desk).await?;
    let passed_on = last(&ada, "Desk", 1).await;
    assert!(passed_on.forwarded);
    assert_eq!(passed_on.card.unwrap().account, cleos);
    assert!(!cleo.client().links().await?.is_empty());
    ada.settle().await;
    assert_eq!(last(&cleo, "Desk", 1).await.card.unwrap().link, None);

    ben.client().add_contact(&link).await?;
    eventually("Ben and Cleo know each other", || async {
        let known = ben.client().contacts().await.unwrap();
        known.iter().any(|one| one.id == cleos)
    })
    .await;
    let shown = last(&ben, "Ada", 1).await.card.expect("a card");
    assert_eq!(
        (shown.known_as.as_deref(), shown.link),
        (Some("Cleo"), None)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_text_that_the_other_side_understands() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let chat = ada.chat("Ben").await.id;
    let here = Location {
        latitude: 52.3702,
        longitude: -4.8952,
        accuracy_m: Some(30.0),
    };
    let draft = |location| Draft {
        location: Some(location),
        ..Draft::default()
    };
    ada.client().send(&chat, draft(here)).await?;
    let line = last(&ben, "Ada", 1).await;
    assert_eq!(line.location, Some(here));
    assert_eq!(line.text, "geo:52.3702,-4.8952;u=30");
    assert!(line.attachments.is_empty(), "there is nothing to fetch");

    let nowhere = Location {
        latitude: 91.0,
        ..here
    };
    let refused = ada.client().send(&chat, draft(nowhere)).await;
    assert_eq!(refused.unwrap_err().code(), "message.location_invalid");
    let mixed = Draft {
        text: Some("Meet me here.".to_owned()),
        ..draft(here)
    };
    let refused = ada.client().send(&chat, mixed).await;
    assert_eq!(refused.unwrap_err().code(), "message.mixed");
    // What only mentions a place is text.
    ada.says("Ben", "I am at geo:52.3702,-4.8952").await;
    assert_eq!(last(&ben, "Ada", 2).await.location, None);
    Ok(())
}
