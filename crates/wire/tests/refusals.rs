//! What a hostile peer sends is refused by code, one test for each kind of wrong.

#![allow(clippy::unwrap_used)]

mod samples;

use bytes::Bytes;
use undertone_wire::{
    Code, Result,
    proto::{self, client_frame, request::Body, response, server_frame},
    request::{ClientHello, FromClient, Request, Role},
    response::{FromServer, QueueItem, Response},
};

fn bytes(length: usize) -> Bytes {
    vec![1; length].into()
}

fn refused(body: Body) -> Code {
    Request::parse(body).unwrap_err().code
}

fn answer(body: response::Body) -> Result<Response> {
    Response::parse(body)
}

#[test]
fn an_unknown_request_is_answered_under_its_id() {
    let frame = proto::ClientFrame {
        body: Some(client_frame::Body::Request(proto::Request {
            id: 9,
            body: None,
        })),
    };
    let FromClient::Request { id, request } = FromClient::parse(frame).unwrap() else {
        panic!("a request");
    };
    assert_eq!((id, request.unwrap_err().code), (9, Code::RequestUnknown));
    let empty = FromClient::parse(proto::ClientFrame { body: None });
    assert_eq!(empty.unwrap_err().code, Code::FrameMalformed);
}

#[test]
fn a_wrong_length_anywhere_is_refused() {
    // Every fixed-length field of every sample, cut by one byte or one byte longer.
    for request in samples::requests() {
        let body = request.to_proto();
        let mutants: Vec<Body> = match body {
            Body::SignIn(good) => vec![
                Body::SignIn(proto::SignIn {
                    queue_id: bytes(15),
                    ..good.clone()
                }),
                Body::SignIn(proto::SignIn {
                    signature: bytes(65),
                    ..good
                }),
            ],
            Body::RegisterQueue(good) => vec![
                Body::RegisterQueue(proto::RegisterQueue {
                    queue_id: bytes(17),
                    ..good.clone()
                }),
                Body::RegisterQueue(proto::RegisterQueue {
                    signing_key: bytes(31),
                    ..good.clone()
                }),
                Body::RegisterQueue(proto::RegisterQueue {
                    hpke_key: bytes(1215),
                    ..good.clone()
                }),
                Body::RegisterQueue(proto::RegisterQueue {
                    invitation: bytes(15),
                    ..good.clone()
                }),
                Body::RegisterQueue(proto::RegisterQueue {
                    invitation: bytes(16),
                    temporary: true,
                    ..good.clone()
                }),
                Body::RegisterQueue(proto::RegisterQueue {
                    signature: bytes(0),
                    ..good
                }),
            ],
            Body::PublishKeyPackages(good) => {
                let mut short = good.clone();
                short.one_time[0].sealed = bytes(4095);
                let mut id = good.clone();
                id.one_time[0].id = bytes(15);
                vec![
                    Body::PublishKeyPackages(short),
                    Body::PublishKeyPackages(id),
                    Body::PublishKeyPackages(proto::PublishKeyPackages {
                        address_hash: bytes(31),
                        ..good
                    }),
                ]
            }
            Body::SetBell(_) => vec![Body::SetBell(proto::SetBell { hash: bytes(31) })],
            Body::HearBell(_) => vec![Body::HearBell(proto::HearBell { secret: bytes(33) })],
            Body::CreateInvitation(_) => vec![Body::CreateInvitation(proto::CreateInvitation {
                code_hash: bytes(16),
            })],
            Body::RedeemTokens(good) => {
                let mut output = good.clone();
                output.tokens[0].output = bytes(63);
                vec![Body::RedeemTokens(output)]
            }
            Body::Send(good) => vec![
                Body::Send(proto::Send {
                    send_id: bytes(0),
                    ..good.clone()
                }),
                Body::Send(proto::Send {
                    address_secrets: vec![bytes(33)],
                    ..good.clone()
                }),
                Body::Send(proto::Send {
                    address_secrets: vec![],
                    ..good.clone()
                }),
                Body::Send(proto::Send {
                    blob_hash: bytes(31),
                    ..good
                }),
            ],
            Body::ChannelSend(good) => vec![Body::ChannelSend(proto::ChannelSend {
                channel_id: bytes(31),
                ..good
            })],
            Body::CreateChannel(good) => vec![
                Body::CreateChannel(proto::CreateChannel {
                    lock: bytes(0),
                    ..good.clone()
                }),
                Body::CreateChannel(proto::CreateChannel {
                    min_send_epoch: good.epoch + 1,
                    ..good
                }),
            ],
            Body::ChannelCommit(good) => vec![
                Body::ChannelCommit(proto::ChannelCommit {
                    key: bytes(31),
                    ..good.clone()
                }),
                Body::ChannelCommit(proto::ChannelCommit {
                    next_lock: bytes(0),
                    ..good.clone()
                }),
                Body::ChannelCommit(proto::ChannelCommit {
                    epoch: u64::MAX,
                    ..good.clone()
                }),
                Body::ChannelCommit(proto::ChannelCommit {
                    blob_hash: bytes(33),
                    ..good
                }),
            ],
            Body::Visit(_) => vec![Body::Visit(proto::Visit {
                channel_id: bytes(31),
            })],
            Body::Forwarding(good) => {
                let bundle = good.bundles[0].clone();
                let with = |bundle| {
                    Body::Forwarding(proto::Forwarding {
                        bundles: vec![bundle],
                        ..good.clone()
                    })
                };
                vec![
                    Body::Forwarding(proto::Forwarding {
                        bundles: vec![],
                        ..good.clone()
                    }),
                    Body::Forwarding(proto::Forwarding {
                        send: None,
                        ..good.clone()
                    }),
                    with(proto::Bundle {
                        origin: "http://a".to_owned(),
                        ..bundle.clone()
                    }),
                    with(proto::Bundle {
                        pin: bytes(31),
                        ..bundle.clone()
                    }),
                    with(proto::Bundle {
                        key: None,
                        ..bundle.clone()
                    }),
                    with(proto::Bundle {
                        enc: bytes(1119),
                        ..bundle.clone()
                    }),
                ]
            }
            _ => vec![],
        };
        for mutant in mutants {
            assert_eq!(
                refused(mutant),
                Code::RequestMalformed,
                "{}",
                request.name()
            );
        }
    }
    assert_eq!(
        refused(Body::CreateAddresses(proto::CreateAddresses {
            addresses: vec![proto::NewAddress {
                address_hash: bytes(32),
                kind: 77
            }],
        })),
        Code::RequestMalformed
    );
}

