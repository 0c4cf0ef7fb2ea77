//! What a failed TLS handshake with a server means. The configuration itself is the protocol's own ([`undertone_wire::tls`]).

use rustls::{CertificateError, Error as TlsError};
use undertone_wire::Code;

/// What a failed handshake means for the user.
pub(super) fn error_code(error: &std::io::Error) -> Code {
    let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TlsError>())
    else {
        return Code::ConnectionLost;
    };
    match tls {
        TlsError::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Code::ConnectionTls,
        TlsError::InvalidCertificate(_) | TlsError::NoCertificatesPresented => Code::ConnectionPin,
        TlsError::NoApplicationProtocol
        | TlsError::AlertReceived(_)
        | TlsError::InvalidMessage(_)
        | TlsError::PeerIncompatible(_) => Code::ConnectionProtocol,
        _ => Code::ConnectionTls,
    }
}
