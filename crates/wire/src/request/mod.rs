//! What a client sends, as types that cannot be wrong.
//!
//! A server calls [`FromClient::parse`] on every frame: every size is checked and every count limited there, so nothing behind
//! it looks at a raw field again. A client builds the same types and calls [`Request::to_proto`].

pub(crate) mod encode;
pub(crate) mod parse;

use bytes::Bytes;

use crate::{
    Result,
    auth::{SIGNATURE_BYTES, VERIFYING_KEY_BYTES},
    forward::Bundle,
    hpke::HpkePublicKey,
    ids::{AddressHash, BlobHash, ChannelId, KeyPackageId, QueueId, SendId},
    padding::copy_size,
    secrets::{AddressSecret, ChannelKey, InvitationCode, Secret},
    tokens::Token,
};

/// One frame from a client.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every frame is a request: boxing them would cost each an allocation"
)]
#[derive(Debug)]
pub enum FromClient {
    /// The first frame, once.
    Hello(ClientHello),
    /// A request; one that does not parse keeps its id, so that it can be answered.
    Request {
        /// Chosen by the client.
        id: u64,
        /// The request, or the code to answer with.
        request: Result<Request>,
    },
    /// More items may be pushed.
    Credit(u32),
    /// More of what is never stored may be pushed.
    EphemeralCredit(u32),
    /// All items up to and including this sequence are safe with the client.
    Ack(u64),
}

/// What kind of connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Signs in as a queue; receives.
    Inbox,
    /// Anonymous; sends, pays with blind tokens.
    Outbox,
}

/// The versions and role a client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// Lowest version spoken.
    pub version_min: u32,
    /// Highest version spoken.
    pub version_max: u32,
    /// What the connection is for.
    pub role: Role,
}

/// A request. See `proto/undertone.proto` for what each does.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Inbox: makes a queue and signs in as it.
    RegisterQueue(RegisterQueue),
    /// Inbox: signs in as a queue.
    SignIn(SignIn),
    /// Inbox: sets the key that sealing keys are sealed to.
    RotateQueueKey(HpkePublicKey),
    /// Inbox.
    CreateAddresses(Vec<NewAddress>),
    /// Inbox.
    RevokeAddresses(Vec<AddressHash>),
    /// Inbox.
    PublishKeyPackages(PublishKeyPackages),
    /// Inbox: blinded elements to be evaluated.
    IssueTokens(Vec<[u8; 32]>),
    /// Inbox: the queue and everything in it.
    DeleteQueue,
    /// Inbox: a way in for one more queue, by the hash of its code.
    CreateInvitation([u8; 32]),
    /// Inbox: who shows the secret of this hash may hear that something comes, and nothing else.
    SetBell([u8; 32]),
    /// Inbox: hears a bell instead of signing in.
    HearBell(Secret<32>),
    /// Outbox: buys an allowance for this connection.
    RedeemTokens(Vec<Token>),
    /// Outbox.
    TakeKeyPackages(TakeKeyPackages),
    /// Outbox: outside any channel.
    Send(Send),
    /// Outbox.
    CreateChannel(CreateChannel),
    /// Outbox.
    ChannelSend(ChannelSend),
    /// Outbox.
    ChannelCommit(ChannelCommit),
    /// Outbox.
    ChannelControl(ChannelControl),
    /// Outbox: to whoever is there at this moment.
    SendEphemeral(SendEphemeral),
    /// Outbox: a guest asks for an allowance by a channel that it knows.
    Visit(ChannelId),
    /// Outbox: a send that also goes to addresses on other servers.
    Forwarding(Box<Forwarding>),
    /// Either.
    Ping,
}

/// A send that also goes to addresses on other servers.
#[derive(Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// What this server does with it; it may name no address.
    pub send: AnySend,
    /// 1 to 16, one for each other server.
    pub bundles: Vec<Bundle>,
}

/// A send of any kind that is stored.
#[derive(Debug, PartialEq, Eq)]
pub enum AnySend {
    /// Outside any channel.
    Direct(Send),
    /// On a channel.
    Channel(ChannelSend),
    /// On a channel.
    Commit(ChannelCommit),
    /// On a channel.
    Control(ChannelControl),
}

impl AnySend {
    /// What is sent.
    pub const fn payload(&self) -> &Bytes {
        match self {
            Self::Direct(send) => &send.payload,
            Self::Channel(send) => &send.payload,
            Self::Commit(send) => &send.payload,
            Self::Control(send) => &send.payload,
        }
    }

    /// Where to on this server.
    pub const fn addresses(&self) -> &Vec<AddressSecret> {
        match self {
            Self::Direct(send) => &send.addresses,
            Self::Channel(send) => &send.addresses,
            Self::Commit(send) => &send.addresses,
            Self::Control(send) => &send.addresses,
        }
    }
}

