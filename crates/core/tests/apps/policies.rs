//! Who may do what in a group: what its admins agree on holds for everybody, also for what was on its way.

use crate::fake::{FakeServer, Person, at_rest, eventually, three};
use undertone_core::{ChatId, ChatState, Delivery, Draft, MessageState, Page, PolicyChange, Role};

type Outcome = Result<(), undertone_core::Error>;

fn only_admins_write() -> PolicyChange {
    PolicyChange {
        post: Some(Role::Admin),
        ..PolicyChange::default()
    }
}

/// Waits until these see the group so.
async fn agree(people: &[&Person], chat: &ChatId, what: impl Fn(Role) -> bool) {
    for person in people {
        eventually("the policy is there", || async {
            let chat = person.client().chat(chat).await.unwrap();
            chat.policy.is_some_and(|policy| what(policy.post))
        })
        .await;
    }
}

async fn is_told(person: &Person, chat: &str, line: &str) {
    eventually(line, || async {
        person.notices(chat).await.iter().any(|said| said == line)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_for_announcements_only_admins_write_and_all_react() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let everybody = [&ada, &ben, &cleo];
    let desk = ada.chat("Desk").await.id;
    ben.says("Desk", "Before.").await;
    ada.reads("Desk", &["Ben: Before."]).await;
    let own = ben.client().messages(&desk, Page::default()).await?;
    let own = own.iter().find(|line| line.text == "Before.").unwrap();

    let refused = ben.client().group_policy(&desk, only_admins_write()).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    let done = ada
        .client()
        .group_policy(&desk, only_admins_write())
        .await?;
    assert_eq!(done, Delivery::Accepted);
    agree(&everybody, &desk, |post| post == Role::Admin).await;
    is_told(&ben, "Desk", "Ada let only admins write.").await;
    is_told(&ada, "Desk", "You let only admins write.").await;

    let refused = ben.client().send(&desk, Draft::text("Hello?")).await;
    assert_eq!(refused.unwrap_err().code(), "group.quiet");
    let refused = ben.client().edit(&desk, &own.id, "Another way in.", false);
    assert_eq!(refused.await.unwrap_err().code(), "group.quiet");
    ada.says("Desk", "We publish at noon.").await;
    let all = ["Ben: Before.", "Ada: We publish at noon."];
    cleo.reads("Desk", &all).await;
    ben.reads("Desk", &all).await;
    let lines = ben.client().messages(&desk, Page::default()).await?;
    let said = lines.iter().find(|line| line.text.contains("noon"));
    ben.client()
        .react(&desk, &said.unwrap().id, "👍", true)
        .await?;
    eventually("the reaction is there", || async {
        let lines = ada.client().messages(&desk, Page::default()).await;
        lines.is_ok_and(|lines| lines.iter().any(|line| !line.reactions.is_empty()))
    })
    .await;
    // What one wrote oneself can always be taken back.
    ben.client().delete_for_everyone(&desk, &own.id).await?;

    // Cleo is made an admin, and writes; who is one sets the policy too.
    let of_cleo = ada.client().find_contact("Cleo").await?.id;
    ada.client()
        .group_role(&desk, &of_cleo, Role::Admin)
        .await?;
    eventually("Cleo is an admin", || async {
        cleo.chat("Desk").await.my_role == Role::Admin
    })
    .await;
    cleo.says("Desk", "So do I.").await;
    let everybody_writes = PolicyChange {
        post: Some(Role::Member),
        pin: Some(Role::Owner),
        ..PolicyChange::default()
    };
    let refused = cleo.client().group_policy(&desk, everybody_writes).await;
    assert_eq!(
        refused.unwrap_err().code(),
        "group.forbidden",
        "what is for owners only is set by owners"
    );
    let open = PolicyChange {
        pin: None,
        ..everybody_writes
    };
    cleo.client().group_policy(&desk, open).await?;
    agree(&everybody, &desk, |post| post == Role::Member).await;
    ben.says("Desk", "Thank you.").await;
    let last = |lines: Vec<String>| lines.last().cloned();
    for person in [&ada, &cleo] {
        eventually("Ben is heard", || async {
            last(person.lines("Desk").await).as_deref() == Some("Ben: Thank you.")
        })
        .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_its_way_when_the_group_became_quiet_counts_for_nobody() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let board = ada.chat("Desk").await.id;
    ben.says("Desk", "First.").await;
    for person in [&ada, &cleo] {
        person.reads("Desk", &["Ben: First."]).await;
    }
    ben.settle().await;
    let lines = ben.client().messages(&board, Page::default()).await?;
    let first = lines.iter().find(|line| line.text == "First.").unwrap();
    // Ben does not hear of it, and his app writes in the epoch before, which the server still takes.
    server.hold(server.queue_numbered(1));
    ada.client()
        .group_policy(&board, only_admins_write())
        .await?;
    let sent = ben.client().send(&board, Draft::text("Too late.")).await?;
    ben.client()
        .edit(&board, &first.id, "Too late as well.", false)
        .await?;
    for person in [&ada, &cleo] {
        is_told(
            person,
            "Desk",
            "Ben tried to write, which their role does not allow; it was ignored.",
        )
        .await;
        assert_eq!(person.lines("Desk").await, ["Ben: First."]);
    }
    server.let_go();
    eventually("Ben learns it", || async {
        let message = ben.client().message(&board, sent.message.as_str()).await;
        message.is_ok_and(|message| message.state == MessageState::Failed)
    })
    .await;
    is_told(
        &ben,
        "Desk",
        "You may not write here any more; nobody was shown what you wrote.",
    )
    .await;
    eventually("the edit is undone", || async {
        ben.lines("Desk").await.first().map(String::as_str) == Some("Ben: First.")
    })
    .await;
    let first = ben.client().message(&board, first.id.as_str()).await?;
    assert_eq!(first.edits, 0);
    ada.settle().await;
    let notices = ada.notices("Desk").await;
    let told = notices
        .iter()
        .filter(|line| line.contains("tried to write"));
    assert_eq!(told.count(), 1, "once, however often: {notices:?}");
    assert!(!notices.iter().any(|line| line.contains("missing")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missing_counts_as_it_did_where_it_stood() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let board = ada.chat("Desk").await.id;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // Cleo does not get what Ben writes; then the group becomes quiet, and Ben sends it again.
    server.lose_next_to(server.queue_numbered(2));
    ben.says("Desk", "While I may.").await;
    ada.reads("Desk", &["Ben: While I may."]).await;
    ada.client()
        .group_policy(&board, only_admins_write())
        .await?;
    ada.says("Desk", "Noted.").await;
    cleo.reads("Desk", &["Ben: While I may.", "Ada: Noted."])
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_owner_hands_over_before_leaving() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let refused = ada.client().group_leave(&desk, None).await;
    assert_eq!(refused.unwrap_err().code(), "group.last_owner");
    let of_ben = ada.client().find_contact("Ben").await?.id;
    let of_ada = ben.client().find_contact("Ada").await?.id;
    let refused = ben.client().group_hand_over(&desk, &of_ada).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    ada.client().group_hand_over(&desk, &of_ben).await?;
    eventually("Ben owns it", || async {
        ben.chat("Desk").await.my_role == Role::Owner
    })
    .await;
    assert_eq!(ada.chat("Desk").await.my_role, Role::Admin);
    is_told(&cleo, "Desk", "Ada made Ben owner.").await;
    is_told(&cleo, "Desk", "Ada stepped down to admin.").await;

    // Ben goes and says who comes after him; then Ada and Cleo go, and the last one needs nobody.
    ben.client().group_leave(&desk, Some(&of_ada)).await?;
    for person in [&ada, &cleo] {
        is_told(person, "Desk", "Ben left.").await;
    }
    cleo.client().group_leave(&desk, None).await?;
    is_told(&ada, "Desk", "Cleo left.").await;
    assert_eq!(ada.chat("Desk").await.my_role, Role::Owner);
    ada.client().group_leave(&desk, None).await?;
    assert_eq!(ada.chat("Desk").await.state, ChatState::Left);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_pin_rename_add_and_set_timers_where_they_may() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    ada.says("Desk", "Rules.").await;
    ben.reads("Desk", &["Ada: Rules."]).await;
    let lines = ben.client().messages(&desk, Page::default()).await?;
    let rules = &lines.iter().find(|line| line.text == "Rules.").unwrap().id;
    let refused = ben.client().pin(&desk, rules, true).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    let refused = ben.client().set_timer(&desk, 60).await;
    assert_eq!(refused.unwrap_err().code(), "group.forbidden");
    let all = Some(Role::Member);
    let open = PolicyChange {
        add: all,
        rename: all,
        pin: all,
        set_timer: all,
        post: None,
    };
    ada.client().group_policy(&desk, open).await?;
    for line in [
        "Ada let everybody add members.",
        "Ada let everybody rename the group.",
        "Ada let everybody pin messages.",
        "Ada let everybody set how long messages stay.",
    ] {
        is_told(&ben, "Desk", line).await;
    }
    ben.client().pin(&desk, rules, true).await?;
    ben.client().set_timer(&desk, 3600).await?;
    ben.client().group_rename(&desk, "Everybody's").await?;
    for person in [&ada, &cleo] {
        eventually("the new name", || async {
            person.client().find_chat("Everybody's").await.is_ok()
        })
        .await;
        is_told(person, "Everybody's", "Ben pinned a message.").await;
        let chat = person.chat("Everybody's").await;
        assert_eq!(chat.timer_s, Some(3600));
        assert_eq!(person.client().pinned(&chat.id).await?.len(), 1);
    }
    Ok(())
}
