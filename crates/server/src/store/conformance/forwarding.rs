//! What goes to other servers and what they bring.

use undertone_wire::forward::{Bundle, Delivery, ServerKey, Wrapping, id_of, open, pin_of};
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::Pin;
use undertone_wire::origin::ServerAddress;
use undertone_wire::response::ItemKind;
use undertone_wire::secrets::AddressSecret;

use super::*;

/// Another server, as far as sealing goes.
pub(crate) struct Other {
    pair: HpkeKeyPair,
    pub(crate) server: ServerAddress,
    address: AddressSecret,
}

impl Other {
    pub(crate) fn new(host: &str) -> Self {
        Self {
            pair: HpkeKeyPair::generate().unwrap(),
            server: ServerAddress {
                origin: host.parse().unwrap(),
                pin: pin_of(&random()),
            },
            address: AddressSecret::random(),
        }
    }

    fn outgoing(&self, index: usize, payload: &[u8]) -> Outgoing {
        let key = ServerKey::new(self.pair.public().clone(), 1, [0; 32], [0; 64]);
        let bundle = Bundle::seal(
            self.server.clone(),
            key,
            payload,
            std::slice::from_ref(&self.address),
            &[],
        )
        .unwrap();
        Outgoing {
            index,
            server: self.server.to_string(),
            wrapping: Wrapping::new(&bundle).unwrap(),
        }
    }

    /// What waits for it, opened.
    pub(crate) fn waiting(&self, world: &World) -> Vec<(ParcelMark, Delivery)> {
        let parcels = world
            .store
            .parcels(self.server.to_string(), 1 << 20)
            .wait()
            .unwrap();
        parcels
            .iter()
            .map(|parcel| {
                let body = undertone_wire::forward::gather([&parcel.sealed[..]]);
                let read = undertone_wire::forward::parcels(body.into()).unwrap();
                let id = id_of(self.pair.public());
                let opened = open(&read[0], &self.server.pin, |asked| {
                    (*asked == id).then_some(&self.pair)
                });
                (parcel.mark(), opened.unwrap())
            })
            .collect()
    }
}

fn forwarding(text: &str, here: &[AddressHash], others: &[&Other]) -> Forwarding {
    Forwarding {
        send: AnySend::Direct(direct(text, here)),
        parcels: others
            .iter()
            .enumerate()
            .map(|(index, other)| other.outgoing(index, text.as_bytes()))
            .collect(),
        left_out: Vec::new(),
    }
}

pub(crate) fn a_send_leaves_a_parcel_for_each_server_and_restarts_keep_it(mut world: World) {
    let (ben, cleo) = (Other::new("ben.example"), Other::new("cleo.example"));
    for text in ["one", "two"] {
        let accepted = world
            .store
            .forwarding(forwarding(text, &[], &[&ben, &cleo]))
            .wait()
            .unwrap();
        assert!(accepted.missed.is_empty());
    }
    world.restart();
    let mut servers = world.store.parcel_servers().wait().unwrap();
    servers.sort();
    assert_eq!(
        servers,
        [ben.server.to_string(), cleo.server.to_string()],
        "each once"
    );
    let waiting = ben.waiting(&world);
    let said: Vec<_> = waiting
        .iter()
        .map(|(_, delivery)| text(&delivery.item))
        .collect();
    assert_eq!(said, ["one", "two"], "in order");
    assert!(waiting[0].1.addresses == [ben.address.duplicate()]);
    assert_ne!(waiting[0].1.parcel, cleo.waiting(&world)[0].1.parcel);

    // What one has taken is gone, and nothing else.
    world
        .store
        .parcels_taken(ben.server.to_string(), waiting[0].0.clone())
        .wait()
        .unwrap();
    assert_eq!(ben.waiting(&world).len(), 1);
    assert_eq!(cleo.waiting(&world).len(), 2);
}

pub(crate) fn a_repeated_send_leaves_no_second_parcel(world: World) {
    let ben = Other::new("ben.example");
    let send = direct("hello", &[]);
    for _ in 0..2 {
        let forwarding = Forwarding {
            send: AnySend::Direct(send.clone()),
            parcels: vec![ben.outgoing(0, b"hello")],
            left_out: Vec::new(),
        };
        world.store.forwarding(forwarding).wait().unwrap();
    }
    assert_eq!(ben.waiting(&world).len(), 1);
}

