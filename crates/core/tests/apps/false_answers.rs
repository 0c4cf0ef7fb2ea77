//! A member answers for another: says what stood at a place that somebody misses, before anybody has asked for it.

use std::time::Duration;

use crate::fake::{
    FakeServer, Person, at_rest,
    cheat::{Again, Cheat, Repeated},
    eventually, three,
};
use undertone_content::{MessageId, MimiContent, Origin, uri};
use undertone_core::{Order, Page};

/// Somebody's app, which is closed, is to say next what stood at this place.
fn is_to_answer(cheat: &Person, place: Order, says: impl FnOnce(&Cheat) -> Vec<u8>) {
    let cheat = Cheat::of(cheat, "Desk");
    let again = Again {
        messages: vec![Repeated {
            generation: place.generation,
            number: place.number,
            content: says(&cheat),
        }],
    };
    cheat.is_to_say(&[cheat.tells("again", &again)]);
}

async fn what_ada_said_comes_in_spite_of(says: impl FnOnce(&Cheat) -> Vec<u8>) {
    let server = FakeServer::new();
    let (ada, mut ben, mut cleo) = three(&server).await;
    // Ben asks for what he misses after a minute.
    ben.quit().await;
    ben.pace.gap = Duration::from_secs(60);
    ben.reopen().await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    server.lose_next_to(server.queue_numbered(1));
    ada.says("Desk", "Not today.").await;
    cleo.reads("Desk", &["Ada: Not today."]).await;
    let desk = cleo.chat("Desk").await.id;
    let lines = cleo.client().messages(&desk, Page::default()).await;
    let lines = lines.unwrap();
    let said = lines.iter().find(|line| line.text == "Not today.");
    let place = said.unwrap().order.clone().unwrap();
    at_rest(&server, &[&ada, &cleo]).await;

    cleo.quit().await;
    is_to_answer(&cleo, place, says);
    let before = server.messages();
    cleo.reopen().await;
    eventually("Cleo has answered", || async {
        server.messages() > before && server.items_on_their_way() == 0
    })
    .await;
    server.pass_ms(61_000);
    for person in [&ada, &ben, &cleo] {
        person.clock().pass_ms(61_000);
    }
    ben.reopen().await;
    eventually("Ben reads what Ada said", || async {
        let lines = ben.lines("Desk").await;
        lines.iter().any(|line| line == "Ada: Not today.")
    })
    .await;
    let notices = ben.notices("Desk").await;
    assert!(!notices.iter().any(|line| line.contains("missing")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_unasked_that_nothing_stood_at_a_place_hides_nothing_there() {
    what_ada_said_comes_in_spite_of(|cheat| {
        // As an app answers where a change of its own stood.
        cheat.tells("sync", &())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_unasked_that_it_was_they_who_spoke_hides_nothing_there() {
    what_ada_said_comes_in_spite_of(|cheat| cheat.text(1, "Come all.")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_looked_at_as_what_is_said_now() {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    ada.says("Desk", "Not today.").await;
    for person in [&ben, &cleo] {
        person.reads("Desk", &["Ada: Not today."]).await;
    }
    let desk = ben.chat("Desk").await.id;
    let lines = ben.client().messages(&desk, Page::default()).await.unwrap();
    let said = lines.iter().find(|line| line.text == "Not today.").unwrap();
    let id = MessageId::from_hex(&said.id.to_string()).unwrap();
    let place = said.order.clone().unwrap();
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    cleo.quit().await;
    is_to_answer(&cleo, place.clone(), |_| vec![0x81; 5_000]);
    is_to_answer(&cleo, place.clone(), |from| {
        let content = MimiContent::text(&from.origin(1), "Today.").replacing(id);
        content.encode().unwrap()
    });
    is_to_answer(&cleo, place.clone(), |from| {
        MimiContent::delete(&from.origin(2), id).encode().unwrap()
    });
    is_to_answer(&cleo, place, |from| {
        let sender = uri::account(&[7; 32]);
        let other = Origin {
            sender: &sender,
            ..from.origin(3)
        };
        let content = MimiContent::text(&other, "I am somebody else.");
        content.encode().unwrap()
    });
    cleo.reopen().await;
    cleo.says("Desk", "Well?").await;
    for person in [&ada, &ben] {
        person
            .reads("Desk", &["Ada: Not today.", "Cleo: Well?"])
            .await;
        let notices = person.notices("Desk").await;
        let told = notices
            .iter()
            .filter(|line| line.contains("could not be understood"));
        assert_eq!(told.count(), 1, "{notices:?}");
        assert!(!notices.iter().any(|line| line.contains("missing")));
        let lines = person.client().messages(&desk, Page::default()).await;
        let lines = lines.unwrap();
        let said = lines.iter().find(|line| line.text == "Not today.").unwrap();
        assert!(said.edits == 0 && !said.deleted);
    }
}
