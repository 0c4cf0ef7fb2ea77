//! What goes to other servers and what they bring.

use undertone_wire::forward::{Bundle, Delivery, ServerKey, Wrapping, id_of, open, pin_of};
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::ids::Pin;
use undertone_wire::origin::ServerAddress;
use undertone_wire::response::ItemKind;
use undertone_wire::secrets::AddressSecret;

use super::*;

/// Another server, as far as sealing goes.
struct Other {
    pair: HpkeKeyPair,
    server: ServerAddress,
    address: AddressSecret,
}

impl Other {
    fn new(host: &str) -> Self {
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
    fn waiting(&self, world: &World) -> Vec<(u64, Delivery)> {
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
                (parcel.sequence, opened.unwrap())
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
        .parcels_taken(ben.server.to_string(), waiting[0].0)
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
