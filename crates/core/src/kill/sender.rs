//! Sending a command: on any machine, without a home or an account.
//!
//! A temporary queue takes the receipts and pays for the anonymous connection that the commands go by. Which devices there are is read from
//! the records that they left. Only a receipt whose signature is right is ever told to the caller.

use std::{sync::Arc, time::Duration};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use undertone_mls::kill::{
    Generation, KillSigner, Order, Receipt, Record, Scope, SealedCommand, Slot, Verdict,
};
use undertone_wire::{
    Error as WireError, auth,
    hpke::HpkeKeyPair,
    ids::QueueId,
    origin::ServerAddress,
    request::{AddressKind, NewAddress, Request},
    response::{Item, Notice},
    secrets::{AddressSecret, Secret},
};

use super::line::{Opening, Outbox};
use crate::{
    client::{ClientOptions, Clock, ProxyChoice},
    error::Result,
    transport::{Connection, Push, Role, Transport},
};

/// Items that the server may push ahead.
const CREDIT: u32 = 16;
/// Tokens that are used at most; a temporary queue is given six.
const TOKENS: usize = 4;

/// What became of the command to one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum KillAnswer {
    /// The device says, signed, that it is wiped.
    Wiped,
    /// The device says, signed, that the command was over by its clock; nothing was done.
    Expired {
        /// What its clock says, Unix seconds.
        #[ts(type = "number")]
        device_clock_s: u64,
    },
    /// The device says, signed, that it has seen a newer command of this sender; nothing was done.
    Replayed,
    /// The server has the command for it, and there is no answer yet: the device gets it at its next contact.
    Waiting,
    /// The server did not take the command for it: its mailbox there is full, or gone.
    NotTaken,
}

/// A device, and what became of the command to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KillProgress {
    /// What its owner calls it.
    pub name: String,
    /// Its number among those that the code reaches.
    pub number: u32,
    /// What became of the command.
    pub answer: KillAnswer,
}

/// A device that can be sent a command.
pub struct KillTarget {
    /// Its slot.
    pub slot: Slot,
    /// What the command will be for.
    pub generation: Generation,
    /// What its owner calls it.
    pub name: String,
    /// Its number among those that the code reaches.
    pub number: u32,
}

/// How to send.
#[derive(Clone, Copy, Debug)]
pub struct SendingOptions {
    /// What is to go.
    pub scope: Scope,
    /// How long the command is good for, by the devices' clocks.
    pub good_for: Duration,
    /// How long to wait for answers.
    pub wait: Duration,
}

/// A temporary queue and an anonymous connection.
pub struct Sender {
    server: ServerAddress,
    clock: Arc<dyn Clock>,
    inbox: Arc<dyn Connection>,
    outbox: Outbox,
    reply: AddressSecret,
    opening: Opening,
}

/// A command that is under way.
struct Sent {
    target: KillTarget,
    counter: u64,
    reply_key: Secret<32>,
    id: [u8; 32],
    answer: KillAnswer,
}

impl Sender {
    /// Connects.
    ///
    /// # Errors
    /// `connection.*`, `registration.temporary` if the server makes no temporary queue at present.
    pub async fn open(options: &ClientOptions, server: &ServerAddress) -> Result<Self> {
        let proxy = match &options.proxy {
            ProxyChoice::Socks5(proxy) => proxy.to_string(),
            ProxyChoice::Direct | ProxyChoice::Remembered => String::new(),
        };
        let transport = crate::client::transport(options, &proxy)?;
        Self::with(transport, Arc::clone(&options.clock), server).await
    }

    pub(crate) async fn with(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        server: &ServerAddress,
    ) -> Result<Self> {
        let inbox = transport.connect(server, Role::Inbox).await?;
        match Self::connected(&transport, clock, server, &inbox).await {
            Ok(sender) => Ok(sender),
            Err(error) => {
                inbox.close();
                Err(error)
            }
        }
    }

