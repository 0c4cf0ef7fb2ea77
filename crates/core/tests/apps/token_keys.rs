//! The keys of blind tokens change: every week, and when a server is put back to a backup. Nobody has to do anything about it, and no app
//! shows a server which of its connections belong together.

use crate::fake::{FakeServer, Person, at_rest, eventually, meet, on_line_again};

type Outcome = Result<(), undertone_core::Error>;

async fn two(server: &FakeServer) -> (Person, Person) {
    let (ada, ben) = (
        Person::new("Ada", server).await,
        Person::new("Ben", server).await,
    );
    meet(&ben, &ada).await;
    at_rest(server, &[&ada, &ben]).await;
    (ada, ben)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_week_between_inbox_and_outbox_heals_by_itself() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = two(&server).await;
    let (signed_in, _) = server.sign_ins();
    let mut wanted = Vec::new();
    for week in 1..=3 {
        // The inbox connections are older than the new key, the outbox connections newer.
        server.new_week(true);
        server.cut_outboxes();
        ada.says("Ben", &format!("Week {week}.")).await;
        wanted.push(format!("Ada: Week {week}."));
        let lines: Vec<_> = wanted.iter().map(String::as_str).collect();
        ben.reads("Ada", &lines).await;
    }
    let (after, unknown) = server.sign_ins();
    assert_eq!(after, signed_in, "nobody had to sign in again");
    assert_eq!(unknown, 0, "no token of a key that is gone was shown");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_inbox_was_not_told_of_are_refused_and_the_inbox_stays_where_it_is() -> Outcome
{
    let server = FakeServer::new();
    let (ada, ben) = two(&server).await;
    let (signed_in, _) = server.sign_ins();
    server.new_week(false);
    server.cut_outboxes();
    let chat = ada.chat("Ben").await.id;
    ada.client()
        .enqueue(&chat, undertone_core::Draft::text("Too early."))
        .await?;
    eventually("the outbox is refused", || async {
        let status = ada.client().status().await.unwrap();
        status
            .problem
            .is_some_and(|problem| problem.code == "token.keys_differ")
    })
    .await;
    // An inbox that came again right then would tell whose outbox it was.
    assert_eq!(server.sign_ins().0, signed_in);
    assert!(ben.lines("Ada").await.is_empty());
    server.tell_token_keys();
    ben.reads("Ada", &["Ada: Too early."]).await;
    assert_eq!(server.sign_ins().0, signed_in);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_from_before_a_restore_are_thrown_away() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = two(&server).await;
    assert!(ada.client().status().await?.tokens > 0);
    server.restore_from_backup();
    on_line_again(&[&ada, &ben]).await;
    ben.says("Ada", "Still here?").await;
    ada.reads("Ben", &["Ben: Still here?"]).await;
    ada.says("Ben", "Yes.").await;
    ben.reads("Ada", &["Ben: Still here?", "Ada: Yes."]).await;
    assert_eq!(server.sign_ins().1, 0, "none of them was tried");
    Ok(())
}

/// Tokens of temporary queues' keys are for whoever makes such a queue. An account that had some would be told from the others by them.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_takes_no_tokens_of_temporary_queues() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben) = two(&server).await;
    // It is nothing to this account what other such keys anonymous connections are shown.
    server.show_a_temporary_key();
    server.cut_outboxes();
    ada.says("Ben", "Shown to some.").await;
    ben.reads("Ada", &["Ada: Shown to some."]).await;

    server.issue_temporary_tokens_only();
    eventually("what is issued is not taken", || async {
        let status = ada.client().status().await.unwrap();
        status.tokens == 0
            && status
                .problem
                .is_some_and(|problem| problem.code == "token.keys_differ")
    })
    .await;
    Ok(())
}
