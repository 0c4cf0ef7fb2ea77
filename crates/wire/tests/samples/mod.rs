//! One of every frame, with fixed bytes: what the snapshots freeze and the fuzz test mutates.

#![allow(clippy::unwrap_used, dead_code)]

use bytes::Bytes;
use undertone_wire::{
    Code, Error,
    forward::Bundle,
    frame,
    hpke::HpkePublicKey,
    ids::{
        AccountId, AddressHash, BlobHash, ChannelHash, ChannelId, Incarnation, KeyId, KeyPackageId,
        Pin, QueueId, SendId,
    },
    origin::ServerAddress,
    proto,
    request::{
        AddressKind, AddressRename, AnySend, ChannelCommit, ChannelControl, ChannelSend,
        ClientHello, CreateChannel, Forwarding, FromClient, NewAddress, PublishKeyPackages,
        RegisterQueue, Request, Role, SealedKeyPackage, Send, SendEphemeral, SignIn,
        TakeKeyPackages,
    },
    response::{
        Accepted, Announcement, Ephemeral, FromServer, IssuedTokens, Item, ItemKind, Limits,
        Missed, Notice, QueueItem, Response, SealKey, ServerHello, SignedIn, TakenKeyPackage,
        TokenCredit, TokenKey,
    },
    secrets::{AddressSecret, ChannelKey, InvitationCode, KpKey, LinkSecret, Secret},
    strings::{ContactLink, Invitation, LinkAddress},
    tokens::Token,
};

fn address(byte: u8) -> AddressSecret {
    AddressSecret::new([byte; 32])
}

fn filled(byte: u8, length: usize) -> Bytes {
    vec![byte; length].into()
}

pub fn token() -> Token {
    let bytes: Vec<u8> = (0..104).collect();
    Token::from_slice(&bytes).unwrap()
}

pub fn requests() -> Vec<Request> {
    vec![
        Request::RegisterQueue(RegisterQueue {
            queue_id: QueueId::new([1; 16]),
            signing_key: [2; 32],
            hpke_key: HpkePublicKey::from_slice(&[3; 1216]).unwrap(),
            invitation: Some(InvitationCode::new([4; 16])),
            temporary: false,
            signature: [5; 64],
        }),
        Request::SignIn(SignIn {
            queue_id: QueueId::new([1; 16]),
            signature: [5; 64],
        }),
        Request::RotateQueueKey(HpkePublicKey::from_slice(&[3; 1216]).unwrap()),
        Request::CreateAddresses(vec![
            NewAddress {
                address: AddressHash::new([6; 32]),
                kind: AddressKind::Conversation,
            },
            NewAddress {
                address: AddressHash::new([7; 32]),
                kind: AddressKind::Contact,
            },
            NewAddress {
                address: AddressHash::new([8; 32]),
                kind: AddressKind::KeyPackage,
            },
        ]),
        Request::RevokeAddresses(vec![AddressHash::new([6; 32])]),
        Request::PublishKeyPackages(PublishKeyPackages {
            address: AddressHash::new([6; 32]),
            one_time: vec![SealedKeyPackage {
                id: KeyPackageId::new([9; 16]),
                sealed: filled(10, 4096),
            }],
            last_resort: None,
        }),
        Request::IssueTokens(vec![[11; 32], [12; 32]]),
        Request::DeleteQueue,
        Request::RedeemTokens(vec![token()]),
        Request::TakeKeyPackages(TakeKeyPackages {
            send_id: SendId::new([13; 16]),
            addresses: vec![address(14), address(15)],
        }),
        Request::Send(Send {
            send_id: SendId::new([13; 16]),
            payload: filled(16, 24),
            addresses: vec![address(14)],
            blob: None,
        }),
        Request::CreateChannel(CreateChannel {
            channel_id: ChannelId::new([17; 32]),
            epoch: 3,
            lock: [18; 32],
            min_send_epoch: 2,
        }),
        Request::ChannelSend(ChannelSend {
            channel_id: ChannelId::new([17; 32]),
            epoch: 300,
            send_id: SendId::new([13; 16]),
            payload: filled(16, 24),
            addresses: vec![address(14), address(15)],
        }),
        Request::ChannelCommit(ChannelCommit {
            channel_id: ChannelId::new([17; 32]),
            epoch: 300,
            key: ChannelKey::new([19; 32]),
            next_lock: [20; 32],
            payload: filled(16, 24),
            addresses: vec![address(14)],
            renames: vec![AddressRename {
                old: address(15),
                new: AddressHash::new([21; 32]),
            }],
            removes: true,
            blob: None,
        }),
        Request::ChannelControl(ChannelControl {
            channel_id: ChannelId::new([17; 32]),
            send_id: SendId::new([13; 16]),
            payload: filled(16, 24),
            addresses: vec![address(14)],
        }),
        Request::Ping,
        Request::Send(Send {
            send_id: SendId::new([13; 16]),
            payload: filled(16, 24),
            addresses: vec![address(14)],
            blob: Some(BlobHash::new([33; 32])),
        }),
        Request::ChannelCommit(ChannelCommit {
            channel_id: ChannelId::new([17; 32]),
            epoch: 300,
            key: ChannelKey::new([19; 32]),
            next_lock: [20; 32],
            payload: filled(16, 24),
            addresses: vec![address(14)],
            renames: vec![],
            removes: false,
            blob: Some(BlobHash::new([33; 32])),
        }),
        Request::CreateInvitation([36; 32]),
        Request::SetBell([37; 32]),
        Request::HearBell(Secret::new([38; 32])),
        Request::RegisterQueue(RegisterQueue {
            queue_id: QueueId::new([1; 16]),
            signing_key: [2; 32],
            hpke_key: HpkePublicKey::from_slice(&[3; 1216]).unwrap(),
            invitation: None,
            temporary: true,
            signature: [5; 64],
        }),
        Request::SendEphemeral(SendEphemeral {
            epoch: 300,
            payload: filled(16, 24),
            addresses: vec![address(14), address(15)],
        }),
        Request::Visit(ChannelId::new([17; 32])),
        Request::Forwarding(Box::new(Forwarding {
            send: AnySend::Channel(ChannelSend {
                channel_id: ChannelId::new([17; 32]),
                epoch: 300,
                send_id: SendId::new([13; 16]),
                payload: filled(16, 24),
                addresses: vec![],
            }),
            bundles: vec![bundle()],
        })),
    ]
}

