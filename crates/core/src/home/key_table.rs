//! The file `keys`: KDF parameters and a fixed table of key slots.
//!
//! ```text
//! magic "undertone keys\0" || version 1     16
//! KDF: algorithm, parameters, salt          48
//! 8 slots of                                 8 x 96
//!   nonce                                   12
//!   AES-256-GCM of {purpose 1, store 1, decoy 1, reserved 33, data key 32}   68 + 16
//! ```
//!
//! While the desktop's keyring is a second factor ([`super::keyring`]) the file is instead
//!
//! ```text
//! magic "undertone keys\0" || version 2     16
//! KDF: as above                              48
//! the keyring's item                         16
//! nonce                                      12
//! AES-256-GCM of the slots as above    8 x 96 + 16
//! ```
//!
//! under a key that is derived from the keyring's secret, with all before the nonce as AAD. It goes around all slots at once, with a fresh nonce
//! whenever the file is written, so that it can be turned on and off without the passphrases of the others, says nothing of any
//! slot, and a secret that is not the right one shows before a passphrase is tried.
//!
//! A slot's AAD is everything before the slots and the slot's number, so a slot can't be moved and the
//! parameters can't be weakened unseen. An unused slot is 96 random bytes and looks like any other.
//! One salt serves all slots, so that one derivation tries them all and a guess at two passphrases costs
//! the owner no more than a guess at one.
//!
//! A slot's purpose is to open its store, or, for the duress passphrase, to destroy all other slots first; after that it opens its store
//! and says that the rest of the other one may still lie about.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::path::Path;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use zeroize::Zeroizing;

use super::folder::{self, fill_random};
use super::kdf::{self, Kdf, WrappingKey};
use super::keyring::{self, Keyring};
use super::sentinel::Sentinel;
use super::{HomeError, HomeResult, Passphrase};
use crate::store::DataKey;

const MAGIC: &[u8; 15] = b"undertone keys\0";
const VERSION: u8 = 1;
/// Of the form that needs the keyring.
const WITH_KEYRING: u8 = 2;
const SEALED_AT: usize = HEADER_LEN + keyring::ID_LEN + NONCE_LEN;
/// Length of the file in that form.
const LONG_LEN: usize = SEALED_AT + SLOTS * SLOT_LEN + TAG_LEN;
const HEADER_LEN: usize = 16 + kdf::ENCODED_LEN;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const CONTENT_LEN: usize = 68;
const SLOT_LEN: usize = NONCE_LEN + CONTENT_LEN + TAG_LEN;

/// Slots in every table, used or not.
pub(super) const SLOTS: usize = 8;
/// Length of the file in bytes, where no keyring is needed.
pub(super) const FILE_LEN: usize = HEADER_LEN + SLOTS * SLOT_LEN;

/// What a slot is for. Others are for later versions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Opens its store.
    Open,
    /// Destroys all other slots, then opens its store.
    Duress,
    /// Opens its store: what [`Purpose::Duress`] becomes. What the other store left behind goes as soon as somebody has the time, and the
    /// store says when that is done.
    AfterDuress,
}

impl Purpose {
    fn to_byte(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Duress => 2,
            Self::AfterDuress => 3,
        }
    }
}

/// What a slot says beside the key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) purpose: Purpose,
    pub(super) which: Which,
    /// Opened while the other store is the owner's own: it must not be written over from here.
    pub(super) decoy: bool,
}

impl Meaning {
    /// A slot that opens the owner's own store.
    pub(super) fn own(which: Which) -> Self {
        Self {
            purpose: Purpose::Open,
            which,
            decoy: false,
        }
    }
}

/// Which of the two store files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    A,
    B,
}

impl Which {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// What an opened slot gives.
pub(super) struct Opened {
    pub(super) slot: usize,
    pub(super) meaning: Meaning,
    pub(super) key: DataKey,
}

/// The table in memory: nothing in it is secret, but for what the keyring keeps.
pub(super) struct KeyTable {
    kdf: Kdf,
    slots: [[u8; SLOT_LEN]; SLOTS],
    keyring: Option<Keyring>,
}

impl KeyTable {
    /// A table of random slots.
    pub(super) fn new() -> HomeResult<Self> {
        let mut salt = [0; kdf::SALT_LEN];
        fill_random(&mut salt)?;
        let mut slots = [[0; SLOT_LEN]; SLOTS];
        fill_random(slots.as_flattened_mut())?;
        Ok(Self {
            kdf: Kdf::for_new_home(salt),
            slots,
            keyring: None,
        })
    }