pub(crate) fn what_finds_no_room_is_left_out_and_the_sender_is_told(mut world: World) {
    let (ben, cleo) = (Other::new("ben.example"), Other::new("cleo.example"));
    world.limit(|limits| limits.parcel_bytes_per_server = 30_000);
    let mut missed = false;
    for round in 0..10 {
        let forwarding = Forwarding {
            send: AnySend::Direct(direct(&format!("{round}"), &[])),
            parcels: vec![ben.outgoing(1, format!("{round}").as_bytes())],
            left_out: vec![0],
        };
        let accepted = world.store.forwarding(forwarding).wait().unwrap();
        assert_eq!(accepted.missed[0] & 1, 1, "the gateway's refusal is told");
        missed |= accepted.missed[0] & 2 != 0;
    }
    assert!(missed, "the tenth finds no room");
    let accepted = world
        .store
        .forwarding(forwarding("else", &[], &[&cleo]))
        .wait()
        .unwrap();
    assert!(accepted.missed.is_empty(), "others are not held up");
    // A month of silence, and it is over.
    world.pass_days(31);
    world.store.sweep().wait().unwrap();
    assert!(world.store.parcel_servers().wait().unwrap().is_empty());
}

/// Something for each of them; whether there was room.
pub(crate) fn finds_room(world: &World, others: &[&Other]) -> bool {
    let send = forwarding("hello", &[], others);
    let accepted = world.store.forwarding(send).wait().unwrap();
    accepted.missed.is_empty()
}

fn takes_all(world: &World, other: &Other) {
    for (mark, _) in other.waiting(world) {
        let server = other.server.to_string();
        world.store.parcels_taken(server, mark).wait().unwrap();
    }
    assert!(other.waiting(world).is_empty());
}

pub(crate) fn made_up_servers_crowd_out_nobody_who_is_there(mut world: World) {
    world.limit(|limits| limits.parcel_servers = 8);
    let (ben, cleo) = (Other::new("ben.example"), Other::new("cleo.example"));
    assert!(finds_room(&world, &[&ben]));
    takes_all(&world, &ben);
    let made_up: Vec<_> = (0..100)
        .map(|number| Other::new(&format!("h{number}.example")))
        .collect();
    let mut found_room = 0;
    for nobody in &made_up {
        found_room += usize::from(finds_room(&world, &[nobody]));
    }
    assert_eq!(found_room, 4, "half of the places are for who has answered");
    assert!(finds_room(&world, &[&ben]), "who is away a while keeps it");
    assert!(
        !finds_room(&world, &[&cleo]),
        "nobody knows yet which are there"
    );
    for nobody in &made_up[..4] {
        world.store.not_reached(&nobody.server.to_string());
        world.pass(Duration::from_secs(1));
    }
    // From now on each that is made up crowds out another that is.
    for nobody in &made_up[4..] {
        assert!(finds_room(&world, &[nobody]));
        world.store.not_reached(&nobody.server.to_string());
    }
    assert!(finds_room(&world, &[&cleo]), "somebody new");
    assert_eq!(
        (ben.waiting(&world).len(), cleo.waiting(&world).len()),
        (1, 1)
    );
    assert_eq!(world.store.parcel_servers().wait().unwrap().len(), 5);
    takes_all(&world, &cleo);
    takes_all(&world, &ben);
}

pub(crate) fn a_stranger_is_waited_for_two_days_and_who_answered_for_a_month(mut world: World) {
    let (ben, nobody) = (Other::new("ben.example"), Other::new("nobody.example"));
    for _ in 0..2 {
        assert!(finds_room(&world, &[&ben, &nobody]));
    }
    // One of two is taken: he is there, and the other is waited for longer.
    let mark = ben.waiting(&world)[0].0.clone();
    let server = ben.server.to_string();
    world.store.parcels_taken(server, mark).wait().unwrap();
    world.pass_days(2);
    world.store.sweep().wait().unwrap();
    assert_eq!(nobody.waiting(&world).len(), 2, "it was down for a day");
    world.pass_days(1);
    world.store.sweep().wait().unwrap();
    assert!(nobody.waiting(&world).is_empty());
    assert_eq!(ben.waiting(&world).len(), 1);
    // Also after a restart, while something waits.
    world.restart();
    assert!(finds_room(&world, &[&ben]));
    world.pass_days(20);
    world.store.sweep().wait().unwrap();
    assert_eq!(ben.waiting(&world).len(), 2);
}

