//! Blind tokens: who gets how many, what one buys, and that it counts once.

use std::sync::Arc;
use std::time::Duration;

use undertone_server::config::Registration;
use undertone_server::store::ManualClock;
use undertone_wire::ids::{BlobId, ChannelId, SendId, random_bytes};
use undertone_wire::padding::PAYLOAD_CLASSES;
use undertone_wire::request::{AddressKind, CreateChannel, Request, TakeKeyPackages};
use undertone_wire::response::{Notice, Response};
use undertone_wire::secrets::AddressSecret;
use undertone_wire::tokens::Token;
use undertone_wire::{Code, Error};

use super::blobs::Http;
use super::client::{Device, TestServer, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_counts_once_on_any_connection_and_after_a_restart() {
    let mut server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let token = ada.token().await;
    let copy = || Token::from_slice(token.to_bytes().expose()).unwrap();

    let mut outbox = server.outbox().await;
    let Ok(Response::TokenCredit(credit)) = outbox.ask(Request::RedeemTokens(vec![copy()])).await
    else {
        panic!()
    };
    assert_eq!(
        credit.requests_left,
        u64::from(server.config.tokens.requests)
    );
    assert_eq!(credit.bytes_left, u64::from(server.config.tokens.mib) << 20);
    assert_eq!(
        outbox.refused(Request::RedeemTokens(vec![copy()])).await,
        Code::TokenSpent
    );
    let mut other = server.outbox().await;
    assert_eq!(
        other.refused(Request::RedeemTokens(vec![copy()])).await,
        Code::TokenSpent
    );
    server.stop().await;
    server.start_again().await;
    let mut later = server.outbox().await;
    assert_eq!(
        later.refused(Request::RedeemTokens(vec![copy()])).await,
        Code::TokenSpent
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_token_twice_in_one_request_counts_once() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let token = ada.token().await;
    let copy = Token::from_slice(token.to_bytes().expose()).unwrap();
    let mut outbox = server.outbox().await;
    let Ok(Response::TokenCredit(credit)) =
        outbox.ask(Request::RedeemTokens(vec![token, copy])).await
    else {
        panic!()
    };
    assert_eq!(
        credit.requests_left,
        u64::from(server.config.tokens.requests)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_buy_nothing_and_do_not_spoil_good_ones() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    let good = ada.token().await;
    let mut bytes = *good.to_bytes().expose();
    bytes[40] ^= 1;
    let changed = || Token::from_slice(&bytes).unwrap();
    let mut other_key = bytes;
    other_key[0] ^= 1;
    let mut outbox = server.outbox().await;
    assert_eq!(
        outbox.refused(Request::RedeemTokens(vec![changed()])).await,
        Code::TokenInvalid
    );
    let unknown = Token::from_slice(&other_key).unwrap();
    assert_eq!(
        outbox.refused(Request::RedeemTokens(vec![unknown])).await,
        Code::TokenKeyUnknown
    );
    let copy = Token::from_slice(good.to_bytes().expose()).unwrap();
    let mixed = outbox
        .refused(Request::RedeemTokens(vec![copy, changed()]))
        .await;
    assert_eq!(mixed, Code::TokenInvalid);
    assert!(
        outbox.ask(Request::RedeemTokens(vec![good])).await.is_ok(),
        "still fresh"
    );
    let invented = Token::from_slice(&random_bytes::<{ Token::LEN }>()).unwrap();
    assert_eq!(
        outbox.refused(Request::RedeemTokens(vec![invented])).await,
        Code::TokenKeyUnknown
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_without_credit_and_credit_runs_out() {
    let server = TestServer::start_with(|config| config.tokens.requests = 3).await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let mut outbox = server.outbox().await;
    assert_eq!(
        outbox.refused(send(b"x", &[&address])).await,
        Code::TokenRequired
    );
    assert_eq!(outbox.refused(Request::Ping).await, Code::TokenRequired);

    // Pipelined behind the token that pays for them: three go, the fourth does not.
    let token = ada.token().await;
    let redeem = outbox.fresh_id();
    let mut frames = vec![Request::RedeemTokens(vec![token]).to_frame(redeem)];
    let ids: Vec<u64> = (0..4).map(|_| outbox.fresh_id()).collect();
    frames.extend(ids.iter().map(|id| send(b"x", &[&address]).to_frame(*id)));
    outbox.send(&frames).await;
    assert!(outbox.answer(redeem).await.is_ok());
    for id in &ids[..3] {
        assert!(outbox.answer(*id).await.is_ok());
    }
    assert_eq!(
        outbox.answer(ids[3]).await.unwrap_err().code,
        Code::TokenRequired
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_counted_for_every_address() {
    let server = TestServer::start_with(|config| config.tokens.mib = 17).await;
    let mut ada = Device::new(&server).await;
    let address = ada.address(AddressKind::Conversation).await;
    let mut outbox = server.paid_outbox(&mut ada).await;
    let others: Vec<_> = (0..4096).map(|_| AddressSecret::random()).collect();
    let many: Vec<_> = others.iter().collect();
    let payload = vec![0; 64 * 1024];
    assert_eq!(
        outbox.refused(send(&payload, &many[..256])).await,
        Code::TokenRequired,
        "256 copies of 68 KiB and a tag"
    );
    for _ in 0..5 {
        // 3,211,264 bytes: what the copies of nothing take.
        assert!(outbox.ask(send(b"", &many)).await.is_ok());
    }
    assert_eq!(
        outbox.refused(send(b"", &many)).await,
        Code::TokenRequired,
        "nothing to 4,096 addresses is no bargain"
    );
    assert!(
        outbox.ask(send(b"x", &[&address])).await.is_ok(),
        "a refused request costs nothing"
    );
    assert_eq!(
        outbox.refused(send(b"x", &[&address, &address])).await,
        Code::RequestMalformed,
        "nobody gets two copies"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_gets_its_daily_number_of_tokens() {
    let mut server = TestServer::start_with(|config| config.tokens.per_day = 7).await;
    let mut ada = Device::new(&server).await;
    ada.issue(5).await.unwrap();
    assert_eq!(ada.issue(3).await.unwrap_err().code, Code::QuotaTokens);
    ada.issue(2).await.unwrap();
    assert_eq!(ada.issue(1).await.unwrap_err().code, Code::QuotaTokens);
    server.stop().await;
    server.start_again().await;
    assert_eq!(ada.sign_in(&server).await.tokens_left, 0);
    let mut ben = Device::new(&server).await;
    ben.issue(7).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn elements_that_are_none_are_refused() {
    let server = TestServer::start().await;
    let mut ada = Device::new(&server).await;
    for element in [[0; 32], [0xff; 32]] {
        assert_eq!(
            ada.inbox.refused(Request::IssueTokens(vec![element])).await,
            Code::RequestMalformed
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_week_is_told_to_whoever_is_connected() {
    // The evening before.
    let clock = Arc::new(ManualClock::at(2900 * 7 * 86_400 - 600));
    let server = TestServer::start_by(clock.clone(), |_| {}).await;
    let mut ada = Device::new(&server).await;
    let shown = ada.inbox.hello.token_keys.clone();
    assert_eq!(server.outbox().await.hello.token_keys, shown);
    let old = ada.token().await;
    assert_eq!(old.key_id(), shown[0].id);

    clock.advance(Duration::from_secs(1200));
    let Notice::TokenKeysChanged(keys) = ada.inbox.notice().await else {
        panic!("told of the new keys")
    };
    assert_eq!(keys[1], shown[0], "the old one is honoured for a week");
    assert_ne!(keys[0], shown[0]);
    let mut outbox = server.outbox().await;
    assert_eq!(
        outbox.hello.token_keys, keys,
        "what an outbox is shown was shown to the inbox that has been there all the time"
    );
    ada.inbox.hello.token_keys = keys.clone();
    ada.tokens.clear();
    let new = ada.token().await;
    assert_eq!(new.key_id(), keys[0].id);
    let credit = outbox.ask(Request::RedeemTokens(vec![old, new])).await;
    assert!(matches!(credit, Ok(Response::TokenCredit(_))));
    assert!(ada.inbox.is_quiet(1500).await, "told once");
}

/// Somebody makes a temporary queue on a server that nobody invited them to, for the sake of its tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anybody_is_given_pays_for_a_word_and_no_more() {
    let server =
        TestServer::start_with(|config| config.registration = Registration::Invitation).await;
    let mut ada = Device::with_invitation(&server, Some(server.invitation(1).await))
        .await
        .unwrap();
    let address = ada.address(AddressKind::Contact).await;
    let mut stranger = Device::temporary(&server).await.unwrap();
    stranger.issue(6).await.unwrap();
    assert_eq!(stranger.issue(1).await.unwrap_err().code, Code::QuotaTokens);

    // No file,
    let mut http = Http::open(&server).await;
    let token = stranger.token().await;
    let refused = http.create(&BlobId::random(), 4096, &token).await;
    assert_eq!(refused.code(), "quota.temporary");
    // no channel, nothing large, nothing to several,
    let mut outbox = server.outbox().await;
    let Ok(Response::TokenCredit(credit)) = outbox.ask(Request::RedeemTokens(vec![token])).await
    else {
        panic!()
    };
    assert_eq!((credit.requests_left, credit.bytes_left), (128, 512 << 10));
    let channel = Request::CreateChannel(CreateChannel {
        channel_id: ChannelId::random(),
        epoch: 0,
        lock: random_bytes(),
        min_send_epoch: 0,
    });
    let other = ada.address(AddressKind::Contact).await;
    for too_much in [
        channel,
        send(&[0; PAYLOAD_CLASSES[2] + 1], &[&address]),
        send(b"to both", &[&address, &other]),
    ] {
        assert_eq!(outbox.refused(too_much).await, Code::TokenRequired);
    }
    // but a word, as a device says it that is linked, and a look at who is there.
    outbox
        .deliver(&[1; PAYLOAD_CLASSES[2]], &[&address])
        .await
        .unwrap();
    let look = Request::TakeKeyPackages(TakeKeyPackages {
        send_id: SendId::random(),
        addresses: (0..32).map(|_| address.duplicate()).collect(),
    });
    let taken = outbox.ask(look).await;
    assert!(matches!(taken, Ok(Response::TakenKeyPackages(_))));

    // What ada is given is of another key, and pays for all of it.
    let token = ada.token().await;
    assert_ne!(token.key_id(), stranger.token().await.key_id());
    let created = http.create(&BlobId::random(), 4096, &token).await;
    assert_eq!(created.status, hyper::StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_and_deletes_temporary_queues_for_their_tokens() {
    let server = TestServer::start_with(|config| {
        config.registration = Registration::Invitation;
        config.quotas.temporary_queues = 2;
    })
    .await;
    let again = async || -> Result<(), Error> {
        let mut stranger = Device::temporary(&server).await?;
        stranger.issue(6).await?;
        stranger.inbox.ask(Request::DeleteQueue).await.map(drop)
    };
    for _ in 0..32 {
        again().await.unwrap();
    }
    let refused = again().await.unwrap_err();
    assert_eq!(refused.code, Code::RegistrationTemporary);
}