    pub(super) fn derive(&self, passphrase: &Passphrase) -> HomeResult<WrappingKey> {
        self.kdf.derive(passphrase)
    }

    /// Wraps `key` into `slot`, replacing what is there.
    pub(super) fn wrap(
        &mut self,
        slot: usize,
        wrapping: &WrappingKey,
        meaning: Meaning,
        key: &DataKey,
    ) -> HomeResult<()> {
        let mut content = Zeroizing::new([0; CONTENT_LEN]);
        content[0] = meaning.purpose.to_byte();
        content[1] = meaning.which.to_byte();
        content[2] = u8::from(meaning.decoy);
        content[CONTENT_LEN - DataKey::LEN..].copy_from_slice(key.expose());
        let mut nonce = [0; NONCE_LEN];
        fill_random(&mut nonce)?;

        let tag = Aes256Gcm::new(wrapping.expose().into())
            .encrypt_inout_detached(
                &nonce.into(),
                &self.associated_data(slot),
                content.as_mut_slice().into(),
            )
            .map_err(|_| HomeError::Damaged)?;
        let out = self.slots.get_mut(slot).ok_or(HomeError::Damaged)?;
        out[..NONCE_LEN].copy_from_slice(&nonce);
        out[NONCE_LEN..NONCE_LEN + CONTENT_LEN].copy_from_slice(&content[..]);
        out[NONCE_LEN + CONTENT_LEN..].copy_from_slice(&tag);
        Ok(())
    }

    /// Makes every slot but `kept` random bytes.
    pub(super) fn scrub(&mut self, kept: usize) -> HomeResult<()> {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if number != kept {
                fill_random(slot)?;
            }
        }
        Ok(())
    }

    /// Tries every slot, always all of them, so that the time does not tell which one opened.
    ///
    /// # Errors
    /// [`HomeError::WrongPassphrase`] if none opens; [`HomeError::Newer`] if one opens to something this
    /// version does not know.
    pub(super) fn open(&self, wrapping: &WrappingKey) -> HomeResult<Opened> {
        #[cfg(test)]
        moments::reached(moments::Moment::Judge);
        let cipher = Aes256Gcm::new(wrapping.expose().into());
        let mut found = Err(HomeError::WrongPassphrase);
        for (number, slot) in self.slots.iter().enumerate() {
            let mut nonce = [0; NONCE_LEN];
            nonce.copy_from_slice(&slot[..NONCE_LEN]);
            let mut tag = [0; TAG_LEN];
            tag.copy_from_slice(&slot[NONCE_LEN + CONTENT_LEN..]);
            let mut content = Zeroizing::new([0; CONTENT_LEN]);
            content.copy_from_slice(&slot[NONCE_LEN..NONCE_LEN + CONTENT_LEN]);
            if cipher
                .decrypt_inout_detached(
                    &nonce.into(),
                    &self.associated_data(number),
                    content.as_mut_slice().into(),
                    &tag.into(),
                )
                .is_ok()
            {
                found = read_content(number, &content);
            }
        }
        found
    }