/// As it is sent; nobody can open it.
fn bundle() -> Bundle {
    let sealed = proto::Bundle {
        origin: "[2001:db8::1]:443".to_owned(),
        pin: vec![32; 32].into(),
        key: Some(proto::ServerKey {
            hpke_key: vec![3; 1216].into(),
            last_day: 20_000,
            identity_key: vec![2; 32].into(),
            signature: vec![5; 64].into(),
        }),
        enc: vec![37; 1120].into(),
        sealed: vec![38; 528].into(),
    };
    Bundle::parse(sealed).unwrap()
}

pub fn from_client() -> Vec<(String, FromClient)> {
    let mut frames = vec![
        (
            "hello".to_owned(),
            FromClient::Hello(ClientHello::new(Role::Outbox)),
        ),
        ("credit".to_owned(), FromClient::Credit(100)),
        ("ack".to_owned(), FromClient::Ack(1 << 40)),
    ];
    for (id, request) in (1..).zip(requests()) {
        let name = request.name().to_owned();
        let request = Ok(request);
        frames.push((name, FromClient::Request { id, request }));
    }
    let credit = FromClient::EphemeralCredit(16);
    frames.push(("ephemeral_credit".to_owned(), credit));
    frames
}

pub fn from_server() -> Vec<(&'static str, FromServer)> {
    let answered = |outcome| FromServer::Response { id: 42, outcome };
    let public_key = [22; 32];
    vec![
        (
            "hello",
            FromServer::Hello(ServerHello {
                version: 1,
                challenge: [23; 32],
                time_s: 1_800_000_000,
                limits: Limits {
                    frame_bytes: 524_288,
                    item_bytes: 65_536,
                    addresses_per_send: 4096,
                    blob_bytes: 1 << 31,
                    item_days: 30,
                    blob_days: 30,
                    token_requests: 1000,
                    token_bytes: 1 << 26,
                },
                token_keys: vec![TokenKey {
                    id: TokenKey::id_of(&public_key),
                    public_key,
                    temporary: false,
                }],
                registration_open: true,
            }),
        ),
        ("error", answered(Err(Error::stale(9, 7)))),
        (
            "busy",
            answered(Err(Error::retry_after(Code::LimitRate, 5))),
        ),
        ("done", answered(Ok(Response::Done))),
        (
            "signed_in",
            answered(Ok(Response::SignedIn(SignedIn {
                incarnation: Incarnation::new([24; 16]),
                first_sequence: 5,
                next_sequence: 70_000,
                tokens_left: 20,
                hpke_key_day: 20_000,
            }))),
        ),
        (
            "key_package_count",
            answered(Ok(Response::KeyPackageCount(7))),
        ),
        (
            "issued_tokens",
            answered(Ok(Response::IssuedTokens(IssuedTokens {
                key_id: TokenKey::id_of(&public_key),
                evaluated: vec![[25; 32]],
                proof: filled(26, 64),
            }))),
        ),
        (
            "token_credit",
            answered(Ok(Response::TokenCredit(TokenCredit {
                requests_left: 1000,
                bytes_left: 1 << 26,
            }))),
        ),
        (
            "taken_key_packages",
            answered(Ok(Response::TakenKeyPackages(vec![
                None,
                Some(TakenKeyPackage {
                    sealed: filled(27, 4096),
                    last_resort: true,
                }),
            ]))),
        ),
        (
            "accepted",
            answered(Ok(Response::Accepted(Accepted {
                number: 12,
                missed: Missed::from_indices([1, 9]),
            }))),
        ),
        (
            "seal_key",
            FromServer::SealKey(SealKey {
                key_id: KeyId::new([28; 16]),
                enc: filled(29, 1120),
                sealed: filled(30, 48),
                hpke_key_day: 20_000,
            }),
        ),
        (
            "item",
            FromServer::Item(Item {
                sequence: 70_000,
                key_id: KeyId::new([28; 16]),
                nonce: 4095,
                sealed: filled(31, 768 + 16),
            }),
        ),
        ("bell", FromServer::Notice(Notice::Bell)),
        ("replaced", FromServer::Notice(Notice::Replaced)),
        (
            "shutting_down",
            FromServer::Notice(Notice::ShuttingDown { retry_after_s: 30 }),
        ),
        (
            "token_keys_changed",
            FromServer::Notice(Notice::TokenKeysChanged(vec![TokenKey {
                id: TokenKey::id_of(&public_key),
                public_key,
                temporary: false,
            }])),
        ),
        (
            "temporary_token_key_changed",
            FromServer::Notice(Notice::TokenKeysChanged(vec![TokenKey {
                id: TokenKey::id_of(&public_key),
                public_key,
                temporary: true,
            }])),
        ),
        (
            "announcements",
            FromServer::Notice(Notice::Announcements(vec![Announcement {
                id: [34; 16],
                text: "Maintenance on Sunday.".to_owned(),
                day: 20_000,
                until_day: 20_029,
            }])),
        ),
        (
            "ephemeral",
            FromServer::Ephemeral(Ephemeral {
                key_id: KeyId::new([28; 16]),
                nonce: 3,
                sealed: filled(31, 768 + 16),
            }),
        ),
    ]
}