#[test]
fn too_many_and_too_much_have_their_own_codes() {
    let send = |payload, addresses| {
        refused(Body::Send(proto::Send {
            send_id: bytes(16),
            payload: bytes(payload),
            address_secrets: vec![bytes(32); addresses],
            blob_hash: Bytes::new(),
        }))
    };
    assert_eq!(send(65_537, 1), Code::LimitPayload);
    assert_eq!(send(10, 4097), Code::LimitAddresses);
    let control = proto::ChannelControl {
        channel_id: bytes(32),
        send_id: bytes(16),
        payload: bytes(16_385),
        address_secrets: vec![bytes(32)],
    };
    assert_eq!(refused(Body::ChannelControl(control)), Code::LimitPayload);
    let issue = proto::IssueTokens {
        blinded: vec![bytes(32); 101],
    };
    assert_eq!(refused(Body::IssueTokens(issue)), Code::LimitCount);
    let take = proto::TakeKeyPackages {
        send_id: bytes(16),
        address_secrets: vec![bytes(32); 33],
    };
    assert_eq!(refused(Body::TakeKeyPackages(take)), Code::LimitAddresses);
}

fn addresses_of(body: &mut Body) -> Option<&mut Vec<Bytes>> {
    match body {
        Body::Send(body) => Some(&mut body.address_secrets),
        Body::ChannelSend(body) => Some(&mut body.address_secrets),
        Body::ChannelCommit(body) => Some(&mut body.address_secrets),
        Body::ChannelControl(body) => Some(&mut body.address_secrets),
        Body::SendEphemeral(body) => Some(&mut body.address_secrets),
        _ => None,
    }
}