    fn header(&self) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[..15].copy_from_slice(MAGIC);
        header[15] = VERSION;
        header[16..].copy_from_slice(&self.kdf.encode());
        header
    }

    fn associated_data(&self, slot: usize) -> [u8; HEADER_LEN + 1] {
        let mut data = [0; HEADER_LEN + 1];
        data[..HEADER_LEN].copy_from_slice(&self.header());
        data[HEADER_LEN] = u8::try_from(slot).unwrap_or(u8::MAX);
        data
    }

    fn encode(&self) -> HomeResult<Vec<u8>> {
        let mut bytes = self.header().to_vec();
        let Some(keyring) = &self.keyring else {
            bytes.extend_from_slice(self.slots.as_flattened());
            return Ok(bytes);
        };
        bytes[15] = WITH_KEYRING;
        bytes.extend_from_slice(&keyring.id);
        let mut nonce = [0; NONCE_LEN];
        fill_random(&mut nonce)?;
        let mut slots = self.slots;
        let tag = Aes256Gcm::new((&*keyring.key()?).into())
            .encrypt_inout_detached(&nonce.into(), &bytes, slots.as_flattened_mut().into())
            .map_err(|_| HomeError::Damaged)?;
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(slots.as_flattened());
        bytes.extend_from_slice(&tag);
        Ok(bytes)
    }

    /// The keyring's item that a table needs, if it needs one.
    fn item(bytes: &[u8]) -> Option<[u8; keyring::ID_LEN]> {
        let is_sealed =
            bytes.len() == LONG_LEN && &bytes[..15] == MAGIC && bytes[15] == WITH_KEYRING;
        is_sealed.then(|| {
            let mut id = [0; keyring::ID_LEN];
            id.copy_from_slice(&bytes[HEADER_LEN..HEADER_LEN + keyring::ID_LEN]);
            id
        })
    }

    /// Opens what the keyring's secret seals.
    fn decode_sealed(bytes: &[u8], keyring: Keyring) -> HomeResult<Self> {
        let (head, sealed) = bytes
            .split_at_checked(SEALED_AT)
            .ok_or(HomeError::Damaged)?;
        let (bound, nonce) = head.split_at(SEALED_AT - NONCE_LEN);
        let (slots, tag) = sealed
            .split_at_checked(SLOTS * SLOT_LEN)
            .ok_or(HomeError::Damaged)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_| HomeError::Damaged)?;
        let tag: [u8; TAG_LEN] = tag.try_into().map_err(|_| HomeError::Damaged)?;
        let mut plain = head[..HEADER_LEN].to_vec();
        plain[15] = VERSION;
        plain.extend_from_slice(slots);
        // A table that was changed, or a keyring whose secret is of another one: which of the two can't be told.
        Aes256Gcm::new((&*keyring.key()?).into())
            .decrypt_inout_detached(
                &nonce.into(),
                bound,
                (&mut plain[HEADER_LEN..]).into(),
                &tag.into(),
            )
            .map_err(|_| HomeError::Keyring)?;
        Ok(Self {
            keyring: Some(keyring),
            ..Self::decode(&plain)?
        })
    }

    fn decode(bytes: &[u8]) -> HomeResult<Self> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(HomeError::Damaged)?;
        if &header[..15] != MAGIC {
            return Err(HomeError::Damaged);
        }
        if header[15] != VERSION {
            return Err(HomeError::Newer);
        }
        if bytes.len() != FILE_LEN {
            return Err(HomeError::Damaged);
        }
        let mut encoded = [0; kdf::ENCODED_LEN];
        encoded.copy_from_slice(&header[16..]);
        let kdf = Kdf::decode(&encoded)?;
        let mut slots = [[0; SLOT_LEN]; SLOTS];
        slots
            .as_flattened_mut()
            .copy_from_slice(&bytes[HEADER_LEN..]);
        Ok(Self {
            kdf,
            slots,
            keyring: None,
        })
    }

    /// Reads the table of a home; asks the desktop's keyring if it is needed.
    ///
    /// # Errors
    /// [`HomeError::Keyring`], [`HomeError::Damaged`], [`HomeError::Newer`], [`HomeError::Missing`].
    pub(super) fn load(path: &Path) -> HomeResult<Self> {
        let bytes = read_file(path)?;
        match Self::item(&bytes) {
            Some(id) => Self::decode_sealed(&bytes, Keyring::find(id)?),
            None => Self::decode(&bytes),
        }
    }

    /// The keyring's item that the table of a home needs; None also if it can't be read.
    pub(super) fn item_of(path: &Path) -> Option<[u8; keyring::ID_LEN]> {
        Self::item(&read_file(path).ok()?)
    }

    /// From the next [`KeyTable::save`] on the keyring is needed to open it, or is not.
    pub(super) fn set_keyring(&mut self, keyring: Option<Keyring>) {
        self.keyring = keyring;
    }

    /// Whether there is a table of a home at `path`, of whatever version.
    pub(super) fn is_at(path: &Path) -> bool {
        read_file(path).is_ok_and(|bytes| bytes.starts_with(MAGIC))
    }

    /// Replaces the table of a home; after a crash either the old one or the new one is there. The old
    /// one's bytes are overwritten, so that an old passphrase does not stay behind in a free block of a
    /// disk that overwrites in place (a flash disk may keep them; the docs say so).
    ///
    /// # Errors
    /// [`HomeError::Wiped`] if the home has been wiped, or is wiped meanwhile: a table that was read before is not put back.
    pub(super) fn save(&self, path: &Path) -> HomeResult<()> {
        #[cfg(test)]
        moments::reached(moments::Moment::Save);
        let old = match fs::OpenOptions::new().write(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let unfinished = path.with_extension("new");
        let replace = || {
            let result = self
                .encode()
                .and_then(|bytes| folder::write_private(&unfinished, &bytes))
                .and_then(|()| Ok(fs::rename(&unfinished, path)?));
            if result.is_err() {
                let _ = fs::remove_file(&unfinished);
            }
            result?;
            folder::sync_parent(path)
        };
        unless_wiped(path, replace)?;
        if let Some(mut old) = old {
            // The longer one is of the two forms; what it makes longer is about to go.
            let mut noise = [0; LONG_LEN];
            fill_random(&mut noise)?;
            old.rewind()?;
            old.write_all(&noise)?;
            old.sync_all()?;
        }
        Ok(())
    }
}