/// Makes a queue.
#[derive(Debug, PartialEq, Eq)]
pub struct RegisterQueue {
    /// Random, chosen by the client.
    pub queue_id: QueueId,
    /// Ed25519 public key that signs in.
    pub signing_key: [u8; VERIFYING_KEY_BYTES],
    /// What sealing keys are sealed to.
    pub hpke_key: HpkePublicKey,
    /// None where registration is open.
    pub invitation: Option<InvitationCode>,
    /// Needs no invitation, and is gone in a day or two.
    pub temporary: bool,
    /// See [`crate::auth`].
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Signs in as a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Which queue.
    pub queue_id: QueueId,
    /// See [`crate::auth`].
    pub signature: [u8; SIGNATURE_BYTES],
}

/// What an address is for; decides its quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// One of a conversation's.
    Conversation,
    /// A contact link's: small quota.
    Contact,
    /// Where the Welcome for one key package lands: small quota.
    KeyPackage,
}

/// An address to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAddress {
    /// SHA-256 of its secret.
    pub address: AddressHash,
    /// What it is for.
    pub kind: AddressKind,
}

/// Adds to an address's pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishKeyPackages {
    /// The pool's address.
    pub address: AddressHash,
    /// Deleted when taken.
    pub one_time: Vec<SealedKeyPackage>,
    /// Replaces the present one.
    pub last_resort: Option<SealedKeyPackage>,
}

/// A key package as the server holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKeyPackage {
    /// Random.
    pub id: KeyPackageId,
    /// Exactly 4,096 bytes. See [`crate::seal::seal_key_package`].
    pub sealed: Bytes,
}

/// Takes one key package from each of several pools.
#[derive(Debug, PartialEq, Eq)]
pub struct TakeKeyPackages {
    /// Recognises a retry.
    pub send_id: SendId,
    /// 1 to 32.
    pub addresses: Vec<AddressSecret>,
}

/// A payload to addresses.
#[derive(Debug, PartialEq, Eq)]
pub struct Send {
    /// Recognises a retry.
    pub send_id: SendId,
    /// At most 64 KiB.
    pub payload: Bytes,
    /// 1 to 4,096.
    pub addresses: Vec<AddressSecret>,
    /// The blob that the payload refers to, if it does: the server refuses the send unless it is whole and outlives the item.
    pub blob: Option<BlobHash>,
}

/// Makes a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateChannel {
    /// Known to members only.
    pub channel_id: ChannelId,
    /// Its first epoch.
    pub epoch: u64,
    /// SHA-256 of that epoch's channel key.
    pub lock: [u8; 32],
    /// At most `epoch`.
    pub min_send_epoch: u64,
}

/// A payload through a channel.
#[derive(Debug, PartialEq, Eq)]
pub struct ChannelSend {
    /// Which channel.
    pub channel_id: ChannelId,
    /// The epoch the payload was encrypted in.
    pub epoch: u64,
    /// Recognises a retry.
    pub send_id: SendId,
    /// At most 64 KiB.
    pub payload: Bytes,
    /// 1 to 4,096.
    pub addresses: Vec<AddressSecret>,
}

/// A commit through a channel.
#[derive(Debug, PartialEq, Eq)]
pub struct ChannelCommit {
    /// Which channel.
    pub channel_id: ChannelId,
    /// n; the channel is at n+1 afterwards.
    pub epoch: u64,
    /// Opens the lock of epoch n.
    pub key: ChannelKey,
    /// The lock of epoch n+1.
    pub next_lock: [u8; 32],
    /// At most 64 KiB.
    pub payload: Bytes,
    /// 1 to 4,096.
    pub addresses: Vec<AddressSecret>,
    /// At most 4,096.
    pub renames: Vec<AddressRename>,
    /// Whether the commit removes somebody.
    pub removes: bool,
    /// As in [`Send`].
    pub blob: Option<BlobHash>,
}

/// A remaining address's new name after a removal.
#[derive(Debug, PartialEq, Eq)]
pub struct AddressRename {
    /// Proves the right to rename.
    pub old: AddressSecret,
    /// SHA-256 of the new secret.
    pub new: AddressHash,
}

/// A payload through a channel at any epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct ChannelControl {
    /// Which channel.
    pub channel_id: ChannelId,
    /// Recognises a retry.
    pub send_id: SendId,
    /// At most 16 KiB.
    pub payload: Bytes,
    /// 1 to 4,096.
    pub addresses: Vec<AddressSecret>,
}

