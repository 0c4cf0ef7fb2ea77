//! OpenMLS on the caller's database connection.
//!
//! The storage is SQLite through the caller's transaction, so that what MLS writes and what the caller writes commit
//! together. Values are CBOR. The cryptography is RustCrypto's, in suite 0x004E.

use openmls_rust_crypto::RustCrypto;
use openmls_sqlite_storage::{Codec, SqliteStorageProvider};
use openmls_traits::{OpenMlsProvider, types::Ciphersuite};
use rusqlite::Connection;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result, store};

/// ML-KEM-768 + X25519, AES-256-GCM, SHA-384, Ed25519 (code point 0x004E): the one suite of every conversation.
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// Stored values are CBOR (RFC 8949).
#[derive(Default)]
pub struct Cbor;

impl Codec for Cbor {
    type Error = CborError;

    fn to_vec<T: Serialize>(value: &T) -> std::result::Result<Vec<u8>, CborError> {
        cbor4ii::serde::to_vec(Vec::new(), value).map_err(|_| CborError)
    }

    fn from_slice<T: DeserializeOwned>(slice: &[u8]) -> std::result::Result<T, CborError> {
        cbor4ii::serde::from_slice(slice).map_err(|_| CborError)
    }
}

/// A stored value does not encode or decode. It says no more, because the value may be a key.
#[derive(Debug, thiserror::Error)]
#[error("a stored value is not readable")]
pub struct CborError;

/// What every call works on: the caller's connection or transaction, and the cryptography.
///
/// Cheap to make; one per transaction.
pub struct Provider<'c> {
    crypto: RustCrypto,
    storage: SqliteStorageProvider<Cbor, &'c Connection>,
    connection: &'c Connection,
}

impl<'c> Provider<'c> {
    /// On a connection or, since it derefs to one, a transaction.
    pub fn new(connection: &'c Connection) -> Self {
        Self {
            crypto: RustCrypto::default(),
            storage: SqliteStorageProvider::new(connection),
            connection,
        }
    }

    pub(crate) fn connection(&self) -> &'c Connection {
        self.connection
    }
}

impl<'c> OpenMlsProvider for Provider<'c> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = SqliteStorageProvider<Cbor, &'c Connection>;

    fn storage(&self) -> &Self::StorageProvider {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

/// Makes or brings up to date OpenMLS's tables and this crate's (`mls_*`). Idempotent.
///
/// # Errors
/// [`Error::Migration`], [`Error::Storage`].
pub fn migrate(connection: &mut Connection) -> Result<()> {
    SqliteStorageProvider::<Cbor, &mut Connection>::new(connection)
        .run_migrations()
        .map_err(|error| migration_failed(&error))?;
    store::create_tables(connection)
}

/// What SQLite said, if it is at the bottom of it: a full disk is not a store that can't be read.
fn migration_failed(error: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rusqlite::Error::SqliteFailure(code, _)) = error.downcast_ref() {
            return rusqlite::Error::SqliteFailure(*code, None).into();
        }
        cause = error.source();
    }
    Error::Migration
}
