//! Who this server is: an Ed25519 key in a file, and the TLS certificates made from it.
//!
//! Clients know a server by its pin, SHA-256 of the identity key's SubjectPublicKeyInfo, and by nothing
//! else. The identity key signs the TLS leaf and is never itself used in a handshake. Leaf keys live in
//! memory only and are replaced while the server runs; the pin stays. What must stay true: the key file is
//! readable by its owner alone, and nothing prints the key.
//!
//! Rotation: the pin stands in every invitation and contact link given out, so a new identity is a new
//! server to every client. `docs/protocol.md` section 1 has the verification rules.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SigningKey as _, date_time_ymd,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use undertone_wire::ids::{Pin, sha256};
use zeroize::Zeroizing;

use crate::error::ServerError;
use crate::folder;

/// The key file's name inside the server's folder.
pub const FILE_NAME: &str = "identity.pem";

/// A leaf is good for this long and is replaced at a third of it.
const LEAF_DAYS: i64 = 90;

/// How often a running server makes a new leaf.
pub const LEAF_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// The server's long-term identity.
pub struct Identity {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    pin: Pin,
}

impl Identity {
    /// Makes a new identity key and writes it to `dir`, readable by the owner alone.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub fn create(dir: &Path) -> Result<Self, ServerError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)
            .map_err(|_| ServerError::Crypto("make an identity key"))?;
        let pem = Zeroizing::new(key.serialize_pem());
        folder::write_secret(&dir.join(FILE_NAME), pem.as_bytes())?;
        Self::from_key(key)
    }

    /// Reads the identity key of the server folder `dir`.
    ///
    /// # Errors
    /// When the file is missing, readable by others, or not an Ed25519 key.
    pub fn read(dir: &Path) -> Result<Self, ServerError> {
        let path = dir.join(FILE_NAME);
        let pem = folder::read_secret(&path)?;
        let text = std::str::from_utf8(&pem).map_err(|_| ServerError::Damaged(path.clone()))?;
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(text, &PKCS_ED25519)
            .map_err(|_| ServerError::Damaged(path.clone()))?;
        Self::from_key(key)
    }

    fn from_key(key: KeyPair) -> Result<Self, ServerError> {
        let pin = Pin::new(sha256(&key.subject_public_key_info()));
        let certificate = identity_params()
            .self_signed(&key)
            .map_err(|_| ServerError::Crypto("sign the identity certificate"))?
            .der()
            .clone();
        Ok(Self {
            key,
            certificate,
            pin,
        })
    }

    /// SHA-256 of the identity key's SubjectPublicKeyInfo.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// The public key, and its signature over a message that begins with a label of its own.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<([u8; 32], [u8; 64])> {
        let public = self.key.public_key_raw().try_into().ok()?;
        let signature = self.key.sign(message).ok()?;
        Some((public, signature.try_into().ok()?))
    }

    /// A fresh leaf key and the chain leaf, identity.
    fn new_leaf(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, ServerError> {
        let failed = |_| ServerError::Crypto("sign a TLS certificate");
        let leaf_key = KeyPair::generate_for(&PKCS_ED25519).map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("Undertone leaf");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // Whole days, so that the certificate does not tell when the server was started.
        let today = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
            / 86_400;
        let day = |offset: i64| {
            date_time_ymd(1970, 1, 1)
                + Duration::from_secs(today.saturating_add_signed(offset) * 86_400)
        };
        params.not_before = day(-1);
        params.not_after = day(LEAF_DAYS);
        let parent = identity_params();
        let issuer = Issuer::from_params(&parent, &self.key);
        let leaf = params.signed_by(&leaf_key, &issuer).map_err(failed)?;
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let signer = provider
            .key_provider
            .load_private_key(secret)
            .map_err(|_| ServerError::Crypto("load a TLS key"))?;
        Ok(Arc::new(CertifiedKey::new(
            vec![leaf.der().clone(), self.certificate.clone()],
            signer,
        )))
    }
}

fn identity_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Undertone server");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Hands rustls the current leaf; [`LeafCertificates::renew`] replaces it under running connections.
pub struct LeafCertificates {
    identity: Arc<Identity>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl std::fmt::Debug for LeafCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LeafCertificates")
    }
}

impl LeafCertificates {
    fn new(identity: Arc<Identity>, provider: Arc<CryptoProvider>) -> Result<Self, ServerError> {
        let current = RwLock::new(identity.new_leaf(&provider)?);
        Ok(Self {
            identity,
            provider,
            current,
        })
    }

    /// Makes a new leaf key and certificate for the handshakes to come.
    ///
    /// # Errors
    /// When the certificate cannot be signed; the old one stays in use.
    pub fn renew(&self) -> Result<(), ServerError> {
        let fresh = self.identity.new_leaf(&self.provider)?;
        *self
            .current
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl ResolvesServerCert for LeafCertificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self
            .current
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

/// TLS 1.3 only, post-quantum key exchange first, no tickets, no resumption, no early data.
///
/// # Errors
/// When the first leaf cannot be made.
pub fn tls_config(
    identity: Arc<Identity>,
) -> Result<(rustls::ServerConfig, Arc<LeafCertificates>), ServerError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let leaves = Arc::new(LeafCertificates::new(identity, Arc::clone(&provider))?);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| ServerError::Crypto("set up TLS 1.3"))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&leaves) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![undertone_wire::limits::ALPN.to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    // One handshake flight less in memory, and nobody needs the server to send first.
    config.send_half_rtt_data = false;
    Ok((config, leaves))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_survives_a_restart_and_a_renewal() {
        let dir = tempfile::tempdir().expect("temp dir");
        let made = Identity::create(dir.path()).expect("create");
        let read = Identity::read(dir.path()).expect("read");
        assert_eq!(made.pin(), read.pin());

        let (_, leaves) = tls_config(Arc::new(read)).expect("tls");
        let before = leaves.current.read().expect("lock").cert.clone();
        leaves.renew().expect("renew");
        let after = leaves.current.read().expect("lock").cert.clone();
        assert_ne!(before[0], after[0], "a new leaf");
        assert_eq!(before[1].len(), after[1].len(), "the same identity");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temp dir");
        Identity::create(dir.path()).expect("create");
        let path = dir.path().join(FILE_NAME);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        let error = Identity::read(dir.path())
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
