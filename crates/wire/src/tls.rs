//! TLS as docs/protocol.md section 1 wants it, for whoever connects to a server: it is known by the pin of its identity key and by nothing
//! else.
//!
//! TLS 1.3 only, hybrid post-quantum key agreement first, no SNI, no resumption, and a configuration of its own for every
//! connection, so that no two connections share anything a server could join them by.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::{
    Code, Error,
    ids::{Pin, sha256},
    limits::ALPN,
};

/// How far beyond a certificate's dates a client's clock may be: ten years.
pub const CLOCK_LENIENCY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The name that stands in requests instead of the server's: the server does not need it, and nobody is told.
pub const PLACEHOLDER_NAME: &str = "undertone.invalid";

/// A configuration for one connection to the server with this pin.
///
/// # Errors
/// [`Code::Internal`] only if the cryptographic library lacks TLS 1.3.
pub fn client_config(pin: Pin) -> Result<ClientConfig, Error> {
    config(Arc::new(OnceLock::from(pin)))
}

/// A configuration for one connection to whatever server answers, and where its pin stands after the handshake.
///
/// # Errors
/// As [`client_config`].
pub fn client_config_for_any(seen: &Arc<OnceLock<Pin>>) -> Result<ClientConfig, Error> {
    config(Arc::clone(seen))
}

fn config(pin: Arc<OnceLock<Pin>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
        ],
        ..aws_lc_rs::default_provider()
    });
    let verifier = Arc::new(PinnedServer {
        pin,
        provider: Arc::clone(&provider),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| Error::new(Code::Internal))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Accepts the chain (leaf, identity certificate) in which the identity key has the pin and signed the leaf.
#[derive(Debug)]
struct PinnedServer {
    /// Not set: whatever server answers, whose pin is noted.
    pin: Arc<OnceLock<Pin>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let [identity] = intermediates else {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        };
        let key = ParsedCertificate::try_from(identity)?.subject_public_key_info();
        let pin = Pin::new(sha256(&key));
        if *self.pin.get_or_init(|| pin) != pin {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        let mut anchor = RootCertStore::empty();
        anchor.add(identity.clone().into_owned())?;
        let leaf = ParsedCertificate::try_from(leaf)?;
        let verify = |time| {
            verify_server_cert_signed_by_trust_anchor(
                &leaf,
                &anchor,
                &[],
                time,
                self.provider.signature_verification_algorithms.all,
            )
        };
        // A clock that is wrong by less than the leniency is put on the nearest moment at which the leaf is valid; everything else
        // about it is checked as ever.
        match verify(now) {
            Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
                not_after,
                ..
            })) if within_leniency(not_after, now) => verify(not_after),
            Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) if within_leniency(now, not_before) => verify(not_before),
            result => result,
        }?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(TlsError::General("TLS 1.2 is not spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn within_leniency(earlier: UnixTime, later: UnixTime) -> bool {
    later.as_secs().saturating_sub(earlier.as_secs()) <= CLOCK_LENIENCY.as_secs()
}
