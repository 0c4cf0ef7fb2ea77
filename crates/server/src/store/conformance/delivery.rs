//! From a send to an online owner: order, overflow, credit, keys, a second sign-in.

use super::*;
use crate::delivery::{Inbox, Pushed, Wake};

fn run<T>(script: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            tokio::time::timeout(Duration::from_secs(20), script)
                .await
                .expect("nothing came")
        })
}

async fn sign_in(world: &World, owner: &Owner) -> Inbox {
    Inbox::open(Arc::clone(&world.store), &world.parts.hub, owner.queue)
        .await
        .unwrap()
        .1
}

/// Takes `count` items off, with at most `credit` at a time.
async fn receive(inbox: &mut Inbox, owner: &Owner, count: usize, credit: u32) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let mut pushed = Vec::new();
        assert_eq!(inbox.next(credit, &mut pushed).await.unwrap(), Wake::Items);
        let items: Vec<_> = pushed
            .iter()
            .filter_map(|pushed| match pushed {
                Pushed::Item(item) => Some(item),
                Pushed::SealKey(_) | Pushed::Ephemeral(_) => None,
            })
            .collect();
        assert!(!items.is_empty() && items.len() <= credit as usize);
        texts.extend(
            items
                .into_iter()
                .map(|item| text(&owner.open(item).unwrap())),
        );
    }
    texts
}

/// Nothing more comes for a while.
async fn silence(inbox: &mut Inbox, credit: u32) {
    let mut pushed = Vec::new();
    let next = inbox.next(credit, &mut pushed);
    assert!(
        tokio::time::timeout(Duration::from_millis(30), next)
            .await
            .is_err(),
        "something came"
    );
}

fn texts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("message {number}")).collect()
}

pub(crate) fn what_is_fresh_arrives_in_order(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        let mut inbox = sign_in(&world, &ada).await;
        assert_eq!(world.parts.hub.online(), 1);
        for text in texts(0..3) {
            world.store.send(direct(&text, &[address])).await.unwrap();
        }
        assert_eq!(receive(&mut inbox, &ada, 3, 10).await, texts(0..3));
        silence(&mut inbox, 10).await;
        drop(inbox);
        assert_eq!(world.parts.hub.online(), 0);
    });
}

pub(crate) fn what_was_queued_before_comes_first(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        for text in texts(0..300) {
            world.store.send(direct(&text, &[address])).await.unwrap();
        }
        world.store.ack(ada.queue, 10);
        let mut inbox = sign_in(&world, &ada).await;
        for text in texts(300..303) {
            world.store.send(direct(&text, &[address])).await.unwrap();
        }
        assert_eq!(receive(&mut inbox, &ada, 293, 1000).await, texts(10..303));
        silence(&mut inbox, 1).await;
    });
}

/// The ring holds four items; the reader sleeps through two hundred, some of which it has acknowledged blindly.
pub(crate) fn a_slow_reader_loses_nothing(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        let mut inbox = sign_in(&world, &ada).await;
        for round in 0..4 {
            let wanted = texts(round * 50..round * 50 + 50);
            for text in &wanted {
                world.store.send(direct(text, &[address])).await.unwrap();
            }
            assert_eq!(receive(&mut inbox, &ada, 50, 7).await, wanted);
        }
        for text in texts(0..20) {
            world.store.send(direct(&text, &[address])).await.unwrap();
        }
        world.store.ack(ada.queue, 210);
        world.store.flush().await.unwrap();
        // What lay in the ring still comes; of the rest, what has not been acknowledged.
        let mut wanted = texts(0..4);
        wanted.extend(texts(10..20));
        assert_eq!(receive(&mut inbox, &ada, 14, 3).await, wanted);
        silence(&mut inbox, 3).await;
    });
}

pub(crate) fn a_second_sign_in_replaces_the_first(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        let mut first = sign_in(&world, &ada).await;
        let mut second = sign_in(&world, &ada).await;
        let mut pushed = Vec::new();
        assert_eq!(first.next(0, &mut pushed).await.unwrap(), Wake::Replaced);
        assert_eq!(first.next(9, &mut pushed).await.unwrap(), Wake::Replaced);
        drop(first);
        world
            .store
            .send(direct("message 0", &[address]))
            .await
            .unwrap();
        assert_eq!(receive(&mut second, &ada, 1, 1).await, texts(0..1));
        assert!(pushed.is_empty());
    });
}

pub(crate) fn credit_is_kept_to(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        let mut inbox = sign_in(&world, &ada).await;
        for text in texts(0..3) {
            world.store.send(direct(&text, &[address])).await.unwrap();
        }
        silence(&mut inbox, 0).await;
        assert_eq!(receive(&mut inbox, &ada, 2, 1).await, texts(0..2));
        silence(&mut inbox, 0).await;
        assert_eq!(receive(&mut inbox, &ada, 1, 5).await, texts(2..3));
    });
}

