//! A device that the server sent to another channel, alone: nobody hears it there, and it does not hear the others. What they say where it was
//! before tells it that.

use crate::fake::{FakeServer, Nonsense, Person, at_rest, eventually, three};
use undertone_core::{Draft, Page, Role};

type Outcome = Result<(), undertone_core::Error>;

/// Ben does not hear that the group is called Crew now, and the server sends him elsewhere: he is alone there, and does not know.
async fn ben_goes_astray(server: &FakeServer, ada: &Person, ben: &Person) -> Outcome {
    let desk = ben.chat("Desk").await.id;
    server.lose_next_to(server.queue_numbered(1));
    ada.client().group_rename(&desk, "Crew").await?;
    server.answer_with(Some(Nonsense::EpochBefore));
    let before = server.lies();
    ben.client()
        .enqueue(&desk, Draft::text("Is anybody there?"))
        .await?;
    eventually("Ben is led astray", || async { server.lies() > before }).await;
    server.answer_with(None);
    ben.reads("Desk", &["Ben: Good morning", "Ben: Is anybody there?"])
        .await;
    eventually("he has said it there", || async {
        let all = ben.client().messages(&desk, Page::default()).await;
        let all = all.expect("messages");
        all.last().is_some_and(|line| line.order.is_some())
    })
    .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_where_nobody_else_was_is_said_again_and_stands_in_one_place_for_all()
-> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    ben.says("Desk", "Good morning").await;
    ada.reads("Desk", &["Ben: Good morning"]).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben_goes_astray(&server, &ada, &ben).await?;
    ben.settle().await;
    ada.says("Crew", "Over here").await;
    let all = [
        "Ben: Good morning",
        "Ada: Over here",
        "Ben: Is anybody there?",
    ];
    for person in [&ada, &ben, &cleo] {
        person.reads("Crew", &all).await;
    }
    cleo.says("Crew", "There you are").await;
    for person in [&ada, &ben, &cleo] {
        person
            .reads("Crew", &[&all[..], &["Cleo: There you are"]].concat())
            .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changed_the_group_where_nobody_else_was_comes_back_to_the_others() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let desk = ben.chat("Desk").await.id;
    let of_ben = ada.client().find_contact("Ben").await?.id;
    ada.client().group_role(&desk, &of_ben, Role::Admin).await?;
    eventually("Ben is an admin", || async {
        ben.chat("Desk").await.my_role == Role::Admin
    })
    .await;
    ben.says("Desk", "Good morning").await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    ben_goes_astray(&server, &ada, &ben).await?;
    // What he changes there takes him further than the others are, in a state that is nobody else's.
    for name in ["Mine", "All mine", "Only mine"] {
        ben.client().group_rename(&desk, name).await?;
        eventually(name, || async {
            ben.client().find_chat(name).await.is_ok()
        })
        .await;
    }
    assert!(ben.chat("Only mine").await.epoch > ada.chat("Crew").await.epoch);
    ada.says("Crew", "Over here").await;
    let all = [
        "Ben: Good morning",
        "Ada: Over here",
        "Ben: Is anybody there?",
    ];
    for person in [&ada, &ben, &cleo] {
        person.reads("Crew", &all).await;
    }
    Ok(())
}
