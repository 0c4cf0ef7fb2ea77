//! Meeting the other device on the server: a temporary queue, an anonymous connection for the few things to be said, and nothing kept in
//! memory that a restart would lose.

use std::{collections::HashMap, sync::Arc, time::Duration};

use prost::Message as _;
use undertone_mls::linking::{LinkMessage, LinkSide, open_message, seal_message};
use undertone_wire::{
    Class, Code, Error as WireError, auth,
    client_proto::{DirectMessage, Payload, direct_message, payload},
    ids::{KeyId, SendId},
    padding,
    request::{AddressKind, NewAddress, Request, Send},
    response::{Item, ItemKind, Notice, Response},
    seal::OpeningKey,
    tokens::PendingTokens,
};

use super::row::{self, Joining, State};
use crate::{
    client::Clock,
    error::{Error, Reason, Result},
    store::Database,
    transport::{Connection, Push, Role, Transport},
};

/// Items that the server may push ahead: a temporary queue holds few.
const CREDIT: u32 = 16;
/// How long to wait before the next attempt to connect.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the clock is looked at while nothing comes.
const LOOK: Duration = Duration::from_secs(5);

/// A home that is being linked, and its way to the server.
pub(crate) struct Rendezvous {
    pub(crate) database: Database,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Rendezvous {
    /// Reads the row, off the async threads.
    pub(crate) async fn row(&self) -> Result<Joining> {
        self.write(|db, _| row::get(db)?.ok_or_else(|| Reason::LinkingNone.into()))
            .await
    }

    /// Runs one event as one transaction.
    pub(crate) async fn write<T: std::marker::Send + 'static>(
        &self,
        event: impl FnOnce(&rusqlite::Connection, i64) -> Result<T> + std::marker::Send + 'static,
    ) -> Result<T> {
        let (database, now_ms) = (self.database.clone(), self.clock.now_ms());
        tokio::task::spawn_blocking(move || {
            database.transaction(|tx| event(tx.connection(), now_ms))
        })
        .await
        .map_err(|_| Error::Reason(Reason::Closed))?
    }