impl KeyTable {
    /// Writes this table over the one of a home where it stands: for when there is no room to replace it, and it
    /// matters more that the old slots go than that a crash can't halve them.
    ///
    /// # Errors
    /// As [`KeyTable::save`].
    pub(super) fn overwrite(&self, path: &Path) -> HomeResult<()> {
        unless_wiped(path, || {
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            file.write_all(&self.encode()?)?;
            Ok(file.sync_all()?)
        })
    }
}

/// Writes the table at `path`, unless its home has been wiped.
fn unless_wiped(path: &Path, write: impl FnOnce() -> HomeResult<()>) -> HomeResult<()> {
    let home = match path.parent() {
        Some(home) if !home.as_os_str().is_empty() => home,
        _ => Path::new("."),
    };
    Sentinel::unless_wiped(home, write, || {
        super::wipe::destroy_table(path);
    })
}

/// Moments in the work on a table at which a test wants something to happen, in its own thread.
#[cfg(test)]
pub(super) mod moments {
    use std::cell::RefCell;

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Moment {
        /// The key is derived, and no slot is tried yet.
        Judge,
        /// The table is about to be written.
        Save,
    }

    type Awaited = Option<(Moment, usize, Box<dyn FnOnce()>)>;

    thread_local!(static AWAITED: RefCell<Awaited> = const { RefCell::new(None) });

    /// Does `what` the next time but `passed` that `moment` comes.
    pub(crate) fn at(moment: Moment, passed: usize, what: impl FnOnce() + 'static) {
        AWAITED.set(Some((moment, passed, Box::new(what))));
    }

    /// Whether it has come.
    pub(crate) fn has_come() -> bool {
        AWAITED.with_borrow(Option::is_none)
    }

    pub(super) fn reached(moment: Moment) {
        let what = AWAITED.with_borrow_mut(|awaited| match awaited {
            Some((awaited_moment, _, _)) if *awaited_moment != moment => None,
            Some((_, 0, _)) => awaited.take(),
            Some((_, passed, _)) => {
                *passed -= 1;
                None
            }
            None => None,
        });
        if let Some((_, _, what)) = what {
            what();
        }
    }
}

fn read_file(path: &Path) -> HomeResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LONG_LEN + 1);
    // One byte more than the largest table of this version tells a longer file.
    File::open(path)?
        .take(LONG_LEN as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_content(slot: usize, content: &[u8; CONTENT_LEN]) -> HomeResult<Opened> {
    let purpose = match content[0] {
        1 => Purpose::Open,
        2 => Purpose::Duress,
        3 => Purpose::AfterDuress,
        _ => return Err(HomeError::Newer),
    };
    let which = match content[1] {
        0 => Which::A,
        1 => Which::B,
        _ => return Err(HomeError::Newer),
    };
    let decoy = match content[2] {
        0 => false,
        1 => true,
        _ => return Err(HomeError::Newer),
    };
    let mut key = Zeroizing::new([0; DataKey::LEN]);
    key.copy_from_slice(&content[CONTENT_LEN - DataKey::LEN..]);
    Ok(Opened {
        slot,
        meaning: Meaning {
            purpose,
            which,
            decoy,
        },
        key: DataKey::from_bytes(&key),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    /// Every home depends on this form: a table that version 1 wrote must open for ever.
    #[test]
    fn a_table_of_version_one_opens() {
        let table = KeyTable::decode(include_bytes!("../../testdata/keys-v1")).unwrap();
        let wrapping = table
            .derive(&passphrase("heron under the second bridge"))
            .unwrap();
        let opened = table.open(&wrapping).unwrap();
        assert_eq!(opened.slot, 5);
        assert!(opened.meaning == Meaning::own(Which::B));
        assert_eq!(opened.key.expose(), &[0x42; 32]);
        assert_eq!(
            table.encode().unwrap(),
            include_bytes!("../../testdata/keys-v1")
        );
    }
}
