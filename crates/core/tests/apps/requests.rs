//! People whom the owner does not know: what they write waits, and they are told nothing until they are accepted.

use std::time::Duration;

use crate::fake::{FakeServer, Person, at_rest, eventually};
use undertone_core::{
    ContactChange, ContactState, Delivery, Draft, DraftAttachment, Event, LinkOptions, Page,
    RequestInfo, Search,
};

type Outcome = Result<(), undertone_core::Error>;

/// Ada gives a link to the world; Mallory comes by it.
async fn a_stranger_comes(server: &FakeServer) -> (Person, Person, String) {
    let ada = Person::new("Ada", server).await;
    let mallory = Person::new("Mallory", server).await;
    let options = LinkOptions {
        uses: 10,
        ..LinkOptions::default()
    };
    let link = ada.client().create_link(options).await.unwrap();
    assert!(link.ask, "more than one may use it");
    mallory.client().add_contact(&link.uri).await.unwrap();
    eventually("the request is there", || async {
        !ada.client().requests().await.unwrap().is_empty()
    })
    .await;
    (ada, mallory, link.uri)
}

async fn request(ada: &Person) -> RequestInfo {
    let mut all = ada.client().requests().await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

async fn texts(person: &Person, request: &RequestInfo) -> Vec<String> {
    let lines = person
        .client()
        .messages(&request.chat.id, Page::default())
        .await;
    let lines = lines.unwrap().into_iter();
    lines.map(|line| line.text).collect()
}

fn photo(folder: &std::path::Path) -> DraftAttachment {
    let path = folder.join("photo.png");
    let picture = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 7]));
    picture.save(&path).unwrap();
    DraftAttachment {
        path,
        name: None,
        keep_metadata: false,
        film: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_waits_and_learns_nothing_until_accepted() -> Outcome {
    let server = FakeServer::new();
    let (ada, mallory, _) = a_stranger_comes(&server).await;
    let mut events = ada.client().events();
    let folder = tempfile::tempdir().unwrap();
    let draft = Draft {
        text: Some("Look at this.".to_owned()),
        attachments: vec![photo(folder.path())],
        ..Draft::default()
    };
    let chat = mallory.chat("Ada").await.id;
    mallory.client().send(&chat, draft).await?;
    let waiting = request(&ada).await;
    eventually("it came", || async {
        texts(&ada, &waiting).await.len() == 1
    })
    .await;

    // It stands with the requests only, and is no contact.
    assert_eq!(waiting.person.name, "Mallory");
    assert_eq!(waiting.person.state, ContactState::Request);
    assert!(ada.client().contacts().await?.is_empty());
    let chats = ada.client().chats().await?;
    assert!(chats.iter().all(|chat| chat.name != "Mallory"));
    let everywhere = Search {
        text: "Look".to_owned(),
        ..Search::default()
    };
    assert!(ada.client().search(everywhere.clone()).await?.is_empty());
    let told = async {
        loop {
            match events.next().await {
                Some(Event::Message { .. } | Event::ContactAdded { .. }) => panic!("as a message"),
                Some(Event::Requested { chat }) => return chat,
                _ => {}
            }
        }
    };
    let told = tokio::time::timeout(crate::fake::LIMIT, told)
        .await
        .unwrap();
    assert_eq!(told, waiting.chat.id);

    // Nothing of its picture is shown or fetched, and nothing goes back.
    let lines = ada.client().messages(&waiting.chat.id, Page::default());
    let lines = lines.await?;
    let line = &lines[0];
    assert_eq!(
        (line.attachments.len(), &line.attachments[0].preview),
        (1, &None)
    );
    let to = folder.path().join("out.png");
    let refused = ada.client().save(&waiting.chat.id, &line.id, 0, &to).await;
    assert_eq!(refused.unwrap_err().code(), "request.open");
    assert_eq!(server.blob_traffic().1, 0, "not a byte was read");
    for refused in [
        ada.client()
            .send(&waiting.chat.id, Draft::text("Who are you?"))
            .await
            .map(|_| ()),
        ada.client()
            .react(&waiting.chat.id, &line.id, "👍", true)
            .await,
        ada.client()
            .set_timer(&waiting.chat.id, 60)
            .await
            .map(|_| ()),
    ] {
        assert_eq!(refused.unwrap_err().code(), "request.open");
    }
    ada.client().typing(&waiting.chat.id).await?;
    ada.client()
        .mark_read(&waiting.chat.id, line.local_id)
        .await?;
    ada.settle().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    mallory.settle().await;
    let sent = mallory.client().messages(&chat, Page::default()).await?;
    assert_eq!((sent[0].delivered_to, sent[0].read_by), (0, 0));
    assert_eq!(server.ephemerals(), 0);

    // Accepted: an ordinary contact, with what was written.
    ada.client().accept_request(&waiting.person.id).await?;
    assert!(ada.client().requests().await?.is_empty());
    let contact = ada.client().find_contact("Mallory").await?;
    assert_eq!(
        (contact.state, contact.verified),
        (ContactState::Ready, false)
    );
    ada.client()
        .save(&waiting.chat.id, &line.id, 0, &to)
        .await?;
    assert_eq!(ada.client().search(everywhere).await?.len(), 1);
    ada.says("Mallory", "Hello.").await;
    mallory
        .reads("Ada", &["Mallory: Look at this.", "Ada: Hello."])
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_adds_nobody_to_a_group_and_fills_no_disk() -> Outcome {
    let server = FakeServer::new();
    let (ada, mallory, _) = a_stranger_comes(&server).await;
    let chat = mallory.chat("Ada").await.id;
    let of_ada = mallory.client().find_contact("Ada").await?.id;
    mallory.client().create_group("Trap", &[of_ada]).await?;
    for number in 0..60 {
        let draft = Draft::text(format!("{number}"));
        mallory.client().enqueue(&chat, draft).await?;
    }
    mallory.settle().await;
    let waiting = request(&ada).await;
    eventually("all have come", || async {
        texts(&ada, &waiting).await.len() == 50 && {
            ada.settle().await;
            true
        }
    })
    .await;
    let all = Page {
        limit: 200,
        before: None,
    };
    let lines = ada.client().messages(&waiting.chat.id, all).await?;
    assert_eq!(lines.len(), 51);
    assert_eq!(lines[50].text, "They wrote more, which was not kept.");
    assert!(ada.client().find_chat("Trap").await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_gone_and_who_is_blocked_does_not_come_again() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mallory, uri) = a_stranger_comes(&server).await;
    let chat = mallory.chat("Ada").await.id;
    let draft = Draft::text("Buy Wilhelminium now.");
    assert_eq!(
        mallory.client().send(&chat, draft).await?.state,
        Delivery::Accepted
    );
    let waiting = request(&ada).await;
    eventually("it came", || async {
        texts(&ada, &waiting).await.len() == 1
    })
    .await;

    // A record stays, here only: nobody is asked for anything, and nothing waits to be told.
    at_rest(&server, &[&ada, &mallory]).await;
    let asked = server.requests();
    let report = ada
        .client()
        .report(&waiting.person.id, "Advertising.")
        .await?;
    assert_eq!(ada.client().reports().await?.len(), 1);
    let left = ada.client().what_is_left_for_tests().await?;
    assert_eq!(left, Vec::<String>::new());
    at_rest(&server, &[&ada, &mallory]).await;
    assert_eq!(server.requests(), asked);
    ada.client()
        .refuse_request(&waiting.person.id, true)
        .await?;
    assert!(ada.client().requests().await?.is_empty());
    let blocked = ada.client().blocked().await?;
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0].id, waiting.person.id);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("report.json");
    ada.client().export_report(&report.id, &to).await?;
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&to).unwrap()).unwrap();
    assert_eq!(written["note"], "Advertising.");
    assert_eq!(written["account_id"], waiting.person.id.as_str());
    assert_eq!(written["messages"][0]["text"], "Buy Wilhelminium now.");
    let again = ada.client().export_report(&report.id, &to).await;
    assert_eq!(again.unwrap_err().code(), "attachment.exists");
    ada.client().delete_report(&report.id).await?;
    assert!(ada.client().reports().await?.is_empty());

    // The same person with the same link: another home would be needed, so the store is told to forget Ada on Mallory's side.
    ada.settle().await;
    ada.quit().await;
    assert_eq!(ada.finds("Wilhelminium"), Vec::<String>::new());
    for table in ["contacts", "messages", "actions"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(ada.looks_up(&sql), 0, "{table}");
    }
    ada.reopen().await;
    let mut mallory = mallory;
    mallory.quit().await;
    mallory.tamper("DELETE FROM contacts; UPDATE conversations SET state = 4 WHERE kind = 1;");
    mallory.reopen().await;
    mallory.client().add_contact(&uri).await?;
    mallory.settle().await;
    ada.settle().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    ada.settle().await;
    assert!(ada.client().requests().await?.is_empty());
    let forgive = ContactChange {
        blocked: Some(false),
        ..ContactChange::default()
    };
    ada.client()
        .set_contact(&waiting.person.id, forgive)
        .await?;
    assert!(ada.client().blocked().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_one_person_asks_nothing_unless_told_to() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    crate::fake::meet(&ben, &ada).await;
    assert!(ada.client().requests().await?.is_empty());
    let options = LinkOptions {
        ask: Some(true),
        ..LinkOptions::default()
    };
    let link = ada.client().create_link(options).await?;
    let cleo = Person::new("Cleo", &server).await;
    cleo.client().add_contact(&link.uri).await?;
    eventually("Cleo waits", || async {
        ada.client().find_request("Cleo").await.is_ok()
    })
    .await;
    let found = ada.chat("Cleo").await;
    assert_eq!(found.id, ada.client().find_request("Cleo").await?.chat.id);
    Ok(())
}