#[test]
fn a_send_names_an_address_once() {
    let mut tried = 0;
    for request in samples::requests() {
        let mut body = request.to_proto();
        let Some(addresses) = addresses_of(&mut body) else {
            continue;
        };
        *addresses = (0..=255u8)
            .map(|first| [&[first][..], &[9; 31]].concat().into())
            .collect();
        assert!(Request::parse(body.clone()).is_ok());
        let addresses = addresses_of(&mut body).unwrap();
        addresses[7] = addresses[255].clone();
        assert_eq!(refused(body), Code::RequestMalformed);
        tried += 1;
    }
    assert!(tried >= 5);
}

#[test]
fn versions_meet_or_say_why_not() {
    let hello = |version_min, version_max| {
        ClientHello {
            version_min,
            version_max,
            role: Role::Inbox,
        }
        .choose_version()
    };
    assert_eq!(hello(1, 1), Ok(1));
    assert_eq!(hello(1, 9), Ok(1));
    assert_eq!(hello(0, 0).unwrap_err().code, Code::VersionClientTooOld);
    assert_eq!(hello(2, 9).unwrap_err().code, Code::VersionClientTooNew);
    let backwards = proto::ClientHello {
        version_min: 2,
        version_max: 1,
        role: 1,
    };
    let frame = proto::ClientFrame {
        body: Some(client_frame::Body::Hello(backwards)),
    };
    assert_eq!(
        FromClient::parse(frame).unwrap_err().code,
        Code::FrameMalformed
    );
}

#[test]
fn a_hostile_server_gets_nothing_but_a_code() {
    let malformed =
        |outcome: Result<Response>| assert_eq!(outcome.unwrap_err().code, Code::ResponseMalformed);
    malformed(answer(response::Body::Accepted(proto::Accepted {
        number: 1,
        missed: bytes(513),
    })));
    malformed(answer(response::Body::SignedIn(proto::SignedIn {
        incarnation: bytes(16),
        first_sequence: 2,
        next_sequence: 1,
        tokens_left: 0,
        hpke_key_day: 0,
    })));
    malformed(answer(response::Body::TakenKeyPackages(
        proto::TakenKeyPackages {
            packages: vec![proto::TakenKeyPackage {
                sealed: bytes(10),
                last_resort: false,
            }],
        },
    )));
    let item = proto::Item {
        sequence: 1,
        key_id: bytes(16),
        nonce: 0,
        sealed: bytes(1000),
    };
    let frame = proto::ServerFrame {
        body: Some(server_frame::Body::Item(item)),
    };
    assert_eq!(
        FromServer::parse(frame).unwrap_err().code,
        Code::ResponseMalformed
    );
    // A token key under a name of the server's choosing could mark a person.
    let hello = proto::ServerHello {
        version: 1,
        challenge: bytes(32),
        limits: Some(proto::Limits::default()),
        token_keys: vec![proto::TokenKey {
            id: bytes(8),
            public_key: bytes(32),
            temporary: false,
        }],
        ..Default::default()
    };
    let frame = proto::ServerFrame {
        body: Some(server_frame::Body::Hello(hello)),
    };
    assert_eq!(
        FromServer::parse(frame).unwrap_err().code,
        Code::ResponseMalformed
    );
}

#[test]
fn an_item_that_contradicts_its_kind_is_refused() {
    let good = samples::commit_item().to_proto();
    assert!(QueueItem::parse(good.clone()).is_ok());
    for bad in [
        proto::QueueItem {
            next_lock: Bytes::new(),
            ..good.clone()
        },
        proto::QueueItem {
            kind: 2,
            ..good.clone()
        },
        proto::QueueItem {
            kind: 0,
            ..good.clone()
        },
        proto::QueueItem {
            kind: 99,
            ..good.clone()
        },
        proto::QueueItem {
            address_hash: bytes(31),
            ..good.clone()
        },
        proto::QueueItem {
            channel_hash: Bytes::new(),
            ..good.clone()
        },
        proto::QueueItem {
            channel_hash: bytes(31),
            ..good.clone()
        },
        proto::QueueItem {
            kind: 1,
            next_lock: Bytes::new(),
            ..good.clone()
        },
        proto::QueueItem {
            blob_hash: bytes(31),
            ..good.clone()
        },
        proto::QueueItem {
            payload: bytes(65_537),
            ..good
        },
    ] {
        assert_eq!(QueueItem::parse(bad).unwrap_err().code, Code::ItemMalformed);
    }
}
