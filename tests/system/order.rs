//! Messages that come in another order than they were written in, and late ones.

use undertone_tests::{Outcome, ServerOptions, ServerProcess};

use super::insider::{Accomplice, Insider};
use super::residents::{Resident, calm, meet, until};

/// Ada and Ben with a direct chat; anyone may register.
async fn two_people() -> Outcome<(ServerProcess, Resident, Resident)> {
    let server = ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;
    let at = server.origin_and_pin();
    let ada = Resident::join("Ada", &at).await;
    let ben = Resident::join("Ben", &at).await;
    meet(&ada, &ben).await;
    calm(&[&ada, &ben]).await;
    Ok((server, ada, ben))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_messages_in_reverse_order_all_open() -> Outcome {
    let (server, mut ada, ben) = two_people().await?;
    let with_ada = ben.chat("Ada").await.id;
    ada.leave().await;
    // Ada's app has written them; the network turns them round.
    let insider = Insider::open(&ada, "");
    let mut sends = insider.inside(true, |inside| {
        (1..=200)
            .map(|number| inside.text(number, &format!("Number {number}")))
            .collect::<Vec<_>>()
    });
    drop(insider);
    sends.reverse();
    let accomplice = Accomplice::at(&server.origin_and_pin()).await;
    for send in sends {
        accomplice.send(send).await.expect("accepted");
    }
    // The channel's order is what counts for everybody.
    let wanted: Vec<_> = (1..=200)
        .rev()
        .map(|number| format!("Ada: Number {number}"))
        .collect();
    let wanted: Vec<_> = wanted.iter().map(String::as_str).collect();
    ben.reads(&with_ada, &wanted).await;
    assert!(
        ben.notices(&with_ada).await.is_empty(),
        "nothing is missing"
    );
    ada.come().await;
    ben.says(&with_ada, "All there.").await;
    let with_ben = ada.chat("Ben").await.id;
    until("Ada reads on", || async {
        ada.lines(&with_ben)
            .await
            .iter()
            .any(|line| line == "Ben: All there.")
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn late_messages_open_after_changes_of_the_group() -> Outcome {
    let server = ServerProcess::start_with(ServerOptions {
        open: true,
        ..ServerOptions::default()
    })?;
    let at = server.origin_and_pin();
    let mut ada = Resident::join("Ada", &at).await;
    let ben = Resident::join("Ben", &at).await;
    let desk = super::residents::group("Desk", &[&ada, &ben]).await;
    ada.leave().await;
    let insider = Insider::open(&ada, "Desk");
    let late = insider.inside(true, |inside| {
        [
            inside.text(1, "Late by one"),
            inside.text(2, "Late by two"),
            inside.text(3, "Too late"),
        ]
    });
    drop(insider);
    let accomplice = Accomplice::at(&at).await;
    ada.come().await;
    let [one, two, three] = late;
    for (name, send) in [("Desk 1", one), ("Desk 2", two)] {
        ada.client()
            .group_rename(&desk, name)
            .await
            .expect("renamed");
        until("Ben follows", || async {
            ben.client()
                .chat(&desk)
                .await
                .is_ok_and(|chat| chat.name == name)
        })
        .await;
        accomplice.send(send).await.expect("within the window");
    }
    ben.reads(&desk, &["Ada: Late by one", "Ada: Late by two"])
        .await;
    ada.client()
        .group_rename(&desk, "Desk 3")
        .await
        .expect("renamed");
    assert_eq!(
        accomplice.send(three).await.err(),
        Some(undertone_wire::Code::ChannelStale)
    );
    Ok(())
}
