//! A new device-signing key makes key packages of before worth nothing: they are replaced, and whoever finds old ones takes others.

use crate::fake::{FakeServer, Person, eventually, meet};
use undertone_core::{ChatState, DeviceState};

async fn is_in(person: &Person, chat: &str) -> bool {
    let found = person.client().find_chat(chat).await;
    found.is_ok_and(|chat| chat.state == ChatState::Active)
}

/// Ada's phone and laptop, her tablet that is to go, Ben whom all of them know, and Ada's recovery phrase.
async fn three_devices(server: &FakeServer) -> (Person, Person, Person, Person, String) {
    let (phone, phrase) = Person::with_phrase("Ada", server).await;
    let ben = Person::new("Ben", server).await;
    meet(&ben, &phone).await;
    let laptop = Person::links(&phone, "Laptop", server).await;
    let tablet = Person::links(&phone, "Tablet", server).await;
    for device in [&phone, &laptop, &tablet] {
        eventually("three devices are in the chat", || async {
            device.client().devices().await.unwrap().len() == 3 && is_in(device, "Ben").await
        })
        .await;
    }
    for person in [&phone, &laptop, &tablet, &ben] {
        person.settle().await;
    }
    (phone, laptop, tablet, ben, phrase)
}

/// The phone removes the tablet with the phrase, so that Ada's devices are certified anew.
async fn removes_the_tablet(phone: &Person, phrase: &str) {
    let devices = phone.client().devices().await.unwrap();
    let tablet = devices.iter().find(|device| device.name == "Tablet");
    let id = &tablet.unwrap().id;
    let removed = phone.client().remove_device(id, Some(phrase)).await;
    removed.unwrap();
    eventually("removed", || async {
        let devices = phone.client().devices().await.unwrap();
        devices
            .iter()
            .any(|device| device.name == "Tablet" && device.state == DeviceState::Removed)
    })
    .await;
    phone.settle().await;
}

async fn makes_a_group(phone: &Person, name: &str) {
    let ben = phone.client().find_contact("Ben").await.unwrap().id;
    phone.client().create_group(name, &[ben]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_siblings_find_of_a_device_is_new_when_its_certificate_is() {
    let server = FakeServer::new();
    let (phone, laptop, mut tablet, ben, phrase) = three_devices(&server).await;
    tablet.quit().await;
    removes_the_tablet(&phone, &phrase).await;
    eventually("certified anew", || async {
        laptop.client().device_key_generation().await.unwrap() == 2
    })
    .await;
    makes_a_group(&phone, "Desk").await;
    eventually("the laptop is in", || is_in(&laptop, "Desk")).await;
    laptop.says("Desk", "both of us").await;
    ben.reads("Desk", &["Ada: both of us"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_away_is_brought_in_when_it_has_new_ones() {
    let server = FakeServer::new();
    let (phone, mut laptop, mut tablet, ben, phrase) = three_devices(&server).await;
    tablet.quit().await;
    laptop.quit().await;
    removes_the_tablet(&phone, &phrase).await;
    // All that the server has of the laptop is of before.
    makes_a_group(&phone, "Desk").await;
    phone.says("Desk", "the laptop is off").await;
    ben.reads("Desk", &["Ada: the laptop is off"]).await;
    phone.settle().await;

    laptop.reopen().await;
    eventually("the laptop is in", || is_in(&laptop, "Desk")).await;
    laptop.says("Desk", "not any more").await;
    let all = ["Ada: the laptop is off", "Ada: not any more"];
    ben.reads("Desk", &all).await;
}