/// A payload that is never stored, for whoever is signed in.
#[derive(Debug, PartialEq, Eq)]
pub struct SendEphemeral {
    /// The epoch the payload was sealed in.
    pub epoch: u64,
    /// At most 4 KiB.
    pub payload: Bytes,
    /// 1 to 256.
    pub addresses: Vec<AddressSecret>,
}

impl Request {
    /// The kind of connection it belongs on; None: either.
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::RegisterQueue(_)
            | Self::SignIn(_)
            | Self::RotateQueueKey(_)
            | Self::CreateAddresses(_)
            | Self::RevokeAddresses(_)
            | Self::PublishKeyPackages(_)
            | Self::IssueTokens(_)
            | Self::DeleteQueue
            | Self::CreateInvitation(_)
            | Self::SetBell(_)
            | Self::HearBell(_) => Some(Role::Inbox),
            Self::RedeemTokens(_)
            | Self::TakeKeyPackages(_)
            | Self::Send(_)
            | Self::CreateChannel(_)
            | Self::ChannelSend(_)
            | Self::ChannelCommit(_)
            | Self::ChannelControl(_)
            | Self::SendEphemeral(_)
            | Self::Visit(_)
            | Self::Forwarding(_) => Some(Role::Outbox),
            Self::Ping => None,
        }
    }

    /// Its name, for logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RegisterQueue(_) => "register_queue",
            Self::SignIn(_) => "sign_in",
            Self::RotateQueueKey(_) => "rotate_queue_key",
            Self::CreateAddresses(_) => "create_addresses",
            Self::RevokeAddresses(_) => "revoke_addresses",
            Self::PublishKeyPackages(_) => "publish_key_packages",
            Self::IssueTokens(_) => "issue_tokens",
            Self::CreateInvitation(_) => "create_invitation",
            Self::SetBell(_) => "set_bell",
            Self::HearBell(_) => "hear_bell",
            Self::DeleteQueue => "delete_queue",
            Self::RedeemTokens(_) => "redeem_tokens",
            Self::TakeKeyPackages(_) => "take_key_packages",
            Self::Send(_) => "send",
            Self::CreateChannel(_) => "create_channel",
            Self::ChannelSend(_) => "channel_send",
            Self::ChannelCommit(_) => "channel_commit",
            Self::ChannelControl(_) => "channel_control",
            Self::SendEphemeral(_) => "send_ephemeral",
            Self::Visit(_) => "visit",
            Self::Forwarding(_) => "forwarding",
            Self::Ping => "ping",
        }
    }

    /// How many requests of an outbox connection's allowance it uses: redeeming and visiting are free, all else costs one.
    pub const fn request_cost(&self) -> u64 {
        match self {
            Self::RedeemTokens(_) | Self::Visit(_) => 0,
            _ => 1,
        }
    }

    /// How many bytes of an outbox connection's allowance it uses: a payload costs for every address what its copy takes on the server's
    /// disk ([`copy_size`]), a key package what it weighs, anything else a little. A request that costs more than what is left is refused with
    /// `token.required` and costs nothing.
    pub fn byte_cost(&self) -> u64 {
        const LEAST: u64 = 256;
        let fan_out = |payload: &Bytes, addresses: &[AddressSecret], blob: Option<&BlobHash>| {
            let copies = addresses.len().max(1) as u64;
            copies.saturating_mul(copy_size(payload.len(), blob.is_some()) as u64)
        };
        let sent = |send: &AnySend| {
            let blob = match send {
                AnySend::Direct(send) => send.blob.as_ref(),
                AnySend::Commit(commit) => commit.blob.as_ref(),
                AnySend::Channel(_) | AnySend::Control(_) => None,
            };
            fan_out(send.payload(), send.addresses(), blob)
        };
        match self {
            Self::RedeemTokens(_) | Self::Visit(_) => 0,
            Self::Forwarding(forwarding) => {
                let payload = forwarding.send.payload().len() as u64;
                let bundles: u64 = forwarding
                    .bundles
                    .iter()
                    .map(|bundle| payload + bundle.len() as u64)
                    .sum();
                bundles + sent(&forwarding.send)
            }
            Self::Send(send) => fan_out(&send.payload, &send.addresses, send.blob.as_ref()),
            Self::ChannelSend(send) => fan_out(&send.payload, &send.addresses, None),
            Self::ChannelCommit(commit) => {
                fan_out(&commit.payload, &commit.addresses, commit.blob.as_ref())
            }
            Self::ChannelControl(control) => fan_out(&control.payload, &control.addresses, None),
            Self::SendEphemeral(send) => fan_out(&send.payload, &send.addresses, None),
            Self::TakeKeyPackages(take) => {
                (crate::limits::SEALED_KEY_PACKAGE_BYTES as u64) * take.addresses.len() as u64
            }
            _ => LEAST,
        }
    }
}
