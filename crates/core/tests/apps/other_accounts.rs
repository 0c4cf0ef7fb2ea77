//! Safety numbers change only with an account; then every chat with that person says so until it is verified or accepted.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::fake::{FakeServer, Person, eventually, meet};
use undertone_core::{LinkOptions, OtherAccount};

type Outcome = Result<(), undertone_core::Error>;

async fn open(person: &Person) -> Vec<OtherAccount> {
    person.client().other_accounts().await.expect("read")
}

/// Adds the maker of a link, whatever they call themselves.
async fn adds(adder: &Person, maker: &Person) {
    let link = maker.client().create_link(LinkOptions::default()).await;
    let link = link.expect("a link").uri;
    let added = adder.client().add_contact(&link).await.expect("added");
    assert!(added.contact.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_who_comes_with_another_account_is_said_to_until_verified() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let mut ben = Person::new("Ben", &server).await;
    meet(&ada, &ben).await;
    let known = ada.client().find_contact("Ben").await?;
    ada.client().set_verified(&known.id, true).await?;
    let number = ada.client().safety_number(&known.id).await?.digits;
    assert!(open(&ada).await.is_empty());

    // Ben has lost everything, or somebody says to be Ben.
    ben.quit().await;
    let again = Person::new("Ben", &server).await;
    adds(&ada, &again).await;
    let others = open(&ada).await;
    assert_eq!(others.len(), 1, "{others:?}");
    assert_eq!(others[0].known, known.id);
    assert!(others[0].known_verified);
    assert_eq!(others[0].chats.len(), 1);
    let new = &others[0].account;
    assert_ne!(ada.client().safety_number(new).await?.digits, number);
    // The chat with the new account says so, and the old one does not.
    let page = undertone_core::Page {
        limit: 50,
        before: None,
    };
    let lines = ada.client().messages(&others[0].chats[0], page).await?;
    assert!(
        lines
            .iter()
            .any(|line| line.text.contains("has another account")),
        "{lines:?}"
    );
    let old = known.chat.expect("a chat");
    let lines = ada.client().messages(&old, page).await?;
    assert!(
        !lines
            .iter()
            .any(|line| line.text.contains("has another account"))
    );

    // It is said until the number was compared, and again if that is withdrawn.
    ada.client().set_verified(new, true).await?;
    assert!(open(&ada).await.is_empty());
    ada.client().set_verified(new, false).await?;
    assert_eq!(open(&ada).await.len(), 1);
    ada.client().accept_account(new).await?;
    assert!(open(&ada).await.is_empty());
    assert!(!ada.client().safety_number(new).await?.verified);
    assert_eq!(
        ada.client()
            .accept_account(&known.id)
            .await
            .err()
            .map(|error| error.code()),
        Some("contact.unknown")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_comes_back_with_another_account_is_said_to_in_the_group() -> Outcome {
    let server = FakeServer::new();
    let ada = Person::new("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    let cleo = Person::new("Cleo", &server).await;
    meet(&ada, &cleo).await;
    meet(&ben, &cleo).await;
    meet(&ada, &ben).await;
    let members = [
        cleo.client().find_contact("Ada").await?.id,
        cleo.client().find_contact("Ben").await?.id,
    ];
    let group = cleo.client().create_group("Desk", &members).await?.chat;
    eventually("Ada is in", || async {
        ada.client().find_chat("Desk").await.is_ok()
    })
    .await;
    ada.settle().await;
    assert!(open(&ada).await.is_empty());

    // Cleo takes Ben out, and a Ben with another account in.
    cleo.client().group_remove(&group, &members[1]).await?;
    let again = Person::new("Ben", &server).await;
    adds(&cleo, &again).await;
    let others = open(&cleo).await;
    assert_eq!(others.len(), 1);
    cleo.client()
        .group_add(&group, &[others[0].account.clone()])
        .await?;
    eventually("Ada is told", || async { !open(&ada).await.is_empty() }).await;
    let seen = open(&ada).await;
    assert_eq!(seen[0].account, others[0].account);
    assert_eq!(seen[0].chats, [ada.chat("Desk").await.id]);
    let told = ada.notices("Desk").await;
    assert!(
        told.iter().any(|line| line.contains("has another account")),
        "{told:?}"
    );
    ada.client().accept_account(&seen[0].account).await?;
    assert!(open(&ada).await.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn new_devices_and_new_keys_of_devices_change_no_number() -> Outcome {
    let server = FakeServer::new();
    let (phone, words) = Person::with_phrase("Ada", &server).await;
    let ben = Person::new("Ben", &server).await;
    meet(&ben, &phone).await;
    let ada = ben.client().find_contact("Ada").await?;
    ben.client().set_verified(&ada.id, true).await?;
    let number = ben.client().safety_number(&ada.id).await?.digits;
    let laptop = Person::links(&phone, "Laptop", &server).await;
    eventually("the laptop has the chat", || async {
        laptop.client().find_chat("Ben").await.is_ok()
    })
    .await;
    let all = phone.client().devices().await?;
    let lost = all.iter().find(|device| !device.this).expect("the laptop");
    phone.client().remove_device(&lost.id, Some(&words)).await?;
    phone.says("Ben", "only one device again").await;
    ben.reads("Ada", &["Ada: only one device again"]).await;
    let ada = ben.client().find_contact("Ada").await?;
    assert!(ada.verified);
    assert_eq!(ben.client().safety_number(&ada.id).await?.digits, number);
    assert!(open(&ben).await.is_empty());
    Ok(())
}
