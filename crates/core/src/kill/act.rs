//! Judging what came to a kill address, and wiping. A heartbeat comes there too, and is no command.
//!
//! Whether a command is too old is judged by this device's own clock, and by nothing that a server or a contact says: neither can make a
//! command count that should not, nor the other way round. Somebody who holds the device can set its clock ahead, and could as well
//! keep it off the network; one that is behind makes a command live longer. Either way the sender is told what the device's clock says.

use std::{path::Path, sync::Arc, time::Duration};

use undertone_mls::kill::{Command, Heartbeat, Receipt, Scope, Verdict};
use undertone_wire::{auth, ids::Pin, request::Request, response::QueueItem};

use super::{
    line::Outbox,
    section::{Place, Post, Section, fingerprint},
    watch::MainQueue,
};
use crate::{
    error::Result,
    home::Wipe,
    transport::{Connection, Role, Transport},
};

/// How long the farewell to the server may take. The device is wiped by then.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often it is tried to get at keys that could not be overwritten.
const ATTEMPTS: u32 = 3;

/// What is to be done about what came.
pub(super) enum Judged {
    /// It is no command for this device.
    Nothing,
    /// The sender is told why nothing is done.
    Refused(Box<(Place, Command)>, Verdict),
    /// The home is to be wiped.
    Wipe(Box<(Place, Command)>),
    /// Another own device says, signed, when the owner was there (Unix seconds).
    Heartbeat(u64),
}

/// Judges what came. A command that is refused is never judged otherwise later: its counter is on disk before the sender is told.
pub(super) fn judge(
    section: &Section,
    post: &Post,
    item: &QueueItem,
    now_s: u64,
) -> Result<Judged> {
    let pin = post.server()?.pin;
    let Some((place, command)) = open(post, &pin, item)? else {
        let heartbeat = open_heartbeat(post, &pin, item)?;
        return Ok(heartbeat.map_or(Judged::Nothing, |at| Judged::Heartbeat(at.at_s)));
    };
    let found = Box::new((place.clone(), command));
    let order = &found.1.order;
    let highest = place.highest_of(&found.1.signer);
    if order.counter <= highest {
        return Ok(Judged::Refused(found, Verdict::Replayed(highest)));
    }
    if now_s <= order.expires_s {
        return Ok(Judged::Wipe(found));
    }
    let (counter, signer) = (order.counter, found.1.signer);
    section.update_post(&post.queue()?, |post| {
        for kept in &mut post.places {
            if kept.secret == place.secret {
                kept.saw(&signer, counter);
            }
        }
    })?;
    Ok(Judged::Refused(found, Verdict::Expired(now_s)))
}

fn open(post: &Post, pin: &Pin, item: &QueueItem) -> Result<Option<(Place, Command)>> {
    for place in &post.places {
        let slot = place.slot()?;
        if slot.address().hash() != item.address {
            continue;
        }
        let generation = place.generation()?;
        let may = |key: &[u8; 32]| place.obeys(key);
        return Ok(
            match Command::open(&item.payload, pin, &slot, &generation, may) {
                // A custodian may wipe the device, and nothing else.
                Ok(command) if place.owner || command.order.scope == Scope::Device => {
                    Some((place.clone(), command))
                }
                Ok(_) => None,
                Err(refused) => {
                    tracing::debug!(why = ?refused, "what came to a kill address was no command");
                    None
                }
            },
        );
    }
    Ok(None)
}

/// The heartbeat that came. The account's other devices may send one, and neither a custodian nor whoever has the kill code's words.
fn open_heartbeat(post: &Post, pin: &Pin, item: &QueueItem) -> Result<Option<Heartbeat>> {
    for place in post.places.iter().filter(|place| place.owner) {
        let slot = place.slot()?;
        if slot.address().hash() == item.address {
            let generation = place.generation()?;
            let may = |key: &[u8; 32]| place.obeys(key) && fingerprint(key) != place.of;
            return Ok(Heartbeat::open(&item.payload, pin, &slot, &generation, may).ok());
        }
    }
    Ok(None)
}

/// Wipes the home. Answers whether nothing in it opens any more.
pub(super) async fn wipe(home: &Path) -> bool {
    for _ in 0..ATTEMPTS {
        let place = home.to_owned();
        let wiped = tokio::task::spawn_blocking(move || Wipe::begin(&place)).await;
        match wiped {
            Ok(Ok(report)) if report.keys_gone => return true,
            // The folder itself is gone.
            Ok(Err(crate::home::HomeError::Missing)) => return true,
            _ => tracing::warn!("a wipe could not be finished; it is tried again"),
        }
    }
    false
}

/// Where a farewell goes.
pub(super) struct Farewell<'a> {
    pub(super) transport: &'a Arc<dyn Transport>,
    pub(super) post: &'a Post,
    /// Signed in as the kill queue.
    pub(super) inbox: &'a Arc<dyn Connection>,
    pub(super) main: Option<&'a MainQueue>,
}

impl Farewell<'_> {
    /// Tells the sender what became of a command.
    pub(super) async fn tell(
        &self,
        place: &Place,
        command: &Command,
        verdict: Verdict,
    ) -> Result<()> {
        let server = self.post.server()?;
        let receipt = Receipt {
            command: command.id,
            verdict,
        };
        let order = &command.order;
        let sealed = receipt.seal(&server.pin, &place.slot()?, &order.reply_key)?;
        let outbox = Outbox::open(self.transport, &server, self.inbox, 1).await?;
        let sent = outbox.send(sealed, order.reply.duplicate()).await;
        outbox.close();
        sent?;
        Ok(())
    }

    /// The last things that this device says: that it is wiped; and its queues go.
    pub(super) async fn say(&self, place: &Place, command: &Command, sequence: u64) {
        let said = async {
            if let Err(error) = self.tell(place, command, Verdict::Wiped).await {
                tracing::debug!(code = error.code(), "the receipt could not be sent");
            }
            let _ = self.inbox.ack(sequence).await;
            let _ = self.inbox.request(Request::DeleteQueue).await;
            if let (Scope::DevicesAndQueues, Some(main)) = (command.order.scope, self.main) {
                let _ = self.delete_main(main).await;
            }
        };
        let _ = tokio::time::timeout(FAREWELL, said).await;
    }

    async fn delete_main(&self, main: &MainQueue) -> Result<()> {
        let connection = self.transport.connect(&main.server, Role::Inbox).await?;
        let key = ed25519_dalek::SigningKey::from_bytes(main.key.expose());
        let challenge = connection.hello().challenge;
        let sign_in = auth::sign_in(&key, &main.server.pin, &challenge, main.queue);
        let outcome = async {
            connection.request(Request::SignIn(sign_in)).await?;
            connection.request(Request::DeleteQueue).await
        }
        .await;
        connection.close();
        outcome?;
        Ok(())
    }
}
