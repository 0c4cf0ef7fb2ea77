//! The answer to a request and what comes of it go two ways: the queue may be quicker, and more may have happened by the time the answer is
//! read. It is judged by what was asked, and never by where the device stands since.
//! What makes no sense is asked once more.

use crate::fake::{FakeServer, Person, at_rest, eventually, three};
use undertone_core::{ChatState, Draft, MessageState, Page, Role};
use undertone_wire::Code;

type Outcome = Result<(), undertone_core::Error>;

async fn is_called(person: &Person, name: &str) {
    eventually(name, || async {
        person.client().find_chat(name).await.is_ok()
    })
    .await;
}

/// The channels that a chat's messages came by: 0 is the first.
async fn generations(person: &Person, chat: &str) -> Vec<u32> {
    let chat = person.chat(chat).await.id;
    let all = person.client().messages(&chat, Page::default()).await;
    let written = all.expect("messages").into_iter();
    written
        .filter(|line| !line.text.is_empty() && line.sender.is_some())
        .filter_map(|line| Some(line.order?.generation))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_taken_and_passed_over_goes_to_the_next_channel() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    server.spoil_next_commit();
    server.hold_answers();
    let renamed = ada.client().group_rename(&desk, "Newsroom");
    let passed_over = async {
        for person in [&ada, &ben, &cleo] {
            eventually("the nonsense is passed over", || async {
                let notices = person.notices("Desk").await;
                notices.iter().any(|line| line.contains("was not valid"))
            })
            .await;
        }
        // Only now Ada hears that the server has taken it.
        server.let_answers_go();
    };
    let (renamed, ()) = tokio::join!(renamed, passed_over);
    renamed?;
    for person in [&ada, &ben, &cleo] {
        is_called(person, "Newsroom").await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_refused_long_ago_leads_nobody_astray() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let (ben_id, cleo_id) = (
        ada.client().find_contact("Ben").await?.id,
        ada.client().find_contact("Cleo").await?.id,
    );
    ada.client().group_role(&desk, &ben_id, Role::Admin).await?;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // Ben does not know yet that Ada was quicker.
    server.hold(server.queue_numbered(1));
    ada.client().group_rename(&desk, "Crew").await?;
    let before = server.refused_commits();
    server.hold_answers();
    let by_ben = ben.client().group_rename(&desk, "Newsroom");
    let meanwhile = async {
        eventually("the server has refused it", || async {
            server.refused_commits() > before
        })
        .await;
        server.let_go();
        is_called(&ben, "Crew").await;
        let role = ada.client().group_role(&desk, &cleo_id, Role::Admin);
        let heard = eventually("Ben hears of one more change", || async {
            let members = ben.client().members(&desk).await.expect("members");
            let mut roles = members.iter().map(|member| (&member.id, member.role));
            roles.any(|one| one == (&cleo_id, Role::Admin))
        });
        let answered = async {
            heard.await;
            server.let_answers_go();
        };
        let (role, ()) = tokio::join!(role, answered);
        role
    };
    let (by_ben, role) = tokio::join!(by_ben, meanwhile);
    by_ben?;
    role?;
    for person in [&ada, &ben, &cleo] {
        is_called(person, "Newsroom").await;
    }
    ben.says("Newsroom", "Done.").await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    for person in [&ada, &ben, &cleo] {
        person.reads("Newsroom", &["Ben: Done."]).await;
        assert_eq!(generations(person, "Newsroom").await, [0]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_refused_long_ago_leads_nobody_astray() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, _cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let cleo_id = ada.client().find_contact("Cleo").await?.id;
    server.hold(server.queue_numbered(1));
    ada.client().group_remove(&desk, &cleo_id).await?;
    let before = server.stale();
    server.hold_answers();
    ben.client().enqueue(&desk, Draft::text("One.")).await?;
    eventually("the server has refused it", || async {
        server.stale() > before
    })
    .await;
    server.let_go();
    let renamed = ada.client().group_rename(&desk, "Crew");
    let answered = async {
        is_called(&ben, "Crew").await;
        server.let_answers_go();
    };
    let (renamed, ()) = tokio::join!(renamed, answered);
    renamed?;
    ada.reads("Crew", &["Ben: One."]).await;
    at_rest(&server, &[&ada, &ben]).await;
    for person in [&ada, &ben] {
        person.reads("Crew", &["Ben: One."]).await;
        assert_eq!(generations(person, "Crew").await, [0]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_before_a_refusal_comes_waits_for_nothing() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ada.chat("Desk").await.id;
    let cleo_id = ada.client().find_contact("Cleo").await?.id;
    let role = ada.client().group_role(&desk, &cleo_id, Role::Admin);
    role.await?;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    // Cleo does not know yet that Ada was quicker.
    server.hold(server.queue_numbered(2));
    ada.client().group_remove(&desk, &cleo_id).await?;
    let before = server.refused_commits();
    server.hold_answers();
    let by_cleo = cleo.client().group_rename(&desk, "Newsroom");
    let meanwhile = async {
        eventually("the server has refused it", || async {
            server.refused_commits() > before
        })
        .await;
        server.let_go();
        eventually("Cleo is out", || async {
            cleo.chat("Desk").await.state == ChatState::Removed
        })
        .await;
        server.let_answers_go();
    };
    let (by_cleo, ()) = tokio::join!(by_cleo, meanwhile);
    assert_eq!(by_cleo.unwrap_err().code(), "chat.closed");
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_calls_no_request_was_damaged_on_the_way() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    for code in [
        Code::RequestMalformed,
        Code::LimitAddresses,
        Code::LimitPayload,
    ] {
        server.refuse_next(2, code);
        ada.says("Desk", code.as_str()).await;
    }
    let lines = ["request.malformed", "limit.addresses", "limit.payload"];
    let lines = lines.map(|line| format!("Ada: {line}"));
    for person in [&ada, &ben, &cleo] {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        person.reads("Desk", &lines).await;
    }
    let desk = ada.chat("Desk").await.id;
    server.refuse_next(2, Code::RequestMalformed);
    ada.client().group_rename(&desk, "Crew").await?;
    for person in [&ada, &ben, &cleo] {
        is_called(person, "Crew").await;
    }
    // What it says again and again is so: that message will not go.
    server.refuse_next(4, Code::LimitPayload);
    ada.client()
        .enqueue(&desk, Draft::text("Too much."))
        .await?;
    eventually("it is given up", || async {
        let all = ada.client().messages(&desk, Page::default()).await;
        let all = all.expect("messages");
        all.last()
            .is_some_and(|line| line.state == MessageState::Failed)
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_for_another_epoch_and_opens_for_nobody_is_said_again() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    server.misdate_next_message();
    ada.says("Desk", "One.").await;
    for person in [&ada, &ben, &cleo] {
        person.reads("Desk", &["Ada: One."]).await;
    }
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    for person in [&ada, &ben, &cleo] {
        assert!(
            person
                .notices("Desk")
                .await
                .iter()
                .all(|line| !line.contains("missing"))
        );
    }
    Ok(())
}
