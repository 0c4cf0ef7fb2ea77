//! Changes and Welcomes that do not fit into an item go as a blob. Whoever gets one must end where all the others do, whatever becomes of
//! the upload, the app, or the blob. Here everything is too large for an item.

use crate::fake::{
    End, FakeServer, Person,
    cheat::{Cheat, pointer_to},
    eventually, meet, three,
};
use prost::Message as _;
use undertone_core::{ChatId, ChatState, LinkOptions};
use undertone_wire::{
    Code,
    client_proto::{Payload, payload},
    ids::{BlobId, Pin, random_bytes},
    origin::ServerAddress,
    padding,
};

type Outcome = Result<(), undertone_core::Error>;

/// No change here takes so many commits of the store.
const MANY: u64 = 60;

fn server() -> FakeServer {
    FakeServer::new().with_inline_max(0)
}

/// All are in the same epoch of the group of this name, and hear each other.
async fn agree(people: &[&Person], name: &str) {
    for person in people {
        eventually("the change is everywhere", || async {
            let chat = person.client().find_chat(name).await;
            chat.is_ok_and(|chat| chat.state == ChatState::Active)
        })
        .await;
    }
    for person in people {
        person
            .says(name, &format!("{} is here.", person.name))
            .await;
        let line = format!("{0}: {0} is here.", person.name);
        for other in people {
            eventually("all hear it", || async {
                other.lines(name).await.contains(&line)
            })
            .await;
        }
    }
    for person in people {
        person.settle().await;
    }
    let first = people[0].chat(name).await.epoch;
    for person in people {
        assert_eq!(person.chat(name).await.epoch, first, "{}", person.name);
    }
}

