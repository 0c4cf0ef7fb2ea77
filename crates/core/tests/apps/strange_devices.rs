//! Devices that say that they are an account's own, and are not, or not any more: certified with the key that every device of the account has,
//! by somebody who had one of them in their hands.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::fake::{
    FakeServer, Person, are_done, at_rest, eventually,
    forger::{Lie, Loot, answer_first, copy_of, put_back},
    meet, three,
};
use undertone_core::{ChatState, DeviceInfo, DeviceState, Draft};
use undertone_mls::ChannelId;

type Outcome = Result<(), undertone_core::Error>;

async fn is_in(person: &Person, chat: &str) -> bool {
    let found = person.client().find_chat(chat).await;
    found.is_ok_and(|chat| chat.state == ChatState::Active)
}

async fn is_told(person: &Person, chat: &str, part: &str) {
    eventually(part, || async {
        let notices = person.notices(chat).await;
        notices.iter().any(|notice| notice.contains(part))
    })
    .await;
}

async fn laptop_of(person: &Person, chat: &str, server: &FakeServer) -> Person {
    let laptop = Person::links(person, "Laptop", server).await;
    eventually("two devices are in the chat", || async {
        let devices = laptop.client().devices().await.unwrap();
        devices.len() == 2 && is_in(&laptop, chat).await
    })
    .await;
    at_rest(server, &[person, &laptop]).await;
    laptop
}

