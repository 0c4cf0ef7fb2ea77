//! Two people and a group, over a server in memory: what a user does, in the order a user does it.

use crate::fake::{FakeServer, Person, at_rest, eventually, meet};
use undertone_core::{ChatState, Delivery, Draft, LinkOptions, MessageState, Role};
use undertone_wire::Code;

type Outcome = Result<(), undertone_core::Error>;

#[tokio::test(flavor = "multi_thread")]
async fn ada_and_ben_meet_by_a_link_and_write_both_ways() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;

    ben.says("Ada", "Hello, Ada.").await;
    ada.reads("Ben", &["Ben: Hello, Ada."]).await;
    ada.says("Ben", "Hello, Ben.").await;
    ben.reads("Ada", &["Ben: Hello, Ada.", "Ada: Hello, Ben."])
        .await;
    ada.reads("Ben", &["Ben: Hello, Ada.", "Ada: Hello, Ben."])
        .await;

    let (of_ada, of_ben) = (
        ada.client().find_contact("Ben").await?,
        ben.client().find_contact("Ada").await?,
    );
    assert!(!of_ada.verified && !of_ben.verified);
    let numbers = (
        ada.client().safety_number(&of_ada.id).await?,
        ben.client().safety_number(&of_ben.id).await?,
    );
    assert_eq!(numbers.0.digits, numbers.1.digits);
    assert!(
        ada.client()
            .check_safety_code(&of_ada.id, &numbers.1.qr)
            .await?
    );
    assert!(ada.client().find_contact("Ben").await?.verified);
    assert!(
        !ada.client()
            .check_safety_code(&of_ada.id, b"something else")
            .await?
    );

    ada.settle().await;
    let page = undertone_core::Page::default();
    let lines = ada
        .client()
        .messages(&ada.chat("Ben").await.id, page)
        .await?;
    assert!(lines.iter().all(|line| line.order.is_some()));
    assert_eq!(lines[1].state, MessageState::Sent);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_serves_one_person_once() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
        Person::new("Cleo", &server).await,
    );
    let link = ada.client().create_link(LinkOptions::default()).await?;
    assert!(link.uri.starts_with("undertone:c:"));
    assert_eq!(
        ada.client()
            .add_contact(&link.uri)
            .await
            .unwrap_err()
            .code(),
        "link.own"
    );
    ben.client().add_contact(&link.uri).await?;
    eventually("the link is used", || async {
        ada.client()
            .links()
            .await
            .is_ok_and(|links| links[0].state == undertone_core::LinkLife::Used)
    })
    .await;
    ada.settle().await;
    let refused = cleo.client().add_contact(&link.uri).await.unwrap_err();
    assert_eq!(refused.code(), "link.used");
    assert_eq!(
        ben.client()
            .add_contact(&link.uri)
            .await
            .unwrap_err()
            .code(),
        "contact.already"
    );

    let withdrawn = ada.client().create_link(LinkOptions::default()).await?;
    ada.client().revoke_link(&withdrawn.id).await?;
    ada.settle().await;
    assert_eq!(
        cleo.client()
            .add_contact(&withdrawn.uri)
            .await
            .unwrap_err()
            .code(),
        "link.used"
    );
    let damaged = withdrawn.uri.replace("undertone:c:", "undertone:c:A");
    assert!(cleo.client().add_contact(&damaged).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_off_line_goes_out_later_and_is_read_once() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, mut ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    ben.settle().await;
    ada.settle().await;

    ben.quit().await;
    ada.says("Ben", "While you were out.").await;
    ada.open().await;
    let chat = ada.chat("Ben").await;
    let sent = ada
        .client()
        .send(&chat.id, Draft::text("From my desk."))
        .await?;
    assert_eq!(sent.state, Delivery::Queued);
    ada.client().start().await?;
    ada.settle().await;

    server.deliver_times(3);
    ada.says("Ben", "Three times over.").await;
    server.deliver_times(1);
    ben.reopen().await;
    ben.reads(
        "Ada",
        &[
            "Ada: While you were out.",
            "Ada: From my desk.",
            "Ada: Three times over.",
        ],
    )
    .await;
    ben.settle().await;
    ben.reopen().await;
    ben.settle().await;
    ben.reads(
        "Ada",
        &[
            "Ada: While you were out.",
            "Ada: From my desk.",
            "Ada: Three times over.",
        ],
    )
    .await;
    ada.settle().await;
    assert_eq!(server.items(), 0, "everything was acknowledged");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_three_comes_and_goes() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
        Person::new("Cleo", &server).await,
    );
    meet(&ben, &ada).await;
    meet(&cleo, &ada).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    let ids = [
        ada.client().find_contact("Ben").await?.id,
        ada.client().find_contact("Cleo").await?.id,
    ];
    let group = ada.client().create_group("Desk", &ids).await?;
    assert_eq!(group.state, Delivery::Accepted);
    ada.says("Desk", "Welcome.").await;
    ben.reads("Desk", &["Ada: Welcome."]).await;
    cleo.reads("Desk", &["Ada: Welcome."]).await;
    ben.says("Desk", "Thank you.").await;
    cleo.reads("Desk", &["Ada: Welcome.", "Ben: Thank you."])
        .await;

    // Ben is no admin.
    let ben_desk = ben.chat("Desk").await;
    let cleo_id = cleo.client().account().await?.account_id;
    let refused = ben
        .client()
        .group_remove(&ben_desk.id, &cleo_id)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "group.forbidden");
    let ben_id = ben.client().account().await?.account_id;
    ada.client()
        .group_role(&group.chat, &ben_id, Role::Admin)
        .await?;
    eventually("Ben is an admin", || async {
        ben.chat("Desk").await.my_role == Role::Admin
    })
    .await;
    ben.client().group_rename(&ben_desk.id, "News desk").await?;
    eventually("the name is known", || async {
        cleo.client().find_chat("News desk").await.is_ok()
    })
    .await;
    ben.client().group_remove(&ben_desk.id, &cleo_id).await?;
    eventually("Cleo is out", || async {
        cleo.chat("News desk").await.state == ChatState::Removed
    })
    .await;
    let desk = cleo.chat("News desk").await;
    assert_eq!(
        cleo.client()
            .send(&desk.id, Draft::text("Hello?"))
            .await
            .unwrap_err()
            .code(),
        "chat.closed"
    );
    ada.says("News desk", "Between us.").await;
    ben.reads(
        "News desk",
        &["Ada: Welcome.", "Ben: Thank you.", "Ada: Between us."],
    )
    .await;
    assert_eq!(cleo.lines("News desk").await.len(), 2);

    ben.client().group_leave(&ben_desk.id, None).await?;
    eventually("Ben has left", || async {
        ben.chat("News desk").await.state == ChatState::Left
    })
    .await;
    eventually("Ada is told", || async {
        ada.notices("News desk")
            .await
            .iter()
            .any(|line| line == "Ben left.")
    })
    .await;
    assert_eq!(ada.chat("News desk").await.members, 1);
    // Cleo comes back.
    ada.client().group_add(&group.chat, &[cleo_id]).await?;
    eventually("Cleo is in again", || async {
        cleo.chat("News desk").await.state == ChatState::Active
    })
    .await;
    ada.says("News desk", "Again.").await;
    cleo.reads(
        "News desk",
        &["Ada: Welcome.", "Ben: Thank you.", "Ada: Again."],
    )
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_server_will_never_take_is_given_up_and_it_is_said_why() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.bin");
    std::fs::write(&file, b"a little").unwrap();
    let chat = ben.chat("Ada").await.id;
    // What says nothing of the file is only a reason to wait.
    for (text, code) in [
        ("One.", Code::BlobTooLarge),
        ("Two.", Code::ResponseMalformed),
    ] {
        server.refuse_uploads(Some(code));
        let draft = Draft::text(text).attach(&file);
        ben.client().enqueue(&chat, draft).await?;
        eventually("it is given up", || async {
            let notices = ben.notices("Ada").await;
            notices.iter().any(|line| line.contains(code.sentence()))
        })
        .await;
    }
    server.refuse_uploads(Some(Code::StoreFull));
    let draft = Draft::text("Three.").attach(&file);
    ben.client().enqueue(&chat, draft).await?;
    ben.says("Ada", "Without a file.").await;
    server.refuse_uploads(None);
    ada.reads("Ben", &["Ben: Without a file.", "Ben: Three."])
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_with_a_text_and_is_saved_whole() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.bin");
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n * 31 % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let chat = ben.chat("Ada").await;
    let sent = ben
        .client()
        .send(&chat.id, Draft::text("As agreed.").attach(&file))
        .await?;
    assert_eq!(sent.state, Delivery::Accepted);
    ada.reads("Ben", &["Ben: As agreed."]).await;
    let page = undertone_core::Page::default();
    let chat = ada.chat("Ben").await;
    let lines = ada.client().messages(&chat.id, page).await?;
    assert_eq!(lines[0].attachments[0].name, "notes.bin");
    assert_eq!(lines[0].attachments[0].size, 300_000);
    let target = folder.path().join("received.bin");
    let saved = ada
        .client()
        .save(&chat.id, &lines[0].id, 0, &target)
        .await?;
    assert_eq!(saved.bytes, 300_000);
    assert_eq!(std::fs::read(&target).unwrap(), bytes);
    assert!(
        ada.client()
            .save(&chat.id, &lines[0].id, 0, &target)
            .await
            .is_err(),
        "nothing is overwritten"
    );
    assert_eq!(
        ada.client()
            .save(&chat.id, &lines[0].id, 1, &target)
            .await
            .unwrap_err()
            .code(),
        "attachment.unknown"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_to_self_are_a_chat_of_one() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    ada.says("notes", "Call Ben.").await;
    ada.settle().await;
    ada.reads("notes", &["Ada: Call Ben."]).await;
    Ok(())
}