async fn desk(person: &Person) -> ChatId {
    person.chat("Desk").await.id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_too_large_for_the_server_is_given_up_and_the_group_goes_on() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    let group = desk(&ada).await;
    server.refuse_uploads(Some(Code::BlobTooLarge));
    let refused = ada.client().group_rename(&group, "Newsroom").await;
    assert_eq!(refused.unwrap_err().code(), "group.refused");
    let told = "The server did not take a change to this group.";
    assert!(ada.notices("Desk").await.iter().any(|line| line == told));
    server.refuse_uploads(None);
    agree(&[&ada, &ben, &cleo], "Desk").await;
    ada.client().group_rename(&group, "Newsroom").await?;
    agree(&[&ada, &ben, &cleo], "Newsroom").await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_lives_by_reference() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    agree(&[&ada, &ben, &cleo], "Desk").await;
    let dora = Person::new("Dora", &server).await;
    meet(&dora, &ada).await;
    let ids = [
        ada.client().find_contact("Dora").await?.id,
        ada.client().find_contact("Cleo").await?.id,
    ];
    let group = desk(&ada).await;
    ada.client().group_add(&group, &ids[..1]).await?;
    ada.client().group_remove(&group, &ids[1]).await?;
    ada.client().group_rename(&group, "Newsroom").await?;
    agree(&[&ada, &ben, &dora], "Newsroom").await;
    eventually("Cleo is out", || async {
        cleo.chat("Desk").await.state == ChatState::Removed
    })
    .await;
    let (refused, read) = server.blob_traffic();
    assert_eq!(refused, 0, "nothing is sent before its blob is there");
    assert!(read > 0 && server.blobs() > 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_is_finished_before_anything_is_sent() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    server.break_uploads(3);
    ada.client()
        .group_rename(&desk(&ada).await, "Newsroom")
        .await?;
    agree(&[&ada, &ben, &cleo], "Newsroom").await;
    assert_eq!(server.blob_traffic().0, 0);
    Ok(())
}

/// Whoever makes a change ends at each commit of the store in turn, while each upload breaks off once.
async fn the_maker_ends(end: End) -> Outcome {
    let server = server();
    let (mut ada, ben, cleo) = three(&server).await;
    let group = desk(&ada).await;
    for nth in 1..MANY {
        let name = format!("Desk {nth}");
        server.break_uploads(1);
        ada.ends_at(nth, end);
        ada.unless_it_ends(ada.client().group_rename(&group, &name))
            .await;
        let ended = ada.settles_or_comes_back().await;
        if end == End::BeforeCommit && nth == 1 {
            // It ended before anything was written down.
            ada.client().group_rename(&group, &name).await?;
        }
        for person in [&ada, &ben, &cleo] {
            eventually("the change is everywhere", || async {
                person.client().find_chat(&name).await.is_ok()
            })
            .await;
            person.settle().await;
        }
        let epoch = ada.client().chat(&group).await?.epoch;
        for person in [&ben, &cleo] {
            assert_eq!(person.chat(&name).await.epoch, epoch);
        }
        if !ended {
            println!("{end:?}: {} commits to make a change", nth - 1);
            server.break_uploads(0);
            agree(&[&ada, &ben, &cleo], &name).await;
            return Ok(());
        }
    }
    panic!("it never gets to the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_a_large_change_ends_before_any_commit() -> Outcome {
    the_maker_ends(End::BeforeCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_maker_of_a_large_change_ends_after_any_commit() -> Outcome {
    the_maker_ends(End::AfterCommit).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_end_too_soon_is_uploaded_anew() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    server.blobs_end_soon(2);
    ada.client()
        .group_rename(&desk(&ada).await, "Newsroom")
        .await?;
    agree(&[&ada, &ben, &cleo], "Newsroom").await;
    assert_eq!(server.blob_traffic().0, 2);
    // The change that adds and the Welcome that follows it.
    let dora = Person::new("Dora", &server).await;
    meet(&dora, &ada).await;
    ada.settle().await;
    dora.settle().await;
    server.blobs_end_soon(1);
    let id = ada.client().find_contact("Dora").await?.id;
    let group = ada.chat("Newsroom").await.id;
    ada.client().group_add(&group, &[id]).await?;
    eventually("the change went", || async { server.blob_traffic().0 == 3 }).await;
    server.blobs_end_soon(1);
    agree(&[&ada, &ben, &cleo, &dora], "Newsroom").await;
    Ok(())
}

/// The server loses the blob after it took the change; these of all have not fetched it yet.
async fn lost_to(late: &[usize], server: &FakeServer, all: &[&Person]) -> Outcome {
    let ada = all[0];
    for index in late {
        server.hold(server.queue_numbered(*index));
    }
    ada.client()
        .group_rename(&desk(ada).await, "Newsroom")
        .await?;
    for (index, person) in all.iter().enumerate() {
        if !late.contains(&index) {
            eventually("the change is here", || async {
                person.client().find_chat("Newsroom").await.is_ok()
            })
            .await;
        }
    }
    assert!(server.lose_blobs() > 0);
    server.let_go();
    agree(all, "Newsroom").await;
    assert!(ada.notices("Newsroom").await.iter().all(|line| {
        // Nobody took the change for nonsense.
        !line.contains("ignored")
    }));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_lost_before_anybody_fetched_it_leaves_all_in_one_epoch() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    lost_to(&[1, 2], &server, &[&ada, &ben, &cleo]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_lost_before_some_fetched_it_leaves_all_in_one_epoch() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    lost_to(&[2], &server, &[&ada, &ben, &cleo]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refers_to_another_blob_than_was_named_is_nothing_to_all() -> Outcome {
    let server = server();
    let (ada, ben, cleo) = three(&server).await;
    server.misname_next_commit();
    let before = server.blob_traffic().1;
    ada.client()
        .group_rename(&desk(&ada).await, "Newsroom")
        .await?;
    agree(&[&ada, &ben, &cleo], "Newsroom").await;
    assert!(server.blob_traffic().1 > before, "the second copy was read");
    for person in [&ada, &ben, &cleo] {
        let lines = person.notices("Newsroom").await;
        assert!(
            lines.iter().any(|line| line.ends_with("it was ignored.")),
            "{} passed the first copy over: {lines:?}",
            person.name
        );
    }
    Ok(())
}

fn evil() -> ServerAddress {
    ServerAddress {
        origin: "evil.example:7443".parse().unwrap(),
        pin: Pin::random(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_a_link_leads_nobody_to_another_server() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    ada.client().create_link(LinkOptions::default()).await?;
    meet(&ben, &ada).await;
    let blob = BlobId::random();
    let pointer = pointer_to(&evil(), blob.as_bytes(), &random_bytes::<32>(), b"Welcome");
    let plain = Payload {
        body: Some(payload::Body::Blob(pointer)),
    };
    let read = server.blob_traffic().1;
    let payload = padding::pad_payload(&plain.encode_to_vec(), 0).unwrap();
    server.refer_everybody(payload.into(), &blob);
    eventually("it is looked for at home, and given up", || async {
        let left = ada.client().what_is_left_for_tests().await.unwrap();
        server.blob_traffic().1 > read && !left.iter().any(|kind| kind == "fetch")
    })
    .await;
    assert_eq!(server.sought_elsewhere(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_fetched_where_the_conversation_is_whatever_else_it_names() -> Outcome {
    let server = server();
    let (mut ada, ben, cleo) = three(&server).await;
    let group = desk(&ada).await;
    server.hold_pieces_after(0);
    let blobs = server.blobs();
    tokio::select! {
        _ = ada.client().group_rename(&group, "Newsroom") => panic!("the upload waits"),
        () = eventually("it is to be uploaded", || async { server.blobs() > blobs }) => {}
    }
    ada.quit().await;
    Cheat::of(&ada, "Desk").sends_elsewhere(&evil());
    server.let_pieces_go();
    ada.reopen().await;
    for person in [&ben, &cleo] {
        eventually("the change is everywhere", || async {
            person.client().find_chat("Newsroom").await.is_ok()
        })
        .await;
    }
    assert_eq!(server.sought_elsewhere(), 0);
    agree(&[&ada, &ben, &cleo], "Newsroom").await;
    Ok(())
}
