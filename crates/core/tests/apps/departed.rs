//! Somebody was taken out of a conversation: what they said before is read, however late it comes, and nothing that they say afterwards, also if
//! the server helps.

use crate::fake::{FakeServer, Person, are_done, at_rest, eventually, three};
use undertone_core::{ChatId, Draft};

type Outcome = Result<(), undertone_core::Error>;

/// Ada takes Cleo out; Ben has heard of it.
async fn cleo_is_removed(ada: &Person, ben: &Person) -> Result<ChatId, undertone_core::Error> {
    let desk = ada.chat("Desk").await.id;
    let cleo = ada.client().find_contact("Cleo").await?.id;
    ada.client().group_remove(&desk, &cleo).await?;
    for person in [ada, ben] {
        eventually("two are left", || async {
            person.chat("Desk").await.members == 2
        })
        .await;
    }
    Ok(desk)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_says_no_more_also_when_the_server_takes_what_is_old() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    // Cleo's app does not hear of it, and goes on where it was.
    server.hold(server.queue_numbered(2));
    let desk = cleo_is_removed(&ada, &ben).await?;
    server.take_what_is_old();
    let taken = server.messages();
    cleo.client()
        .enqueue(&desk, Draft::text("Still here."))
        .await?;
    eventually("the server has taken it", || async {
        server.messages() > taken
    })
    .await;
    ada.says("Desk", "Without Cleo.").await;
    for person in [&ada, &ben] {
        person.reads("Desk", &["Ada: Without Cleo."]).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_somebody_was_removed_is_read_however_late() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    server.keep_back_next_to(server.queue_numbered(1));
    cleo.says("Desk", "My last word.").await;
    ada.reads("Desk", &["Cleo: My last word."]).await;
    cleo_is_removed(&ada, &ben).await?;
    assert!(server.keeps_back() && ben.lines("Desk").await.is_empty());
    server.calm();
    ben.reads("Desk", &["Cleo: My last word."]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_tells_the_others_nothing_also_when_the_server_takes_what_is_old()
-> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let laptop = Person::links(&ada, "Laptop", &server).await;
    let tablet = Person::links(&ada, "Tablet", &server).await;
    let all = [&ada, &laptop, &tablet];
    for device in all {
        eventually("three devices know each other", || async {
            device.client().devices().await.unwrap().len() == 3
        })
        .await;
    }
    at_rest(&server, &all).await;
    let of_tablet = tablet.client().account().await?.device_id;
    let of_laptop = laptop.client().account().await?.device_id;
    server.hold(server.queue_numbered(server.registered() - 1));
    ada.client().remove_device(&of_tablet, None).await?;
    are_done(&[&ada, &laptop]).await;
    server.take_what_is_old();
    let taken = server.messages();
    // Whoever has the tablet says what devices there are.
    tablet.client().rename_device(&of_laptop, "Mine").await?;
    eventually("the server has taken it", || async {
        server.messages() > taken
    })
    .await;
    are_done(&[&ada, &laptop]).await;
    for device in [&ada, &laptop] {
        let devices = device.client().devices().await?;
        assert!(
            devices.iter().all(|device| device.name != "Mine"),
            "{devices:?}"
        );
    }
    Ok(())
}