async fn removes_the_laptop(person: &Person, phrase: Option<&str>) -> Outcome {
    let devices = person.client().devices().await?;
    let laptop = devices.iter().find(|device| device.name == "Laptop");
    let id = &laptop.unwrap().id;
    person.client().remove_device(id, phrase).await?;
    person.settle().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_nobody_linked_brings_nobody_into_another_chat_with_the_same_person()
-> Outcome {
    let server = FakeServer::new();
    let (ada, phrase) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    let mut laptop = laptop_of(&ada, "Ben", &server).await;
    ada.says("Ben", "First.").await;
    ben.reads("Ada", &["Ada: First."]).await;
    at_rest(&server, &[&ada, &ben, &laptop]).await;
    // Whoever has the laptop takes a key package of Ada's phone, before she removes it.
    laptop.quit().await;
    let loot = Loot::of(&laptop, &server);
    removes_the_laptop(&ada, Some(&phrase)).await?;
    are_done(&[&ada, &ben]).await;
    let chat = ada.chat("Ben").await.id;

    loot.leads_astray(&server);
    are_done(&[&ada, &ben]).await;
    ada.says("Ben", "For Ben alone.").await;
    ben.reads("Ada", &["Ada: First.", "Ada: For Ben alone."])
        .await;
    assert_eq!(ada.chat("Ben").await.id, chat);
    Ok(())
}

/// Ben's phone was put back to a day before he removed his laptop, whose keys somebody has. Nobody else's app answers yet.
async fn ben_has_missed_that_he_removed_his_laptop(
    server: &FakeServer,
) -> Result<(Person, Person, Person, Person), undertone_core::Error> {
    let (ada, mut ben, cleo) = three(server).await;
    let mut laptop = laptop_of(&ben, "Desk", server).await;
    at_rest(server, &[&ada, &ben, &cleo, &laptop]).await;
    let copy = copy_of(&mut ben).await;
    laptop.quit().await;
    removes_the_laptop(&ben, None).await?;
    is_told(&ada, "Desk", "Ben removed one of their devices.").await;
    are_done(&[&ada, &ben, &cleo]).await;
    put_back(&mut ben, &copy).await;
    server.hold(server.queue_numbered(0));
    server.hold(server.queue_numbered(2));
    ben.open().await;
    let desk = ben.chat("Desk").await.id;
    let draft = Draft::text("For Ada's eyes.");
    ben.client().enqueue(&desk, draft).await?;
    ben.client().start().await?;
    Ok((ada, ben, cleo, laptop))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_ones_own_that_was_removed_lets_nobody_in() -> Outcome {
    for channel in [None, Some(ChannelId::random())] {
        let server = FakeServer::new();
        let (ada, ben, _cleo, laptop) = ben_has_missed_that_he_removed_his_laptop(&server).await?;
        let lie = Lie {
            channel,
            ..Lie::default()
        };
        answer_first(&server, &laptop, lie).await;
        if let Some(channel) = channel {
            is_told(&ben, "Desk", "Nothing is sent until another member").await;
            assert!(!server.has_channel(&channel));
        } else {
            is_told(&ben, "Desk", "offered to let this device in again").await;
        }
        assert_eq!(ben.chat("Desk").await.state, ChatState::Resyncing);
        server.let_go();
        ada.reads("Desk", &["Ben: For Ada's eyes."]).await;
        eventually("Ben is back", || is_in(&ben, "Desk")).await;
        assert!(!channel.is_some_and(|channel| server.has_channel(&channel)));
    }
    Ok(())
}

/// A device that Ada's laptop linked, and of which her phone has never heard.
async fn hidden_device(ada: &mut Person, laptop: &mut Person, server: &FakeServer) -> Person {
    let hidden = Person::links(laptop, "Hidden", server).await;
    eventually("it is in", || is_in(&hidden, "Ben")).await;
    at_rest(server, &[ada, laptop, &hidden]).await;
    laptop.quit().await;
    ada.quit().await;
    ada.tamper(
        "DELETE FROM devices WHERE name = 'Hidden';
         DELETE FROM shared WHERE instr(value, CAST('Hidden' AS BLOB)) > 0;",
    );
    ada.reopen().await;
    hidden
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_nobody_told_of_is_shown_goes_with_the_next_one_and_hears_no_new_key()
-> Outcome {
    let server = FakeServer::new();
    let (mut ada, phrase) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    let mut laptop = laptop_of(&ada, "Ben", &server).await;
    at_rest(&server, &[&ada, &ben, &laptop]).await;
    let hidden = hidden_device(&mut ada, &mut laptop, &server).await;
    eventually("the phone shows it", || async {
        let devices = ada.client().devices().await.unwrap();
        let strange = |device: &&DeviceInfo| device.state == DeviceState::Unknown;
        devices.iter().filter(strange).count() == 1
    })
    .await;

    removes_the_laptop(&ada, Some(&phrase)).await?;
    eventually("it is out", || async {
        hidden.client().is_removed().await.unwrap()
    })
    .await;
    assert_eq!(ada.client().device_key_generation().await?, 2);
    assert_eq!(hidden.client().device_key_generation().await?, 1);
    are_done(&[&ada, &ben]).await;
    let devices = ada.client().devices().await?;
    let in_use = devices
        .iter()
        .filter(|device| device.state == DeviceState::InUse);
    assert_eq!((devices.len(), in_use.count()), (3, 1));
    let members = ben.client().members(&ben.chat("Ada").await.id).await?;
    assert_eq!(members.len(), 2);
    ada.says("Ben", "Without them.").await;
    ben.reads("Ada", &["Ada: Without them."]).await;
    assert!(hidden.lines("Ben").await.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_removed_without_the_phrase_is_removed_again_with_it() -> Outcome {
    let server = FakeServer::new();
    let (ada, phrase) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &ada).await;
    let mut laptop = laptop_of(&ada, "Ben", &server).await;
    laptop.quit().await;
    let state = || async { ada.client().devices().await.unwrap().remove(1).state };
    removes_the_laptop(&ada, None).await?;
    assert_eq!(state().await, DeviceState::RemovedWithoutPhrase);
    removes_the_laptop(&ada, Some(&phrase)).await?;
    assert_eq!(state().await, DeviceState::Removed);
    assert_eq!(ada.client().device_key_generation().await?, 2);
    Ok(())
}
