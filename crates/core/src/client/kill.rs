//! The kill code, custodians, and commands to the account's other devices.

use std::{sync::Arc, time::Duration};

use undertone_mls::kill::Scope;
use undertone_wire::{
    custodian::{CustodianKey, CustodianTicket},
    origin::ServerAddress,
};

use super::Client;
use crate::{
    error::{Reason, Result},
    ids::DeviceId,
    kill::{KillAnswer, KillTarget, Sender, SendingOptions},
    sync::{devices, kill},
    view::{CustodianInfo, KillStatus},
};

/// How long a command between own devices is good for.
const GOOD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// The twelve words of a kill code. Shown once.
pub struct KillWords(zeroize::Zeroizing<String>);

impl KillWords {
    /// Twelve words, separated by spaces.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.0
    }
}

impl Client {
    /// Makes a kill code; one that was made before ends. It works once this device, and the account's others, have reached the server.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn new_kill_code(&self) -> Result<KillWords> {
        let words = self.write(kill::new_code).await?;
        self.inner.driver.shared.arming(true);
        Ok(KillWords(words))
    }

    /// Whether there is a kill code, whether it reaches this device, and who else may wipe it.
    ///
    /// # Errors
    /// `store.*`, `home.*`.
    pub async fn kill_status(&self) -> Result<KillStatus> {
        let (code, queue, siblings, custodians) = self
            .write(|work| {
                let code = kill::code(work)?;
                let reached = kill::siblings(work)?
                    .into_iter()
                    .filter(|sibling| code.as_ref().is_some_and(|code| sibling.is_of(code)))
                    .map(|sibling| DeviceId::from_bytes(sibling.device.as_bytes()))
                    .collect();
                Ok((code, kill::queue(work)?, reached, kill::custodians(work)?))
            })
            .await?;
        let section = self
            .inner
            .driver
            .shared
            .kill
            .as_ref()
            .map(|kill| kill.section.clone());
        let post = match section {
            Some(section) => {
                self.inner
                    .engine
                    .blocking(move |_| section.post(&queue))
                    .await?
            }
            None => None,
        };
        let reaches = |owner: bool, of: &[u8; 32]| {
            let of = crate::kill::section::fingerprint(of);
            post.as_ref().is_some_and(|post| {
                post.registered
                    && post.places.iter().any(|place| {
                        place.owner == owner && place.of == of && place.claimed && place.published
                    })
            })
        };
        Ok(KillStatus {
            code: code.is_some(),
            generation: code.as_ref().map_or(0, |code| code.generation),
            made_ms: code.as_ref().map_or(0, |code| code.made_at_ms),
            armed: code
                .as_ref()
                .and_then(|code| <[u8; 32]>::try_from(&code.public_key[..]).ok())
                .is_some_and(|key| reaches(true, &key)),
            devices: siblings,
            custodians: custodians
                .into_iter()
                .map(|custodian| CustodianInfo {
                    armed: reaches(false, &custodian.key.public_key),
                    name: custodian.key.name,
                    accepted_ms: custodian.accepted_at_ms,
                })
                .collect(),
        })
    }

    /// Lets a custodian wipe this device, and nothing else. It can't be taken back but by wiping the device. Answers the ticket that the
    /// custodian needs.
    ///
    /// # Errors
    /// `text.*` if this is no custodian's key, `kill.full`.
    pub async fn accept_custodian(&self, key: &str) -> Result<String> {
        let key: CustodianKey = key.parse()?;
        let ticket = self
            .write(move |work| {
                let (slot, name) = kill::accept(work, &key)?;
                let ticket = CustodianTicket {
                    server: work.me.server.clone(),
                    slot,
                    name: if name.trim().is_empty() {
                        work.me.name()
                    } else {
                        name
                    },
                };
                Ok(ticket.to_string())
            })
            .await?;
        self.inner.driver.shared.arming(true);
        Ok(ticket)
    }

    /// Has another device of this account wiped, and waits for its answer, at most `wait`. It stays on the list of devices until it is
    /// removed; when it answers that it is wiped, that happens at once if the owner wants it so ([`Protection::remove_wiped`]).
    ///
    /// [`Protection::remove_wiped`]: crate::Protection::remove_wiped
    ///
    /// # Errors
    /// `device.unknown`; `device.own`; `kill.none`; `kill.not_ready` if that device can't be reached so; `connection.*`,
    /// `registration.temporary`.
    pub async fn kill_device(&self, device: &DeviceId, wait: Duration) -> Result<KillAnswer> {
        let id = undertone_mls::DeviceId::new(device.bytes()?);
        let (signer, target, server) = self
            .write(move |work| {
                if id == work.me.device {
                    return Err(Reason::DeviceOwn.into());
                }
                let named = devices::get(work.db, &id)?
                    .filter(|device| device.in_use)
                    .ok_or(Reason::DeviceUnknown)?;
                let code = kill::code(work)?.ok_or(Reason::KillNone)?;
                let sibling = kill::siblings(work)?
                    .into_iter()
                    .find(|sibling| sibling.device == id && sibling.is_of(&code))
                    .ok_or(Reason::KillNotReady)?;
                let target = KillTarget {
                    slot: kill::seed(&code)?.slot(sibling.number),
                    generation: sibling.generation,
                    name: named.name,
                    number: sibling.number,
                };
                let server: ServerAddress = work.me.server.clone();
                Ok((kill::signer(work)?, target, server))
            })
            .await?;
        let shared = &self.inner.driver.shared;
        let (transport, clock) = (
            Arc::clone(&shared.transport),
            Arc::clone(&shared.engine.clock),
        );
        let mut sender = Sender::with(transport, clock, &server).await?;
        let options = SendingOptions {
            scope: Scope::Device,
            good_for: GOOD_FOR,
            wait,
        };
        let outcome = sender.send(&signer, vec![target], &options, |_| ()).await;
        sender.close().await;
        let answer = outcome?.into_iter().next().map(|progress| progress.answer);
        if answer == Some(KillAnswer::Wiped) {
            self.write(move |work| devices::was_wiped(work, &id))
                .await?;
        }
        Ok(answer.unwrap_or(KillAnswer::NotTaken))
    }
}
