//! Links, contacts and safety numbers.

use std::time::Duration;

use undertone_mls::{AccountId, KpKey, safety_number};
use undertone_wire::{
    secrets::LinkSecret,
    strings::{ContactLink, LinkAddress},
};

use super::Client;
use crate::{
    error::{Reason, Result},
    ids::{ContactId, LinkId},
    query,
    sync::{Engine, Work, add, contact, link, other_account, take::Source},
    view::*,
};

/// A link's life if nothing else is said.
const WEEK_S: u64 = 7 * 24 * 3600;
/// How long the server may take.
const WAIT: Duration = Duration::from_secs(20);
/// How often the store is looked at while waiting.
const LOOK: Duration = Duration::from_millis(15);
/// Before a safety number in a QR code.
const QR_PREFIX: &[u8] = b"undertone:v:1:";

/// The text of an open link, from its row.
fn uri(db: &rusqlite::Connection, engine: &Engine, row: i64) -> Result<String> {
    let (secret, expires, address, kp_key): (Vec<u8>, i64, Vec<u8>, Vec<u8>) = db.query_row(
        "SELECT l.secret, l.expires_at_ms, a.secret, p.kp_key FROM links l
         JOIN addresses a ON a.id = l.address JOIN pools p ON p.address = l.address WHERE l.id = ?1",
        [row],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    let link = ContactLink {
        server: engine.me.server.clone(),
        account: engine.me.account,
        link_secret: LinkSecret::from_slice(&secret)?,
        addresses: vec![LinkAddress {
            address: undertone_wire::secrets::AddressSecret::from_slice(&address)?,
            kp_key: KpKey::from_slice(&kp_key)?,
        }],
        expires_s: u64::try_from(expires / 1000).ok().filter(|at| *at > 0),
    };
    Ok(link.to_string())
}

impl Client {
    /// Makes a contact link. It is given out only once everything it needs is on the server.
    ///
    /// # Errors
    /// `connection.offline` if the server was not reached in time; the link is withdrawn then.
    pub async fn create_link(&self, options: LinkOptions) -> Result<LinkInfo> {
        let uses = options.uses.clamp(1, 100);
        let ask = options.ask.unwrap_or(uses > 1);
        let life_s = options.expires_in_s.unwrap_or(WEEK_S);
        let row = self
            .write(move |work| {
                let expires = match life_s {
                    0 => 0,
                    life => work.now_ms.saturating_add(
                        i64::try_from(life.saturating_mul(1000)).unwrap_or(i64::MAX),
                    ),
                };
                link::create(work, expires, uses, ask)
            })
            .await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        while !self
            .write(move |work| link::is_published(work, row))
            .await?
        {
            if !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                self.write(move |work| link::revoke(work, row)).await?;
                return Err(Reason::Offline.into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let all = self.links().await?;
        Ok(all.into_iter().next_back().ok_or(Reason::LinkUnknown)?)
    }

    /// Whether the last attempt to reach the server failed.
    pub(super) fn is_unreachable(&self) -> bool {
        let links = self.inner.driver.shared.links.borrow();
        links.inbox != LinkState::Online && links.failures > 1
    }

    /// All links that this device made.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn links(&self) -> Result<Vec<LinkInfo>> {
        self.read(|snapshot, engine| {
            let db = snapshot.connection();
            query::links(db, |row| uri(db, engine, row))
        })
        .await
    }

    /// Withdraws a link.
    ///
    /// # Errors
    /// `link.unknown`.
    pub async fn revoke_link(&self, id: &LinkId) -> Result<()> {
        let id = id.bytes()?;
        self.write(move |work| {
            let row = link::row_id(work.db, &id)?;
            link::revoke(work, row)
        })
        .await
    }

    /// Adds the person who made a link. Without the server it is done as soon as it is there.
    ///
    /// # Errors
    /// `text.*` and `link.*` (damaged, expired, used, one's own), `contact.already`.
    pub async fn add_contact(&self, text: &str) -> Result<AddResult> {
        let link: ContactLink = text.parse()?;
        let own = &self.inner.engine.me.server;
        let server = if link.server.pin == own.pin {
            String::new()
        } else {
            link.server.to_string()
        };
        let now_s = u64::try_from(self.inner.engine.clock.now_ms() / 1000).unwrap_or(0);
        if link.expires_s.is_some_and(|at| at <= now_s) {
            return Err(Reason::LinkExpired.into());
        }
        let account: AccountId = link.account;
        let wanted = add::Link {
            account,
            secret: link.link_secret,
            sources: link
                .addresses
                .into_iter()
                .map(|address| Source {
                    secret: address.address,
                    kp_key: address.kp_key,
                })
                .collect(),
            server,
            text: text.trim().to_owned(),
        };
        let row = self.write(move |work| add::begin(work, &wanted)).await?;
        let deadline = tokio::time::Instant::now() + WAIT;
        loop {
            let done = self
                .read(move |snapshot, _| query::added(snapshot.connection(), row, &account))
                .await?;
            if let Some(result) = done {
                return Ok(result);
            }
            if !self.inner.driver.runs()
                || self.is_unreachable()
                || tokio::time::Instant::now() >= deadline
            {
                return Ok(AddResult {
                    contact: None,
                    chat: None,
                    state: Delivery::Queued,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// All contacts, by name.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn contacts(&self) -> Result<Vec<ContactInfo>> {
        self.read(|snapshot, _| query::contacts(snapshot.connection()))
            .await
    }

    /// The contact that a name, the beginning of one, or an id means.
    ///
    /// # Errors
    /// `contact.unknown`, `contact.ambiguous`.
    pub async fn find_contact(&self, selector: &str) -> Result<ContactInfo> {
        let selector = selector.to_owned();
        self.read(move |snapshot, _| query::find_contact(snapshot.connection(), &selector))
            .await
    }

    /// The number to compare with a contact, in person or by voice.
    ///
    /// # Errors
    /// `contact.unknown`.
    pub async fn safety_number(&self, contact: &ContactId) -> Result<SafetyNumber> {
        let account = contact.bytes()?;
        self.read(move |snapshot, engine| {
            let contact =
                query::contact(snapshot.connection(), &account)?.ok_or(Reason::ContactUnknown)?;
            let digits = safety_number(&engine.me.account, &AccountId::new(account));
            let mut qr = QR_PREFIX.to_vec();
            qr.extend(digits.bytes().filter(u8::is_ascii_digit));
            Ok(SafetyNumber {
                contact: contact.id,
                digits,
                qr,
                verified: contact.verified,
            })
        })
        .await
    }

    /// Notes that the number was compared, or that it is not trusted any more.
    ///
    /// # Errors
    /// `contact.unknown`.
    pub async fn set_verified(&self, contact: &ContactId, verified: bool) -> Result<()> {
        let account = AccountId::new(contact.bytes()?);
        let known = self
            .write(move |work: &Work<'_>| contact::set_verified(work, &account, verified))
            .await?;
        if known {
            Ok(())
        } else {
            Err(Reason::ContactUnknown.into())
        }
    }

    /// Accounts that go by the name of a contact and are not that contact's, until their number is compared or they are accepted. Every
    /// chat with one of them is to say so.
    ///
    /// # Errors
    /// `store.*`.
    pub async fn other_accounts(&self) -> Result<Vec<OtherAccount>> {
        self.read(|snapshot, _| other_account::open(snapshot.connection()))
            .await
    }

    /// Notes that one knows of such an account: another person of that name, or the same one with a new account. Its number stays not
    /// compared.
    ///
    /// # Errors
    /// `contact.unknown`.
    pub async fn accept_account(&self, account: &ContactId) -> Result<()> {
        let account = AccountId::new(account.bytes()?);
        self.write(move |work| other_account::accept(work, &account))
            .await
    }

    /// Compares a scanned QR code, and notes the contact as verified if it is theirs.
    ///
    /// # Errors
    /// `contact.unknown`.
    pub async fn check_safety_code(&self, contact: &ContactId, scanned: &[u8]) -> Result<bool> {
        let number = self.safety_number(contact).await?;
        let same = number.qr == scanned;
        if same {
            self.set_verified(contact, true).await?;
        }
        Ok(same)
    }
}