pub fn commit_item() -> QueueItem {
    QueueItem {
        address: AddressHash::new([6; 32]),
        kind: ItemKind::Commit,
        number: 12,
        epoch: 300,
        next_lock: Some([20; 32]),
        channel: Some(ChannelHash::new([21; 32])),
        payload: filled(16, 24),
        blob: None,
        server: None,
    }
}

fn server() -> ServerAddress {
    ServerAddress {
        origin: "[2001:db8::1]:443".parse().unwrap(),
        pin: Pin::new([32; 32]),
    }
}

pub fn texts() -> Vec<(&'static str, String)> {
    let invitation = Invitation {
        server: server(),
        code: Some(InvitationCode::new([4; 16])),
    };
    let link = ContactLink {
        server: server(),
        account: AccountId::new([33; 32]),
        link_secret: LinkSecret::new([34; 32]),
        addresses: vec![LinkAddress {
            address: address(14),
            kp_key: KpKey::new([35; 32]),
        }],
        expires_s: Some(1_800_000_000),
    };
    vec![
        ("invitation", invitation.to_string()),
        ("contact_link", link.to_string()),
        ("server_address", server().to_string()),
        ("authorization", token().to_authorization()),
    ]
}

pub fn client_message(frame: &FromClient) -> Bytes {
    frame::message(&frame.to_proto()).unwrap()
}

pub fn server_message(frame: &FromServer) -> Bytes {
    frame::message(&frame.to_proto()).unwrap()
}