    async fn connected(
        transport: &Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        server: &ServerAddress,
        inbox: &Arc<dyn Connection>,
    ) -> Result<Self> {
        let (queue, pair) = (QueueId::random(), HpkeKeyPair::generate()?);
        let key = SigningKey::from_bytes(Secret::<32>::random().expose());
        let hello = inbox.hello();
        let register =
            auth::register_temporary(&key, &server.pin, &hello.challenge, queue, pair.public());
        inbox.request(Request::RegisterQueue(register)).await?;
        let reply = AddressSecret::random();
        let address = NewAddress {
            address: reply.hash(),
            kind: AddressKind::KeyPackage,
        };
        inbox
            .request(Request::CreateAddresses(vec![address]))
            .await?;
        // Two commands to each device at most, and one look at what devices there are.
        let requests = usize::try_from(undertone_mls::kill::SLOTS).unwrap_or(32) * 2 + 1;
        let each = usize::try_from(hello.limits.token_requests).unwrap_or(1);
        let tokens = requests.div_ceil(each.max(1)).clamp(1, TOKENS);
        let outbox = Outbox::open(transport, server, inbox, tokens).await?;
        inbox.credit(CREDIT).await?;
        Ok(Self {
            server: server.clone(),
            clock,
            inbox: Arc::clone(inbox),
            outbox,
            reply,
            opening: Opening::new(queue, vec![pair]),
        })
    }

    /// Seconds by which the server's clock is ahead of this machine's. Nothing follows from it but a warning.
    #[must_use]
    pub fn clock_off_s(&self) -> i64 {
        let theirs = i64::try_from(self.inbox.hello().time_s).unwrap_or(i64::MAX);
        theirs.saturating_sub(self.clock.now_ms() / 1000)
    }

    /// The devices that have these slots, by what they left on the server.
    ///
    /// # Errors
    /// The network's.
    pub async fn find(&self, slots: Vec<(u32, Slot)>) -> Result<Vec<KillTarget>> {
        let addresses = slots.iter().map(|(_, slot)| slot.address()).collect();
        let taken = self.outbox.take(addresses).await?;
        Ok(slots
            .into_iter()
            .zip(taken)
            .filter_map(|((number, slot), taken)| {
                let record = Record::open(&slot, &taken?.sealed).ok()?;
                Some(KillTarget {
                    generation: record.generation,
                    name: record.name,
                    number,
                    slot,
                })
            })
            .collect())
    }

    /// Sends the command to these devices and waits for their answers; `heard` is told of each.
    ///
    /// # Errors
    /// None of the devices could be sent it: the first reason.
    pub async fn send(
        &mut self,
        signer: &KillSigner,
        targets: Vec<KillTarget>,
        options: &SendingOptions,
        mut heard: impl FnMut(&KillProgress),
    ) -> Result<Vec<KillProgress>> {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        let expires_s = (now_ms / 1000).saturating_add(options.good_for.as_secs());
        let mut all = Vec::new();
        let mut commands = Vec::new();
        for target in targets {
            let (sent, sealed) = self.seal(signer, target, options.scope, now_ms, expires_s)?;
            commands.push((sealed.payload, sent.target.slot.address()));
            all.push(sent);
        }
        let outcomes = self.outbox.send_all(commands).await;
        let mut trouble = None;
        for (sent, outcome) in all.iter_mut().zip(outcomes) {
            match outcome {
                Ok(true) => {}
                Ok(false) => sent.answer = KillAnswer::NotTaken,
                Err(error) => {
                    sent.answer = KillAnswer::NotTaken;
                    trouble = trouble.or(Some(error));
                }
            }
            if sent.answer == KillAnswer::NotTaken {
                heard(&sent.progress());
            }
        }
        if let Some(error) = trouble
            && all.iter().all(|sent| sent.answer == KillAnswer::NotTaken)
        {
            return Err(error.into());
        }
        let deadline = tokio::time::Instant::now() + options.wait;
        while all.iter().any(|sent| sent.answer == KillAnswer::Waiting) {
            let Ok(push) = tokio::time::timeout_at(deadline, self.inbox.next_push()).await else {
                break;
            };
            match push {
                Ok(Push::SealKey(key)) => self.opening.key_came(&key),
                Ok(Push::Item(item)) => {
                    self.came(
                        &item,
                        &mut all,
                        signer,
                        options.scope,
                        expires_s,
                        &mut heard,
                    )
                    .await;
                    let _ = self.inbox.ack(item.sequence).await;
                    let _ = self.inbox.credit(1).await;
                }
                Ok(
                    Push::Notice(
                        Notice::TokenKeysChanged(_) | Notice::Announcements(_) | Notice::Bell,
                    )
                    | Push::Ephemeral(_),
                ) => {}
                // What was sent was sent: the answers are lost.
                Ok(Push::Notice(_)) | Err(_) => break,
            }
        }
        Ok(all.iter().map(Sent::progress).collect())
    }

