//! Channels order a conversation, as docs/protocol.md section 4 says.

use bytes::Bytes;
use undertone_wire::Code;
use undertone_wire::ids::{ChannelId, SendId};
use undertone_wire::request::{
    AddressKind, AddressRename, ChannelCommit, ChannelControl, ChannelSend, CreateChannel, Request,
};
use undertone_wire::response::{ItemKind, Response};
use undertone_wire::secrets::{AddressSecret, ChannelKey};

use super::client::{Client, Device, TestServer};

struct Channel {
    id: ChannelId,
    keys: Vec<ChannelKey>,
    to: AddressSecret,
}

impl Channel {
    fn new(to: &AddressSecret) -> Self {
        Self {
            id: ChannelId::random(),
            keys: (0..10).map(|_| ChannelKey::random()).collect(),
            to: to.duplicate(),
        }
    }

    fn create(&self) -> Request {
        Request::CreateChannel(CreateChannel {
            channel_id: self.id,
            epoch: 0,
            lock: self.keys[0].lock(),
            min_send_epoch: 0,
        })
    }

    fn commit(&self, epoch: usize, payload: &'static [u8], removes: bool) -> ChannelCommit {
        ChannelCommit {
            channel_id: self.id,
            epoch: epoch as u64,
            key: self.keys[epoch].duplicate(),
            next_lock: self.keys[epoch + 1].lock(),
            payload: Bytes::from_static(payload),
            addresses: vec![self.to.duplicate()],
            renames: vec![],
            removes,
            blob: None,
        }
    }

    fn send(&self, epoch: u64, payload: &'static [u8]) -> Request {
        Request::ChannelSend(ChannelSend {
            channel_id: self.id,
            epoch,
            send_id: SendId::random(),
            payload: Bytes::from_static(payload),
            addresses: vec![self.to.duplicate()],
        })
    }

    fn control(&self, payload: &'static [u8]) -> Request {
        Request::ChannelControl(ChannelControl {
            channel_id: self.id,
            send_id: SendId::random(),
            payload: Bytes::from_static(payload),
            addresses: vec![self.to.duplicate()],
        })
    }
}

async fn number(outbox: &mut Client, request: Request) -> u64 {
    match outbox.ask(request).await {
        Ok(Response::Accepted(accepted)) => accepted.number,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_move_the_epoch_and_everything_gets_one_order() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let channel = Channel::new(&address);
    let mut outbox = server.paid_outbox(&mut ada).await;

    assert_eq!(
        outbox.refused(channel.send(0, b"early")).await,
        Code::ChannelUnknown
    );
    assert_eq!(outbox.ask(channel.create()).await, Ok(Response::Done));
    assert_eq!(
        outbox.ask(channel.create()).await,
        Ok(Response::Done),
        "idempotent"
    );

    let first = number(&mut outbox, channel.send(0, b"a")).await;
    assert_eq!(
        number(
            &mut outbox,
            Request::ChannelCommit(channel.commit(0, b"c0", false))
        )
        .await,
        first + 1
    );
    assert_eq!(number(&mut outbox, channel.send(1, b"b")).await, first + 2);
    assert_eq!(
        number(&mut outbox, channel.control(b"help")).await,
        first + 3
    );

    ada.give_credit(10).await;
    let expected = [
        (&b"a"[..], ItemKind::Application, 0, None),
        (b"c0", ItemKind::Commit, 0, Some(channel.keys[1].lock())),
        (b"b", ItemKind::Application, 1, None),
        (b"help", ItemKind::Control, 1, None),
    ];
    for (at, (payload, kind, epoch, next_lock)) in expected.into_iter().enumerate() {
        let (_, item) = ada.item().await;
        assert_eq!(&item.payload[..], payload);
        assert_eq!(
            (item.kind, item.epoch, item.next_lock),
            (kind, epoch, next_lock)
        );
        assert_eq!(item.number, first + at as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_commits_for_one_epoch_the_first_wins() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let channel = Channel::new(&address);
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.ask(channel.create()).await.unwrap();

    let won = number(
        &mut outbox,
        Request::ChannelCommit(channel.commit(0, b"won", false)),
    )
    .await;
    let lost = outbox
        .ask(Request::ChannelCommit(channel.commit(0, b"lost", false)))
        .await
        .unwrap_err();
    assert_eq!((lost.code, lost.epoch), (Code::ChannelEpoch, 1));
    let again = number(
        &mut outbox,
        Request::ChannelCommit(channel.commit(0, b"won", false)),
    )
    .await;
    assert_eq!(
        again, won,
        "a repeated commit is answered as the first time"
    );

    let mut stranger = channel.commit(1, b"no key", false);
    stranger.key = ChannelKey::random();
    assert_eq!(
        outbox.refused(Request::ChannelCommit(stranger)).await,
        Code::ChannelLock
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_makes_everything_older_stale() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let channel = Channel::new(&address);
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.ask(channel.create()).await.unwrap();
    number(
        &mut outbox,
        Request::ChannelCommit(channel.commit(0, b"c0", false)),
    )
    .await;
    number(&mut outbox, channel.send(0, b"late but fine")).await;
    number(
        &mut outbox,
        Request::ChannelCommit(channel.commit(1, b"c1", true)),
    )
    .await;
    let stale = outbox.ask(channel.send(1, b"too late")).await.unwrap_err();
    assert_eq!(
        (stale.code, stale.epoch, stale.min_send_epoch),
        (Code::ChannelStale, 2, 2)
    );
    number(&mut outbox, channel.send(2, b"fine")).await;
    assert_eq!(
        outbox.refused(channel.send(3, b"from the future")).await,
        Code::ChannelStale
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_renames_addresses() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let channel = Channel::new(&address);
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.ask(channel.create()).await.unwrap();
    let fresh = AddressSecret::random();
    let mut commit = channel.commit(0, b"c0", true);
    commit.renames = vec![AddressRename {
        old: address.duplicate(),
        new: fresh.hash(),
    }];
    number(&mut outbox, Request::ChannelCommit(commit)).await;
    // Both names work, the old one for a short grace; items say the present name.
    outbox.deliver(b"new name", &[&fresh]).await.unwrap();
    outbox.deliver(b"old name", &[&address]).await.unwrap();
    ada.give_credit(5).await;
    ada.item().await;
    for expected in [&b"new name"[..], b"old name"] {
        let (_, item) = ada.item().await;
        assert_eq!(&item.payload[..], expected);
        assert_eq!(item.address, fresh.hash());
    }
}
