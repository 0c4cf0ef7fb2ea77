//! Links to groups: who has one asks to be let in, and an admin's device lets them in, or an admin does.

use std::time::Duration;

use crate::fake::{FakeServer, Person, eventually, three};
use undertone_core::{InviteInfo, InviteOptions, JoinState, LinkLife, PolicyChange, Role};

type Outcome = Result<(), undertone_core::Error>;

pub fn options(uses: u32, approve: bool) -> InviteOptions {
    InviteOptions {
        expires_in_s: None,
        uses,
        approve,
    }
}

pub async fn link(ada: &Person, options: InviteOptions) -> InviteInfo {
    let desk = ada.chat("Desk").await.id;
    let link = ada.client().create_invite(&desk, options).await.unwrap();
    assert!(link.uri.starts_with("undertone:g:"), "{}", link.uri);
    assert_eq!(link.state, LinkLife::Open);
    link
}

pub async fn life(ada: &Person, link: &InviteInfo) -> LinkLife {
    let all = ada.client().invites(&link.chat).await.unwrap();
    all.iter().find(|one| one.id == link.id).unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_link_is_let_in_and_is_no_contact_for_that() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let link = link(&ada, options(2, false)).await;
    let dee = Person::new("Dee", &server).await;
    ada.says("Desk", "Before.").await;
    let joined = dee.client().join_group(&link.uri).await?;
    assert_eq!(
        (joined.state, joined.chat),
        (JoinState::In, Some(link.chat.clone()))
    );
    dee.says("Desk", "Hello, all.").await;
    for person in [&ada, &ben, &cleo] {
        person
            .reads("Desk", &["Ada: Before.", "Dee: Hello, all."])
            .await;
        let notices = person.notices("Desk").await;
        assert!(
            notices.iter().any(|line| line.ends_with("added Dee.")),
            "{notices:?}"
        );
    }
    dee.reads("Desk", &["Dee: Hello, all."]).await;
    let told = dee.notices("Desk").await;
    assert!(
        told.contains(&"Ada let you in by a link.".to_owned()),
        "{told:?}"
    );
    assert!(dee.client().contacts().await?.is_empty());
    assert!(ada.client().find_contact("Dee").await.is_err());
    assert!(ada.client().requests().await?.is_empty());

    // Once more, and then it is used up.
    let eve = Person::new("Eve", &server).await;
    assert_eq!(
        eve.client().join_group(&link.uri).await?.state,
        JoinState::In
    );
    assert_eq!(life(&ada, &link).await, LinkLife::Used);
    let zoe = Person::new("Zoe", &server).await;
    ada.settle().await;
    let refused = zoe.client().join_group(&link.uri).await;
    assert_eq!(refused.unwrap_err().code(), "link.used");
    assert_eq!(ada.chat("Desk").await.members, 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_says_yes_or_no() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let link = link(&ada, options(10, true)).await;
    let (dee, eve) = (
        Person::new("Dee", &server).await,
        Person::new("Eve", &server).await,
    );
    for person in [&dee, &eve] {
        let joined = person.client().join_group(&link.uri).await?;
        assert_eq!((joined.state, joined.chat), (JoinState::Asked, None));
    }
    eventually("both wait", || async {
        ada.client().join_requests(&desk).await.unwrap().len() == 2
    })
    .await;
    let waiting = ada.client().join_requests(&desk).await?;
    let notices = ada.notices("Desk").await;
    for name in ["Dee", "Eve"] {
        let line = format!("{name} asks to be let in by a link.");
        assert_eq!(notices.iter().filter(|said| **said == line).count(), 1);
    }
    assert!(ben.client().join_requests(&desk).await?.is_empty());
    assert_eq!(ada.chat("Desk").await.members, 3, "nobody is in for asking");

    let id = |name: &str| {
        let found = waiting.iter().find(|one| one.name == name);
        found.unwrap().id.clone()
    };
    ada.client().answer_join(&desk, &id("Dee"), true).await?;
    ada.client().answer_join(&desk, &id("Eve"), false).await?;
    let again = ada.client().answer_join(&desk, &id("Eve"), true).await;
    assert_eq!(again.unwrap_err().code(), "request.unknown");
    eventually("Dee is in", || async {
        dee.client().find_chat("Desk").await.is_ok()
    })
    .await;
    dee.says("Desk", "Thank you.").await;
    ben.reads("Desk", &["Dee: Thank you."]).await;
    assert!(eve.client().find_chat("Desk").await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_when_it_is_withdrawn_over_or_its_maker_may_not_add() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let refused = ben.client().create_invite(&desk, options(1, false)).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");

    let withdrawn = link(&ada, options(5, false)).await;
    ada.client().revoke_invite(&withdrawn.id).await?;
    ada.settle().await;
    let dee = Person::new("Dee", &server).await;
    let refused = dee.client().join_group(&withdrawn.uri).await;
    assert_eq!(refused.unwrap_err().code(), "link.used");

    let short = InviteOptions {
        expires_in_s: Some(60),
        ..options(5, false)
    };
    let short = link(&ada, short).await;
    ada.clock().pass_ms(61_000);
    dee.clock().pass_ms(61_000);
    ada.settle().await;
    let refused = dee.client().join_group(&short.uri).await;
    assert_eq!(refused.unwrap_err().code(), "link.expired");
    eventually("it has ended", || async {
        life(&ada, &short).await == LinkLife::Expired
    })
    .await;

    // Members may add, Ben makes a link, and then they may not any more.
    let all = |role| PolicyChange {
        add: Some(role),
        ..PolicyChange::default()
    };
    ada.client().group_policy(&desk, all(Role::Member)).await?;
    eventually("Ben may", || async {
        let chat = ben.chat("Desk").await;
        chat.policy.is_some_and(|policy| policy.add == Role::Member)
    })
    .await;
    let of_ben = ben.client().create_invite(&desk, options(5, false)).await?;
    ada.client().group_policy(&desk, all(Role::Admin)).await?;
    eventually("Ben may not", || async {
        let chat = ben.chat("Desk").await;
        chat.policy.is_some_and(|policy| policy.add == Role::Admin)
    })
    .await;
    let asked = dee.client().join_group(&of_ben.uri).await?;
    assert_eq!(asked.state, JoinState::Asked);
    ben.settle().await;
    assert!(ben.client().join_requests(&desk).await?.is_empty());
    assert_eq!(ada.chat("Desk").await.members, 3);

    // Damaged, and of another kind.
    let refused = dee.client().join_group(&of_ben.uri[..60]).await;
    assert!(refused.unwrap_err().code().starts_with("text."));
    let contact = ada.client().create_link(Default::default()).await?;
    let refused = dee.client().join_group(&contact.uri).await;
    assert_eq!(refused.unwrap_err().code(), "text.kind");
    let refused = ada.client().join_group(&of_ben.uri).await;
    assert_eq!(
        refused?.state,
        JoinState::Asked,
        "who is in already gets no second place"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_outlives_a_restart_on_both_sides() -> Outcome {
    let server = FakeServer::new();
    let (mut ada, ben, _cleo) = three(&server).await;
    let link = link(&ada, options(1, false)).await;
    ada.settle().await;
    ada.quit().await;
    let mut dee = Person::new("Dee", &server).await;
    assert_eq!(
        dee.client().join_group(&link.uri).await?.state,
        JoinState::Asked
    );
    dee.settle().await;
    dee.quit().await;
    ada.reopen().await;
    ada.settle().await;
    eventually("the others see Dee come", || async {
        ben.chat("Desk").await.members == 4
    })
    .await;
    dee.reopen().await;
    eventually("Dee is in", || async {
        dee.client().find_chat("Desk").await.is_ok()
    })
    .await;
    ben.says("Desk", "Welcome.").await;
    dee.reads("Desk", &["Ben: Welcome."]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ada.chat("Desk").await.members, 4);
    Ok(())
}
