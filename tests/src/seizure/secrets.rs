//! What must not be found: all that the apps know and the server must not.
//!
//! Besides what the drill itself made up (texts, names, files, links), everything that the apps' own stores hold is taken:
//! each blob and text of each table, but for [`KNOWN_TO_THE_SERVER`]. So a column that somebody adds to the app later is looked for
//! without anybody thinking of it.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use undertone_core::home::{Owner, Passphrase};
use undertone_mls::account::DeviceKeys;
use undertone_wire::hpke::HpkeKeyPair;
use undertone_wire::strings::ContactLink;

use crate::disk::Needle;
use crate::failed::{Failed, Outcome};
use crate::person::Person;

/// What the app holds and the server is given, as (table, column, why).
const KNOWN_TO_THE_SERVER: [(&str, &str, &str); 13] = [
    ("server", "origin", "its own address"),
    ("server", "pin", "its own key's"),
    ("server", "queue_id", "the queue's name"),
    ("server", "incarnation", "its own"),
    ("queue_keys", "public", "it seals to it"),
    ("token_keys", "key_id", "its own"),
    ("token_keys", "public", "its own"),
    ("tokens", "key_id", "its own"),
    ("address_names", "hash", "how it knows an address"),
    (
        "key_packages",
        "id",
        "so that an owner can list and withdraw one",
    ),
    (
        "key_packages",
        "sealed",
        "opaque: encrypted under a key that it does not get",
    ),
    (
        "commits",
        "payload_hash",
        "so that a repeated commit is known again",
    ),
    ("message_files", "content_type", "a word, no secret"),
];

/// Longer values are looked for by a part of this length.
const PART: usize = 48;

/// What one home holds.
#[derive(Default)]
pub struct Secrets {
    /// To be looked for.
    pub needles: Vec<Needle>,
    /// The private keys that open sealing keys, by the queue's id; the newest last.
    pub queue_keys: BTreeMap<Vec<u8>, Vec<HpkeKeyPair>>,
    /// The id of each person's queue.
    pub queues: BTreeMap<String, Vec<u8>>,
}

impl Secrets {
    /// Adds a text of people's, however it may be written down.
    pub fn add_text(&mut self, what: &str, text: &str) {
        self.needles.extend(Needle::text(what, text));
    }

    /// Adds bytes, however they may be written down.
    pub fn add_bytes(&mut self, what: &str, bytes: &[u8]) {
        let varies = bytes.windows(2).any(|pair| pair[0] != pair[1]);
        if bytes.len() < 16 || !varies {
            return;
        }
        let part = if bytes.len() > PART {
            let middle = (bytes.len() - PART) / 2;
            &bytes[middle..middle + PART]
        } else {
            bytes
        };
        self.needles.extend(Needle::bytes(what, part));
    }

    /// Adds a contact link and all that is in it.
    ///
    /// # Errors
    /// If it is none.
    pub fn add_link(&mut self, link: &str) -> Outcome {
        let parsed: ContactLink = link
            .parse()
            .map_err(|_| Failed::harness("reading a contact link", "it is none."))?;
        self.add_bytes("contact link", link.as_bytes());
        self.add_bytes("link secret", parsed.link_secret.expose());
        self.add_bytes("account id", parsed.account.as_bytes());
        for at in &parsed.addresses {
            self.add_bytes("address secret of a link", at.address.expose());
            self.add_bytes("key package key of a link", at.kp_key.expose());
        }
        Ok(())
    }

    /// Adds everything in a person's home, which that passphrase opens; no app may have it open.
    ///
    /// # Errors
    /// If it can't be opened or read.
    pub fn add_home(&mut self, person: &Person, passphrase: &str) -> Outcome {
        let step = format!("opening the home of {}", person.name());
        let failed = |error: &dyn std::fmt::Display| Failed::harness(&step, error);
        #[cfg(debug_assertions)]
        undertone_core::home::use_cheap_kdf_for_tests();
        let passphrase =
            Passphrase::new(passphrase.to_owned().into()).map_err(|error| failed(&error))?;
        let owner = Owner::acquire(&person.home()).map_err(|error| failed(&error))?;
        let home = owner
            .unlock(&passphrase)
            .map_err(|(_, error)| failed(&error))?;
        let snapshot = home.database().snapshot().map_err(|error| failed(&error))?;
        self.add_store(snapshot.connection())
            .map_err(|error| failed(&error))?;
        let queue = self
            .add_keys(snapshot.connection())
            .map_err(|error| failed(&error))?;
        self.queues.insert(person.name().to_owned(), queue);
        self.add_certificates(snapshot.connection())
            .map_err(|error| failed(&error))
    }

    fn add_store(&mut self, store: &rusqlite::Connection) -> rusqlite::Result<()> {
        let mut tables = store.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'messages_text%' AND name NOT LIKE 'sqlite_%'",
        )?;
        let tables = tables
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<String>>>()?;
        for table in tables {
            let mut rows = store.prepare(&format!("SELECT * FROM \"{table}\""))?;
            let columns: Vec<String> = rows.column_names().into_iter().map(str::to_owned).collect();
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                for (index, column) in columns.iter().enumerate() {
                    if KNOWN_TO_THE_SERVER
                        .iter()
                        .any(|(t, c, _)| (*t, *c) == (&table, column))
                    {
                        continue;
                    }
                    let what = format!("{table}.{column}");
                    match row.get_ref(index)? {
                        ValueRef::Blob(bytes) => self.add_bytes(&what, bytes),
                        ValueRef::Text(text) => {
                            self.add_text(&what, &String::from_utf8_lossy(text));
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// The queue's id.
    fn add_keys(&mut self, store: &rusqlite::Connection) -> rusqlite::Result<Vec<u8>> {
        let queue: Vec<u8> =
            store.query_row("SELECT queue_id FROM server", [], |row| row.get(0))?;
        let mut rows = store.prepare("SELECT secret, public FROM queue_keys ORDER BY day")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let (secret, public): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            self.add_bytes("queue's HPKE private key", &secret);
            if let Ok(pair) = HpkeKeyPair::from_parts(&secret, &public) {
                self.queue_keys.entry(queue.clone()).or_default().push(pair);
            }
        }
        Ok(queue)
    }

    fn add_certificates(&mut self, store: &rusqlite::Connection) -> rusqlite::Result<()> {
        let device: Vec<u8> =
            store.query_row("SELECT device FROM account", [], |row| row.get(0))?;
        if let Ok(device) = DeviceKeys::from_secret_bytes(&device) {
            let certificate = device.certificate().encode();
            // Each part of it names the account or the device by itself.
            for part in certificate.chunks(32) {
                self.add_bytes("certificate", part);
            }
            self.add_bytes("device id", device.device_id().as_bytes());
            self.add_bytes("device key", device.certificate().device_key());
        }
        Ok(())
    }
}