pub(crate) fn what_runs_out_while_it_is_brought_takes_nothing_with_it(world: World) {
    let ben = Other::new("ben.example");
    for _ in 0..3 {
        assert!(finds_room(&world, &[&ben]));
    }
    let under_way = ben.waiting(&world);
    // They run out, and then there is something new.
    world.pass_days(31);
    world.store.sweep().wait().unwrap();
    assert!(ben.waiting(&world).is_empty());
    for _ in 0..3 {
        assert!(finds_room(&world, &[&ben]));
    }
    // Now the other side says that it has the three from before.
    let (mark, _) = under_way.last().unwrap();
    let server = ben.server.to_string();
    world
        .store
        .parcels_taken(server, mark.clone())
        .wait()
        .unwrap();
    assert_eq!(ben.waiting(&world).len(), 3, "nobody has these yet");
    takes_all(&world, &ben);
}

pub(crate) fn what_is_brought_is_queued_once_and_says_by_whom(world: World) {
    let owner = world.owner();
    let address = world.address(&owner, AddressKind::Conversation);
    let from = Pin::random();
    let brought = |parcel: [u8; 16], text: &str| Brought {
        from,
        parcel,
        item: QueueItem {
            address: AddressHash::new([0; 32]),
            kind: ItemKind::Application,
            number: 7,
            epoch: 3,
            next_lock: None,
            channel: Some(ChannelHash::new([9; 32])),
            payload: Bytes::copy_from_slice(text.as_bytes()),
            blob: None,
            server: None,
        },
        addresses: vec![address],
        renames: Vec::new(),
    };
    for (parcel, text) in [(1, "first"), (1, "first"), (2, "second")] {
        world
            .store
            .bring(brought([parcel; 16], text))
            .wait()
            .unwrap();
    }
    let items = world.read(&owner);
    let said: Vec<_> = items.iter().map(text).collect();
    assert_eq!(said, ["first", "second"]);
    assert!(items.iter().all(|item| item.server == Some(from)));
    assert_eq!(marks(&world), 2);
}

/// How many parcels that were brought are remembered, until they run out.
fn marks(world: &World) -> u64 {
    world.pass_days(40);
    world.store.sweep().wait().unwrap().parcels
}

pub(crate) fn what_reaches_nobody_leaves_nothing_behind(world: World) {
    let owner = world.owner();
    let address = world.address(&owner, AddressKind::Conversation);
    let brought = |to: AddressHash, renames: Vec<AddressRename>| {
        let brought = Brought {
            from: Pin::random(),
            parcel: random(),
            item: QueueItem {
                address: AddressHash::new([0; 32]),
                kind: ItemKind::Application,
                number: 1,
                epoch: 1,
                next_lock: None,
                channel: Some(ChannelHash::new([9; 32])),
                payload: Bytes::from_static(b"is anybody there?"),
                blob: None,
                server: None,
            },
            addresses: vec![to],
            renames,
        };
        world.store.bring(brought).wait().unwrap()
    };
    for _ in 0..1000 {
        assert!(!brought(AddressHash::random(), Vec::new()));
    }
    let unknown = AddressRename {
        old: AddressHash::random(),
        new: AddressHash::random(),
    };
    assert!(!brought(AddressHash::random(), vec![unknown]));
    let known = AddressRename {
        old: address,
        new: AddressHash::random(),
    };
    let new = known.new;
    assert!(brought(AddressHash::random(), vec![known]));
    assert!(brought(new, Vec::new()));
    assert_eq!(marks(&world), 2, "of the two that reached somebody");
}

pub(crate) fn a_channel_gives_guests_an_allowance_if_it_was_paid_for(mut world: World) {
    let new = |name: u8| NewChannel {
        channel: ChannelHash::new([name; 32]),
        epoch: 0,
        lock: [1; 32],
        min_send_epoch: 0,
    };
    let visit = |world: &World, name: u8| {
        world
            .store
            .visit(ChannelHash::new([name; 32]))
            .wait()
            .unwrap()
    };
    world.store.create_channel(new(1)).wait().unwrap();
    world.store.create_channel_by_guest(new(2)).wait().unwrap();
    assert!(visit(&world, 1) && !visit(&world, 2) && !visit(&world, 3));
    world.restart();
    assert!(visit(&world, 1) && !visit(&world, 2));
    // Somebody of this server stands up for it.
    world.store.create_channel(new(2)).wait().unwrap();
    assert!(visit(&world, 2));
}