pub(crate) fn the_sealing_key_comes_first(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        world
            .store
            .send(direct("stored", &[address]))
            .await
            .unwrap();
        let mut inbox = sign_in(&world, &ada).await;
        world
            .store
            .send(direct("same key", &[address]))
            .await
            .unwrap();
        world.pass(Duration::from_secs(3600));
        world
            .store
            .send(direct("next key", &[address]))
            .await
            .unwrap();
        let mut pushed = Vec::new();
        while pushed.len() < 5 {
            inbox.next(9, &mut pushed).await.unwrap();
        }
        let mut known = None;
        let mut keys = 0;
        for pushed in pushed {
            match pushed {
                Pushed::SealKey(key) => {
                    known = Some(key.key_id);
                    keys += 1;
                }
                Pushed::Item(item) => assert_eq!(Some(item.key.key_id), known),
                Pushed::Ephemeral(_) => panic!("nothing was sent for a moment"),
            }
        }
        assert_eq!(keys, 2);
    });
}

/// A connection may last longer than a queue is kept for an owner who stays away.
pub(crate) fn an_online_owner_does_not_expire(world: World) {
    run(async {
        let ada = world.owner();
        let address = world.conversation(&ada);
        let mut inbox = sign_in(&world, &ada).await;
        world.pass_days(181);
        assert_eq!(world.store.sweep().await.unwrap().queues, 0);
        world
            .store
            .send(direct("message 0", &[address]))
            .await
            .unwrap();
        assert_eq!(receive(&mut inbox, &ada, 1, 1).await, texts(0..1));
        drop(inbox);
        assert_eq!(world.store.sweep().await.unwrap().queues, 0);
        world.pass_days(181);
        assert_eq!(world.store.sweep().await.unwrap().queues, 1);
    });
}

/// What the queues of these addresses are handed now.
async fn hand_over(world: &World, text: &str, addresses: &[AddressHash]) {
    let queues = world.store.resolve(addresses.to_vec()).await.unwrap();
    let to = addresses.iter().copied().zip(queues);
    let payload = Bytes::copy_from_slice(text.as_bytes());
    let to = to.filter_map(|(address, queue)| Some((address, queue?)));
    crate::delivery::hand_over(&world.parts.hub, 7, &payload, to).unwrap();
}

/// The next ephemeral, opened with the key that came before it.
async fn ephemeral(inbox: &mut Inbox, owner: &Owner, key: &mut Option<OpeningKey>) -> QueueItem {
    let mut pushed = Vec::new();
    assert_eq!(inbox.next(0, &mut pushed).await.unwrap(), Wake::Items);
    let mut found = None;
    for push in pushed {
        match push {
            Pushed::SealKey(row) => *key = Some(owner.opening_key(&row)),
            Pushed::Ephemeral(sent) => {
                let key = key.as_ref().expect("a key comes first");
                assert_eq!(key.id(), sent.key.key_id);
                found = Some(
                    key.open_item(&owner.queue, 0, sent.nonce, &sent.sealed)
                        .unwrap(),
                );
            }
            Pushed::Item(_) => panic!("without credit"),
        }
    }
    found.expect("one came")
}

pub(crate) fn what_is_never_stored_reaches_who_is_there_and_nobody_else(world: World) {
    run(async {
        let (ada, ben) = (world.owner(), world.owner());
        let (to_ada, to_ben) = (world.conversation(&ada), world.conversation(&ben));
        let contact = world.address(&ada, AddressKind::Contact);
        let mut inbox = sign_in(&world, &ada).await;
        inbox.take_ephemerals(3);
        let unknown = AddressHash::new([9; 32]);
        hand_over(&world, "now", &[to_ada, to_ben, contact, unknown]).await;
        let mut key = None;
        let item = ephemeral(&mut inbox, &ada, &mut key).await;
        assert_eq!(
            (text(&item), item.epoch, item.number),
            ("now".to_owned(), 7, 0)
        );
        assert_eq!((item.address, item.channel), (to_ada, None));
        assert_eq!(item.kind, undertone_wire::response::ItemKind::Ephemeral);
        // Once, for the one address of a conversation; and nothing waits for who was away.
        silence(&mut inbox, 10).await;
        let mut late = sign_in(&world, &ben).await;
        late.take_ephemerals(10);
        silence(&mut late, 10).await;

        // Sequences know nothing of it, and items go on as before.
        world.store.send(direct("kept", &[to_ada])).await.unwrap();
        hand_over(&world, "again", &[to_ada]).await;
        let item = ephemeral(&mut inbox, &ada, &mut key).await;
        assert_eq!(text(&item), "again");
        assert_eq!(receive(&mut inbox, &ada, 1, 10).await, ["kept"]);
        let all = FetchLimit {
            items: 100,
            bytes: usize::MAX,
        };
        let fetched = world.store.fetch(ada.queue, 0, all).await.unwrap();
        assert_eq!(fetched.items.len(), 1, "one item ever");
    });
}

pub(crate) fn who_takes_no_ephemerals_gets_none_and_the_oldest_go_first(world: World) {
    run(async {
        let ada = world.owner();
        let to_ada = world.conversation(&ada);
        let mut inbox = sign_in(&world, &ada).await;
        for number in 0..20 {
            hand_over(&world, &format!("{number}"), &[to_ada]).await;
        }
        silence(&mut inbox, 10).await;
        inbox.take_ephemerals(2);
        let mut key = None;
        for expected in ["4", "5"] {
            let item = ephemeral(&mut inbox, &ada, &mut key).await;
            assert_eq!(text(&item), expected, "sixteen are kept for a moment");
        }
        silence(&mut inbox, 10).await;
    });
}