    /// Goes on until the row has come so far.
    ///
    /// # Errors
    /// `linking.*` when it comes to nothing; what can't be done on the network is tried again until the code has expired.
    pub(crate) async fn until(&self, wanted: State) -> Result<()> {
        loop {
            let row = self.row().await?;
            if let Some(reason) = failure(&row) {
                return Err(reason.into());
            }
            if row.state >= wanted {
                return Ok(());
            }
            if row.expires_at_ms <= self.clock.now_ms() {
                self.write(|db, _| row::fail(db, Reason::LinkingExpired))
                    .await?;
                continue;
            }
            match self.session(&row, wanted).await {
                Ok(()) => {}
                Err(Error::Wire(error)) if error.class != Class::Never => {
                    tracing::debug!(code = error.code.as_str(), "rendezvous interrupted");
                    tokio::time::sleep(PAUSE).await;
                }
                // A temporary queue that the server does not know any more has had its days.
                Err(Error::Wire(WireError {
                    code: Code::AuthQueueUnknown,
                    ..
                })) => {
                    self.write(|db, _| row::fail(db, Reason::LinkingExpired))
                        .await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn session(&self, row: &Joining, wanted: State) -> Result<()> {
        let server = &row.code.server;
        let connection = self.transport.connect(server, Role::Inbox).await?;
        let outcome = self.signed_in(row, &connection, wanted).await;
        connection.close();
        outcome
    }

    async fn sign_in(&self, row: &Joining, connection: &Arc<dyn Connection>) -> Result<()> {
        let challenge = &connection.hello().challenge;
        let pin = &row.code.server.pin;
        let request = if row.registered {
            Request::SignIn(auth::sign_in(&row.queue_key, pin, challenge, row.queue))
        } else {
            Request::RegisterQueue(auth::register_temporary(
                &row.queue_key,
                pin,
                challenge,
                row.queue,
                row.queue_pair.public(),
            ))
        };
        let Response::SignedIn(_) = connection.request(request).await? else {
            return Err(WireError::new(Code::ResponseMalformed).into());
        };
        let address = NewAddress {
            address: row.code.address.hash(),
            kind: AddressKind::KeyPackage,
        };
        connection
            .request(Request::CreateAddresses(vec![address]))
            .await?;
        self.write(|db, _| row::registered(db)).await
    }

    async fn signed_in(
        &self,
        row: &Joining,
        connection: &Arc<dyn Connection>,
        wanted: State,
    ) -> Result<()> {
        self.sign_in(row, connection).await?;
        connection.credit(CREDIT).await?;
        let mut keys: HashMap<KeyId, OpeningKey> = HashMap::new();
        let mut confirmed = false;
        loop {
            let row = self.row().await?;
            if row.state >= wanted
                || failure(&row).is_some()
                || row.expires_at_ms <= self.clock.now_ms()
            {
                return Ok(());
            }
            match row.state {
                State::Revealing => {
                    let message = LinkMessage::Reveal {
                        public: row.keys.public(),
                        device_name: row.name.clone(),
                    };
                    self.say(&row, connection, &message).await?;
                    self.write(|db, _| row::revealed(db)).await?;
                    continue;
                }
                // Said once on each connection: the other side takes the first.
                State::Confirmed if !confirmed => {
                    self.say(&row, connection, &confirmation(&row)?).await?;
                    confirmed = true;
                }
                _ => {}
            }
            let push = match tokio::time::timeout(LOOK, connection.next_push()).await {
                Ok(push) => push?,
                Err(_) => continue,
            };
            match push {
                Push::SealKey(key) => {
                    if let Ok(opened) = OpeningKey::open(&row.queue, &row.queue_pair, &key) {
                        keys.insert(key.key_id, opened);
                    }
                }
                // No credit was given for any, and nothing here is said for a moment; what is announced is for accounts.
                Push::Ephemeral(_) | Push::Notice(Notice::Announcements(_)) => {}
                Push::Item(item) => self.take(connection, &keys, item).await?,
                Push::Notice(Notice::ShuttingDown { retry_after_s }) => {
                    return Err(
                        WireError::retry_after(Code::ServerShuttingDown, retry_after_s).into(),
                    );
                }
                Push::Notice(Notice::Replaced) => {
                    return Err(WireError::new(Code::AuthReplaced).into());
                }
                Push::Notice(Notice::TokenKeysChanged(_) | Notice::Bell) => {
                    return Err(WireError::new(Code::ConnectionLost).into());
                }
            }
        }
    }

    /// Takes one item: its effect and the position are one transaction.
    async fn take(
        &self,
        connection: &Arc<dyn Connection>,
        keys: &HashMap<KeyId, OpeningKey>,
        item: Item,
    ) -> Result<()> {
        let row = self.row().await?;
        let sequence = item.sequence;
        if sequence > row.position {
            let sealed = keys
                .get(&item.key_id)
                .and_then(|key| {
                    key.open_item(&row.queue, sequence, item.nonce, &item.sealed)
                        .ok()
                })
                .filter(|opened| opened.kind == ItemKind::Direct)
                .and_then(|opened| linking_message(&opened.payload));
            self.write(move |db, now_ms| {
                if let Some(sealed) = sealed
                    && let Some(row) = row::get(db)?
                {
                    heard(db, &row, &sealed, now_ms)?;
                }
                row::set_position(db, sequence)
            })
            .await?;
        }
        connection.ack(sequence).await?;
        Ok(())
    }

    /// Says something to the other device, by an anonymous connection of its own.
    async fn say(
        &self,
        row: &Joining,
        inbox: &Arc<dyn Connection>,
        message: &LinkMessage,
    ) -> Result<()> {
        let reply = row.reply().ok_or(Reason::StateBroken)?;
        let sealed = seal_message(&row.code.key, LinkSide::New, message)?;
        let body = DirectMessage {
            body: Some(direct_message::Body::Linking(sealed.into())),
        }
        .encode_to_vec();
        let plain = Payload {
            body: Some(payload::Body::Inline(body.into())),
        }
        .encode_to_vec();
        let pending = PendingTokens::blind(1)?;
        let request = Request::IssueTokens(pending.blinded().to_vec());
        let Response::IssuedTokens(issued) = inbox.request(request).await? else {
            return Err(WireError::new(Code::ResponseMalformed).into());
        };
        let shown = &inbox.hello().token_keys;
        let key = shown
            .iter()
            .find(|key| key.id == issued.key_id)
            .ok_or_else(|| WireError::new(Code::TokenKeysDiffer))?;
        let tokens = pending.finalize(key, &issued)?;
        let outbox = self
            .transport
            .connect(&row.code.server, Role::Outbox)
            .await?;
        let outcome = async {
            let differs = |key| !shown.contains(key);
            if outbox.hello().token_keys.iter().any(differs) {
                return Err(WireError::new(Code::TokenKeysDiffer));
            }
            outbox.request(Request::RedeemTokens(tokens)).await?;
            outbox
                .request(Request::Send(Send {
                    send_id: SendId::random(),
                    payload: padding::pad_payload(&plain, 0)?.into(),
                    addresses: vec![reply],
                    blob: None,
                }))
                .await
        }
        .await;
        outbox.close();
        match outcome? {
            Response::Accepted(_) => Ok(()),
            _ => Err(WireError::new(Code::ResponseMalformed).into()),
        }
    }

    /// Tells the other device that it comes to nothing, if it is there, and takes the temporary queue away. Whatever of it fails ends by itself
    /// when the queue does.
    pub(crate) async fn leave(&self, say_so: bool) {
        let Ok(row) = self.row().await else { return };
        let Ok(connection) = self.transport.connect(&row.code.server, Role::Inbox).await else {
            return;
        };
        if row.registered && self.sign_in(&row, &connection).await.is_ok() {
            if say_so && row.reply().is_some() {
                let _ = self.say(&row, &connection, &LinkMessage::End).await;
            }
            let _ = connection.request(Request::DeleteQueue).await;
        }
        connection.close();
    }
}

/// Why it came to nothing, if it did.
fn failure(row: &Joining) -> Option<Reason> {
    Reason::ALL
        .iter()
        .copied()
        .find(|reason| reason.code() == row.failure)
}

fn confirmation(row: &Joining) -> Result<LinkMessage> {
    let (Some(transcript), Some(peer), Some(answer)) = (&row.transcript, row.peer(), row.answer())
    else {
        return Err(Reason::StateBroken.into());
    };
    Ok(LinkMessage::Confirm(
        transcript.seal_confirm(peer, &answer)?,
    ))
}

fn linking_message(payload: &[u8]) -> Option<Vec<u8>> {
    let plain = padding::unpad_payload(payload).ok()?;
    let payload::Body::Inline(bytes) = Payload::decode(plain).ok()?.body? else {
        return None;
    };
    match DirectMessage::decode(bytes).ok()?.body? {
        direct_message::Body::Linking(sealed) => Some(sealed.to_vec()),
        _ => None,
    }
}

/// The other device says something. What is not from whoever read the code, or not for now, is nothing.
fn heard(db: &rusqlite::Connection, row: &Joining, sealed: &[u8], now_ms: i64) -> Result<()> {
    let Ok(message) = open_message(&row.code.key, LinkSide::Old, sealed) else {
        return Ok(());
    };
    match message {
        LinkMessage::Offer { public, reply } if row.state == State::Shown => {
            row::offered(db, row, &public, &reply)
        }
        LinkMessage::Provision(sealed) if row.state == State::Confirmed => {
            let (Some(transcript), Some(answer)) = (&row.transcript, row.answer()) else {
                return Ok(());
            };
            match transcript.open_provisioning(&row.keys, &answer, &sealed) {
                Ok(account) => row::provisioned(db, row, account, now_ms),
                // From somebody who read the code, and not from the device whose words were compared.
                Err(_) => Ok(()),
            }
        }
        LinkMessage::End if row.state < State::Provisioned => row::fail(db, Reason::LinkingRefused),
        _ => Ok(()),
    }
}
