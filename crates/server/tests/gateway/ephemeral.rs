//! What is never stored: for who is there, or for nobody.

use undertone_wire::request::{AddressKind, FromClient, Request, SendEphemeral};
use undertone_wire::response::{ItemKind, Response};
use undertone_wire::secrets::AddressSecret;
use undertone_wire::{Code, limits};

use super::client::{Device, TestServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_never_stored_comes_at_once_or_never_and_is_on_no_disk() {
    let mut server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let contact = ben.address(AddressKind::Contact).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let ephemeral = |payload: &[u8], addresses: Vec<AddressSecret>| {
        Request::SendEphemeral(SendEphemeral {
            epoch: 3,
            payload: payload.to_vec().into(),
            addresses,
        })
    };
    let to_ben = || vec![address.duplicate(), contact.duplicate()];
    // Nobody takes it yet; the answer says nothing of that.
    let sent = outbox.ask(ephemeral(b"too early", to_ben())).await;
    assert_eq!(sent, Ok(Response::Done));
    let unknown = vec![AddressSecret::random()];
    let sent = outbox.ask(ephemeral(b"nobody", unknown)).await;
    assert_eq!(sent, Ok(Response::Done));
    assert!(ben.inbox.is_quiet(200).await);

    ben.inbox
        .send(&[FromClient::EphemeralCredit(8).to_proto()])
        .await;
    // What came a moment ago still waits for that.
    assert_eq!(ben.ephemeral().await.payload, &b"too early"[..]);
    let secret = b"Ada is typing this very moment";
    let sent = outbox.ask(ephemeral(secret, to_ben())).await;
    assert_eq!(sent, Ok(Response::Done));
    let item = ben.ephemeral().await;
    assert_eq!(item.payload, &secret[..]);
    assert_eq!(
        (item.kind, item.epoch, item.number),
        (ItemKind::Ephemeral, 3, 0)
    );
    assert_eq!(item.address, address.hash());
    assert!(ben.inbox.is_quiet(200).await, "once");

    // Too large, and too many.
    let large = vec![0; limits::EPHEMERAL_PAYLOAD_BYTES + 1];
    let refused = outbox.ask(ephemeral(&large, to_ben())).await;
    assert_eq!(refused.unwrap_err().code, Code::LimitPayload);
    let many = (0..=limits::EPHEMERAL_ADDRESSES).map(|_| AddressSecret::random());
    let refused = outbox.ask(ephemeral(b"x", many.collect())).await;
    assert_eq!(refused.unwrap_err().code, Code::LimitAddresses);

    // A restart knows nothing of it, and the folder holds nothing: no item, no key, no byte.
    server.stop().await;
    let rows = |table: &str| -> i64 {
        let folder = server.dir.path();
        let found = walk(folder)
            .into_iter()
            .find(|path| path.ends_with("store.sqlite"));
        let database = rusqlite::Connection::open(found.expect("a database")).unwrap();
        let sql = format!("SELECT count(*) FROM {table}");
        database.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((rows("items"), rows("sealing_keys")), (0, 0));
    for path in walk(server.dir.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(secret) && !holds(b"too early"), "{}", path.display());
    }
    server.start_again().await;
    let position = ben.sign_in(&server).await;
    assert_eq!(position.first_sequence, position.next_sequence);
}

pub fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(walk(&path));
        } else if path.is_file() {
            all.push(path);
        }
    }
    all
}
