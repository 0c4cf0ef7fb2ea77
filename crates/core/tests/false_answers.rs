//! A member answers for another: says what stood at a place that somebody misses, before anybody has asked for it.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

mod fake;

use std::time::Duration;

use fake::{FakeServer, Person, at_rest, eventually, three};
use prost::Message as _;
use undertone_content::{Disposition, MessageId, MimiContent, NestedPart, Origin, Salt, uri};
use undertone_core::{Order, Page, store::StoreError};
use undertone_mls::DeviceKeys;
use undertone_wire::ids::random_bytes;

/// docs/protocol.md section 7.
#[derive(Clone, PartialEq, prost::Message)]
struct Again {
    #[prost(message, repeated, tag = "1")]
    messages: Vec<Repeated>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Repeated {
    #[prost(uint32, tag = "1")]
    generation: u32,
    #[prost(uint64, tag = "2")]
    number: u64,
    #[prost(bytes = "vec", tag = "3")]
    content: Vec<u8>,
}

/// What an app would tell of itself, or say.
struct From {
    sender: String,
    room: String,
}

impl From {
    fn origin(&self, device_counter: u64) -> Origin<'_> {
        Origin {
            salt: Salt::from_random(random_bytes()),
            sender: &self.sender,
            room: &self.room,
            sent_at_ms: 1_700_000_000_000,
            device_counter,
        }
    }

    fn tells(&self, kind: &str, bytes: Vec<u8>) -> Vec<u8> {
        let part = NestedPart::single(Disposition::Session, kind, bytes);
        let content = MimiContent::new(&self.origin(0), part);
        content.encode().expect("encoded")
    }
}

/// Somebody's app, which is closed, is to say next what stood at this place.
fn is_to_answer(cheat: &Person, place: Order, says: impl FnOnce(&From) -> Vec<u8>) {
    let home = cheat.home_while_away();
    let put = home.database().transaction(|tx| {
        let db = tx.connection();
        let keys: Vec<u8> = db.query_row("SELECT device FROM account", [], |row| row.get(0))?;
        let (id, group): (i64, Vec<u8>) = db.query_row(
            "SELECT id, group_id FROM conversations WHERE name = 'Desk'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let keys = DeviceKeys::from_secret_bytes(&keys).expect("keys");
        let from = From {
            sender: uri::account(keys.account_id().as_bytes()),
            room: uri::room(&group),
        };
        let again = Again {
            messages: vec![Repeated {
                generation: place.generation,
                number: place.number,
                content: says(&from),
            }],
        };
        let again = from.tells("application/vnd.undertone.again", again.encode_to_vec());
        db.execute(
            "INSERT INTO outbox (conversation, message, kind, content, state, not_before_ms, epoch, payload, payload_hash, send_id, channel_id, accepted_at_ms)
             VALUES (?1, 0, 1, ?2, 1, 0, 0, x'', x'', x'', x'', 0)",
            rusqlite::params![id, again],
        )?;
        Ok::<_, StoreError>(())
    });
    put.expect("written");
}

async fn what_ada_said_comes_in_spite_of(says: impl FnOnce(&From) -> Vec<u8>) {
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
    what_ada_said_comes_in_spite_of(|from| {
        // As an app answers where a change of its own stood.
        from.tells("application/vnd.undertone.sync", Vec::new())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_unasked_that_it_was_they_who_spoke_hides_nothing_there() {
    what_ada_said_comes_in_spite_of(|from| {
        let content = MimiContent::text(&from.origin(1), "Come all.");
        content.encode().expect("encoded")
    })
    .await;
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
        let other = From {
            sender: uri::account(&[7; 32]),
            room: from.room.clone(),
        };
        let content = MimiContent::text(&other.origin(3), "I am somebody else.");
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
