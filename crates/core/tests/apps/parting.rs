//! The last word of a device that is wiped by hand, to the account's other devices.

use crate::fake::{FakeServer, Person, at_rest, eventually, meet};
use undertone_core::{DeviceState, ProtectionChange};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_wiped_by_hand_is_removed_by_the_others_if_the_owner_chose_so() {
    let server = FakeServer::new();
    let (ada, ben) = (
        Person::new("Ada", &server).await,
        Person::new("Ben", &server).await,
    );
    meet(&ben, &ada).await;
    let laptop = Person::links(&ada, "Ada's laptop", &server).await;
    let phone = Person::links(&ada, "Ada's phone", &server).await;
    at_rest(&server, &[&ada, &laptop, &phone, &ben]).await;
    let (laptop_id, phone_id) = (
        laptop.client().account().await.unwrap().device_id,
        phone.client().account().await.unwrap().device_id,
    );
    let state = async |wanted: &undertone_core::DeviceId| {
        let devices = ada.client().devices().await.unwrap();
        devices.iter().find(|one| one.id == *wanted).unwrap().state
    };

    // Unless it was chosen, nobody is told.
    laptop.client().wipe().await.unwrap();
    at_rest(&server, &[&ada, &phone, &ben]).await;

    let on = ProtectionChange {
        remove_wiped: Some(true),
        ..ProtectionChange::default()
    };
    ada.client().set_protection(None, on).await.unwrap();
    eventually("the phone has the choice too", || async {
        phone.client().protection().await.unwrap().remove_wiped
    })
    .await;
    at_rest(&server, &[&ada, &phone, &ben]).await;
    phone.client().wipe().await.unwrap();
    eventually("the other one removes it", || async {
        state(&phone_id).await == DeviceState::RemovedWithoutPhrase
    })
    .await;
    assert_eq!(state(&laptop_id).await, DeviceState::InUse);
    eventually("Ben sees a line", || async {
        let notices = ben.notices("Ada").await;
        let line = "Ada removed one of their devices.";
        notices.iter().filter(|seen| *seen == line).count() == 1
    })
    .await;
}
