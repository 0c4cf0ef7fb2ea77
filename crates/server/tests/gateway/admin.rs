//! The admin socket, and a folder at rest: the same commands, the same answers.

use std::os::unix::fs::PermissionsExt as _;

use undertone_server::admin::{Answer, Command};
use undertone_server::config::Registration;
use undertone_wire::request::AddressKind;

use super::client::{Device, PATIENCE, TestServer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_the_same_through_the_socket_and_at_rest() {
    let mut server = TestServer::start().await;
    let (mut ada, mut ben) = (Device::new(&server).await, Device::new(&server).await);
    let address = ben.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.deliver(b"x", &[&address]).await.unwrap();

    let socket = std::fs::metadata(server.dir.path().join("admin.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let Answer::Status(running) = server.ask(Command::Status).await.unwrap() else {
        panic!()
    };
    assert!(running.running && running.accepts_sends);
    assert_eq!(
        (running.queues, running.addresses, running.items),
        (2, 1, 1)
    );
    assert_eq!((running.connections, running.inboxes), (3, 2));
    server.stop().await;
    let Answer::Status(resting) = server.ask(Command::Status).await.unwrap() else {
        panic!()
    };
    assert!(!resting.running);
    assert_eq!(
        (resting.queues, resting.addresses, resting.items),
        (2, 1, 1)
    );
    assert_eq!(resting.pin, running.pin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_made_at_rest_works_when_the_server_runs() {
    let mut server =
        TestServer::start_with(|config| config.registration = Registration::Invitation).await;
    server.stop().await;
    let code = server.invitation(1).await;
    server.start_again().await;
    Device::with_invitation(&server, Some(code)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_are_counts_and_nothing_else() {
    let server =
        TestServer::start_with(|config| config.metrics = Some("127.0.0.1:0".parse().unwrap()))
            .await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    outbox.deliver(b"x", &[&address]).await.unwrap();
    let text = server.figures().await;
    for line in [
        "undertone_inboxes 1",
        "undertone_outboxes 1",
        "undertone_sends_total 1",
        "undertone_tokens_redeemed_total 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert!(!body.contains("127.0.0.1"));
}

/// Whoever asked for the copy was killed before it was packed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_copy_of_an_interrupted_backup_does_not_lie_about() {
    let mut server = TestServer::start().await;
    let copy = server.dir.path().join("backup.partial");
    let gone = async |copy: &std::path::Path| {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while copy.exists() {
            assert!(tokio::time::Instant::now() < deadline, "it lies about");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert!(matches!(
        server.ask(Command::Copy).await,
        Ok(Answer::Copied)
    ));
    gone(&copy).await;
    // Or the server was killed with it.
    server.stop().await;
    std::fs::create_dir_all(copy.join("blobs/ab")).unwrap();
    server.start_again().await;
    gone(&copy).await;
}
