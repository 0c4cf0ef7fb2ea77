//! Sizes and counts that both sides hold each other to.
//!
//! A server states its own limits in ServerHello; these are the ceilings that hold whatever it says, so that a hostile
//! peer cannot make the other side allocate without bound.

/// The protocol versions this code speaks.
pub const VERSION_MIN: u32 = 1;
/// See [`VERSION_MIN`].
pub const VERSION_MAX: u32 = 1;

/// The ALPN protocol name of an Undertone connection.
pub const ALPN: &[u8] = b"undertone/1";
/// The port of a server whose origin names none.
pub const DEFAULT_PORT: u16 = 7443;
/// The HTTP path that upgrades to frames.
pub const CONNECT_PATH: &str = "/v1/connect";
/// The HTTP path under which blobs live; their id follows.
pub const BLOBS_PATH: &str = "/v1/blobs/";
/// The HTTP path of the key that parcels from other servers are sealed to.
pub const KEY_PATH: &str = "/v1/key";
/// The HTTP path that takes parcels from other servers.
pub const PARCELS_PATH: &str = "/v1/parcels";
/// The HTTP header in which a server that brings parcels says who it is.
pub const BEARER_HEADER: &str = "undertone-server";

/// One frame, without its length prefix.
pub const FRAME_BYTES: usize = 512 * 1024;
/// One WebSocket message, which may hold several frames.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// The payload of a send or commit.
pub const PAYLOAD_BYTES: usize = 64 * 1024;
/// The payload of a control send.
pub const CONTROL_PAYLOAD_BYTES: usize = 16 * 1024;
/// The payload of an ephemeral send.
pub const EPHEMERAL_PAYLOAD_BYTES: usize = 4 * 1024;
/// Addresses of one ephemeral send.
pub const EPHEMERAL_ADDRESSES: usize = 256;
/// The sequence under which what is never stored is sealed; that of the first item of a queue is higher.
pub const EPHEMERAL_SEQUENCE: u64 = 0;
/// Addresses of one send, commit or control send.
pub const ADDRESSES_PER_SEND: usize = 4096;
/// Addresses created or revoked by one request.
pub const ADDRESSES_PER_REQUEST: usize = 1024;
/// One-time key packages published by one request.
pub const KEY_PACKAGES_PER_REQUEST: usize = 100;
/// Pools asked by one TakeKeyPackages.
pub const KEY_PACKAGES_PER_TAKE: usize = 32;
/// Elements evaluated by one IssueTokens.
pub const TOKENS_PER_ISSUE: usize = 100;
/// Tokens redeemed by one RedeemTokens.
pub const TOKENS_PER_REDEEM: usize = 100;
/// Token keys in a ServerHello.
pub const TOKEN_KEYS: usize = 4;
/// What an operator announces at once.
pub const ANNOUNCEMENTS: usize = 4;
/// Text of one announcement, bytes.
pub const ANNOUNCEMENT_BYTES: usize = 1000;
/// Credit that one Credit frame may add.
pub const CREDIT_PER_FRAME: u32 = 65_536;
/// Bytes of one PATCH to a blob.
pub const BLOB_APPEND_BYTES: u64 = 16 * 1024 * 1024;

/// A sealed key package, exactly: nonce, padded plaintext, tag.
pub const SEALED_KEY_PACKAGE_BYTES: usize = 4096;
/// An ML-KEM-768 + X25519 public key.
pub const HPKE_PUBLIC_KEY_BYTES: usize = 1216;
/// What HPKE of suite 0x004E encapsulates.
pub const HPKE_ENC_BYTES: usize = 1120;
/// Items sealed under one sealing key before it is replaced.
pub const ITEMS_PER_SEALING_KEY: u64 = 4096;
/// Other servers that one send goes to.
pub const BUNDLES_PER_SEND: usize = 16;
/// One request with parcels.
pub const PARCELS_BYTES: usize = 1024 * 1024;
/// Parcels in one request.
pub const PARCELS_PER_REQUEST: usize = 256;
