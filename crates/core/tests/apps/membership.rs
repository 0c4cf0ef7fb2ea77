//! Who is in a group and with which keys: joining by a last-resort key package, being removed while away, and sends that a removal
//! made stale.

use std::collections::BTreeSet;

use crate::fake::{FakeServer, Person, at_rest, eventually, three};
use undertone_core::{ChatState, Draft, Page};
use undertone_mls::{Group, GroupId, Provider};
use undertone_wire::ids::{AddressHash, QueueId};

type Outcome = Result<(), undertone_core::Error>;

fn set(addresses: Vec<AddressHash>) -> BTreeSet<[u8; 32]> {
    let bytes = addresses.iter().map(|address| *address.as_bytes());
    bytes.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_by_a_last_resort_key_package_moves_to_an_address_of_its_own() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    let ids = [ada.client().find_contact("Ben").await?.id];
    for round in 0..2 {
        at_rest(&server, &[&ada, &ben, &cleo]).await;
        let last_resort = round == 0;
        if last_resort {
            server.exhaust_pools();
        }
        let name = format!("Group {round}");
        ada.client().create_group(&name, &ids).await?;
        eventually("Ben is in", || async {
            ben.client().find_chat(&name).await.is_ok()
        })
        .await;
        let landing = set(server.last_addresses().0);
        ben.settle().await;
        ada.settle().await;
        let before = ada.chat(&name).await.epoch;
        eventually("Ben has moved, or need not", || async {
            !last_resort || ben.chat(&name).await.epoch > before || before > 1
        })
        .await;
        ben.settle().await;
        ada.settle().await;
        ada.says(&name, "Welcome.").await;
        let used = set(server.last_addresses().1);
        assert_eq!(used.is_disjoint(&landing), last_resort, "round {round}");
        ben.reads(&name, &["Ada: Welcome."]).await;
        ben.says(&name, "Thank you.").await;
        ada.reads(&name, &["Ada: Welcome.", "Ben: Thank you."])
            .await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_while_away_reads_nothing_of_what_came_after() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    ada.says("Desk", "All together.").await;
    cleo.reads("Desk", &["Ada: All together."]).await;
    cleo.settle().await;
    cleo.quit().await;
    ada.says("Desk", "While Cleo was out.").await;
    let desk = ada.chat("Desk").await.id;
    let id = ada.client().find_contact("Cleo").await?.id;
    ada.client().group_remove(&desk, &id).await?;
    ada.says("Desk", "Between us.").await;
    let all = [
        "Ada: All together.",
        "Ada: While Cleo was out.",
        "Ada: Between us.",
    ];
    ben.reads("Desk", &all).await;
    cleo.reopen().await;
    cleo.settle().await;
    assert_eq!(cleo.chat("Desk").await.state, ChatState::Removed);
    assert_eq!(cleo.lines("Desk").await, all[..2]);
    let refused = cleo.client().send(&desk, Draft::text("Hello?")).await;
    assert_eq!(refused.unwrap_err().code(), "chat.closed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_a_removal_made_stale_arrives_once_as_the_same_message() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, cleo) = three(&server).await;
    at_rest(&server, &[&ada, &ben, &cleo]).await;
    let desk = ada.chat("Desk").await.id;
    let id = ada.client().find_contact("Cleo").await?.id;
    let queue = queue_of(&ben, &server).await;
    server.hold(queue);
    ada.client().group_remove(&desk, &id).await?;
    // Ben does not know yet: what he seals is for an epoch that Cleo can read, and is refused.
    let mut sent = Vec::new();
    for text in ["One.", "Two.", "Three."] {
        let message = ben.client().enqueue(&desk, Draft::text(text)).await?;
        sent.push(message.message);
    }
    let before = server.stale();
    eventually("the server refuses them", || async {
        server.stale() > before || before > 0
    })
    .await;
    assert!(ada.lines("Desk").await.is_empty());
    server.let_go();
    let lines = ["Ben: One.", "Ben: Two.", "Ben: Three."];
    ada.reads("Desk", &lines).await;
    ben.settle().await;
    ben.reads("Desk", &lines).await;
    ada.settle().await;
    let read = ada.client().messages(&desk, Page::default()).await?;
    let read = read
        .iter()
        .filter(|line| !line.text.is_empty() && line.sender.is_some());
    let ids: Vec<_> = read.map(|line| line.id.clone()).collect();
    assert!(
        sent.iter()
            .all(|id| ids.iter().filter(|other| *other == id).count() == 1)
    );
    assert!(cleo.lines("Desk").await.is_empty());
    Ok(())
}

/// Which queue is somebody's: the one an item for them lies in while they are away.
async fn queue_of(person: &Person, server: &FakeServer) -> QueueId {
    server.queue_numbered(match person.name {
        "Ada" => 0,
        "Ben" => 1,
        _ => 2,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_follows_to_another_channel_without_a_reason() -> Outcome {
    let server = FakeServer::new();
    let (ada, ben, mut cleo) = three(&server).await;
    // Cleo's app goes to the next fallback channel, alone, and speaks there.
    cleo.quit().await;
    go_to_fallback(&cleo);
    cleo.open().await;
    let desk = cleo.chat("Desk").await.id;
    let before = ada.chat("Desk").await.epoch;
    let draft = Draft::text("Over here!");
    cleo.client().enqueue(&desk, draft).await?;
    cleo.client().start().await?;
    eventually("the others have tried their channel", || async {
        ada.chat("Desk").await.epoch > before && ben.chat("Desk").await.epoch > before
    })
    .await;
    ada.says("Desk", "Still here.").await;
    ben.says("Desk", "Me too.").await;
    // They stay where they are. What Cleo said is heard all the same.
    let said = ["Ada: Still here.", "Ben: Me too.", "Cleo: Over here!"];
    for person in [&ada, &ben] {
        eventually("everything is read", || async {
            let mut lines = person.lines("Desk").await;
            lines.sort();
            lines == said
        })
        .await;
        assert_eq!(person.chat("Desk").await.state, ChatState::Active);
    }
    Ok(())
}

/// As if this home's app had had a reason to leave the channel. The home is not open.
fn go_to_fallback(person: &Person) {
    let home = person.home_while_away();
    let transaction = home.database().begin().expect("a transaction");
    let db = transaction.connection();
    let provider = Provider::new(db);
    let group: Vec<u8> = db
        .query_row(
            "SELECT group_id FROM conversations WHERE kind = 2",
            [],
            |row| row.get(0),
        )
        .expect("a group");
    let id = GroupId::from_slice(&group).expect("an id");
    let group = Group::load(&provider, &id)
        .expect("loads")
        .expect("a group");
    let next = group.fallback_channel_id(&provider, 0).expect("a channel");
    drop(group);
    db.execute(
        "UPDATE conversations SET channel_id = ?1, channel_made = 0, generation = 1, moves = 1, top_number = 0 WHERE kind = 2",
        [next.as_bytes()],
    )
    .expect("written");
    transaction.commit().expect("committed");
}