    /// Has something lie at a slot's address to which there is no answer. Says whether the server took it.
    ///
    /// # Errors
    /// The network's.
    pub(crate) async fn leave(&self, payload: Vec<u8>, slot: &Slot) -> Result<bool> {
        Ok(self.outbox.send(payload, slot.address()).await?)
    }

    fn seal(
        &self,
        signer: &KillSigner,
        target: KillTarget,
        scope: Scope,
        counter: u64,
        expires_s: u64,
    ) -> Result<(Sent, SealedCommand)> {
        let reply_key = Secret::random();
        let order = Order {
            scope,
            counter,
            expires_s,
            reply: self.reply.duplicate(),
            reply_key: reply_key.duplicate(),
        };
        let sealed = order.seal(signer, &self.server.pin, &target.slot, &target.generation)?;
        let sent = Sent {
            target,
            counter,
            reply_key,
            id: sealed.id,
            answer: KillAnswer::Waiting,
        };
        Ok((sent, sealed))
    }

    /// Something came to the temporary queue. What is no right receipt of a device that is waited for is nothing.
    async fn came(
        &self,
        item: &Item,
        all: &mut [Sent],
        signer: &KillSigner,
        scope: Scope,
        expires_s: u64,
        heard: &mut impl FnMut(&KillProgress),
    ) {
        let Some(opened) = self.opening.open(item) else {
            return;
        };
        let pin = &self.server.pin;
        let found = all.iter_mut().find_map(|sent| {
            let receipt =
                Receipt::open(&opened.payload, pin, &sent.target.slot, &sent.reply_key).ok()?;
            (receipt.command == sent.id).then_some((sent, receipt.verdict))
        });
        let Some((sent, verdict)) = found else { return };
        match verdict {
            Verdict::Wiped => sent.answer = KillAnswer::Wiped,
            Verdict::Expired(device_clock_s) => {
                sent.answer = KillAnswer::Expired { device_clock_s };
            }
            // This machine's clock is behind that of an earlier sender, or somebody plays an old answer: tried once more, above it.
            Verdict::Replayed(highest) => {
                if !self
                    .try_above(sent, signer, scope, highest, expires_s)
                    .await
                {
                    sent.answer = KillAnswer::Replayed;
                }
            }
        }
        if sent.answer != KillAnswer::Waiting {
            heard(&sent.progress());
        }
    }

    async fn try_above(
        &self,
        sent: &mut Sent,
        signer: &KillSigner,
        scope: Scope,
        highest: u64,
        expires_s: u64,
    ) -> bool {
        let Some(counter) = highest.checked_add(1).filter(|next| *next > sent.counter) else {
            return false;
        };
        let target = KillTarget {
            slot: Slot::of(sent.target.slot.secret().duplicate()),
            generation: sent.target.generation,
            name: sent.target.name.clone(),
            number: sent.target.number,
        };
        let Ok((again, sealed)) = self.seal(signer, target, scope, counter, expires_s) else {
            return false;
        };
        let to = again.target.slot.address();
        let taken = self.outbox.send(sealed.payload, to).await;
        *sent = again;
        matches!(taken, Ok(true))
    }

    /// Takes the temporary queue away.
    pub async fn close(self) {
        let gone = self.inbox.request(Request::DeleteQueue);
        let _ = tokio::time::timeout(Duration::from_secs(3), gone).await;
        self.inbox.close();
        self.outbox.close();
    }
}

impl Sent {
    fn progress(&self) -> KillProgress {
        KillProgress {
            name: self.target.name.clone(),
            number: self.target.number,
            answer: self.answer.clone(),
        }
    }
}

/// A server as it is given: `host:port`, and its pin.
///
/// # Errors
/// `account.server_invalid`.
pub fn server_address(origin: &str, pin: Option<&str>) -> Result<ServerAddress> {
    let text = match pin {
        Some(pin) => format!("{}+{}", origin.trim(), pin.trim()),
        None => origin.trim().to_owned(),
    };
    text.parse()
        .map_err(|_: WireError| crate::Reason::ServerInvalid.into())
}
