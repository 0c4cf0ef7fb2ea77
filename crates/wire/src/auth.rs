//! Signing in: what a queue's owner signs, and how a server checks it. See docs/protocol.md section 1.
//!
//! The server's pin and the connection's challenge are part of the message, so a signature given to one server, or on one
//! connection, is worth nothing on another. Checks are strict (no small-order keys, no malleable signatures).

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::{
    Code, Error, Result,
    hpke::HpkePublicKey,
    ids::{Pin, QueueId, sha256},
    request::{RegisterQueue, SignIn},
    secrets::InvitationCode,
};

/// Length of an Ed25519 public key.
pub const VERIFYING_KEY_BYTES: usize = 32;
/// Length of an Ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// What SignIn signs.
pub fn sign_in_message(pin: &Pin, challenge: &[u8; 32], queue: &QueueId) -> Vec<u8> {
    [
        b"undertone/1 sign-in".as_slice(),
        pin.as_bytes(),
        challenge,
        queue.as_bytes(),
    ]
    .concat()
}

/// What RegisterQueue signs.
pub fn register_message(
    pin: &Pin,
    challenge: &[u8; 32],
    queue: &QueueId,
    signing_key: &[u8; VERIFYING_KEY_BYTES],
    hpke_key: &HpkePublicKey,
    invitation: Option<&InvitationCode>,
) -> Vec<u8> {
    [
        b"undertone/1 register".as_slice(),
        pin.as_bytes(),
        challenge,
        queue.as_bytes(),
        signing_key,
        &sha256(hpke_key.as_bytes()),
        invitation.map_or(&[][..], |code| code.expose()),
    ]
    .concat()
}

/// What RegisterQueue signs for a temporary queue.
pub fn register_temporary_message(
    pin: &Pin,
    challenge: &[u8; 32],
    queue: &QueueId,
    signing_key: &[u8; VERIFYING_KEY_BYTES],
    hpke_key: &HpkePublicKey,
) -> Vec<u8> {
    [
        b"undertone/1 register temporary".as_slice(),
        pin.as_bytes(),
        challenge,
        queue.as_bytes(),
        signing_key,
        &sha256(hpke_key.as_bytes()),
    ]
    .concat()
}

/// A SignIn for this server and connection.
pub fn sign_in(key: &SigningKey, pin: &Pin, challenge: &[u8; 32], queue: QueueId) -> SignIn {
    SignIn {
        queue_id: queue,
        signature: key
            .sign(&sign_in_message(pin, challenge, &queue))
            .to_bytes(),
    }
}

/// A RegisterQueue for this server and connection.
pub fn register(
    key: &SigningKey,
    pin: &Pin,
    challenge: &[u8; 32],
    queue: QueueId,
    hpke_key: &HpkePublicKey,
    invitation: Option<InvitationCode>,
) -> RegisterQueue {
    let signing_key = key.verifying_key().to_bytes();
    let message = register_message(
        pin,
        challenge,
        &queue,
        &signing_key,
        hpke_key,
        invitation.as_ref(),
    );
    RegisterQueue {
        queue_id: queue,
        signing_key,
        hpke_key: hpke_key.clone(),
        invitation,
        temporary: false,
        signature: key.sign(&message).to_bytes(),
    }
}

/// A RegisterQueue of a temporary queue for this server and connection.
pub fn register_temporary(
    key: &SigningKey,
    pin: &Pin,
    challenge: &[u8; 32],
    queue: QueueId,
    hpke_key: &HpkePublicKey,
) -> RegisterQueue {
    let signing_key = key.verifying_key().to_bytes();
    let message = register_temporary_message(pin, challenge, &queue, &signing_key, hpke_key);
    RegisterQueue {
        queue_id: queue,
        signing_key,
        hpke_key: hpke_key.clone(),
        invitation: None,
        temporary: true,
        signature: key.sign(&message).to_bytes(),
    }
}

impl SignIn {
    /// Checks the signature against the key the queue was registered with.
    ///
    /// # Errors
    /// [`Code::AuthSignature`].
    pub fn verify(
        &self,
        pin: &Pin,
        challenge: &[u8; 32],
        signing_key: &[u8; VERIFYING_KEY_BYTES],
    ) -> Result<()> {
        verify(
            signing_key,
            &sign_in_message(pin, challenge, &self.queue_id),
            &self.signature,
        )
    }
}

impl RegisterQueue {
    /// Checks that whoever registers holds the key being registered.
    ///
    /// # Errors
    /// [`Code::AuthSignature`].
    pub fn verify(&self, pin: &Pin, challenge: &[u8; 32]) -> Result<()> {
        let message = if self.temporary {
            register_temporary_message(
                pin,
                challenge,
                &self.queue_id,
                &self.signing_key,
                &self.hpke_key,
            )
        } else {
            register_message(
                pin,
                challenge,
                &self.queue_id,
                &self.signing_key,
                &self.hpke_key,
                self.invitation.as_ref(),
            )
        };
        verify(&self.signing_key, &message, &self.signature)
    }
}

/// Strict Ed25519 verification with a plain code for every failure.
///
/// # Errors
/// [`Code::AuthSignature`].
pub fn verify(
    key: &[u8; VERIFYING_KEY_BYTES],
    message: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<()> {
    let refused = Error::new(Code::AuthSignature);
    VerifyingKey::from_bytes(key)
        .map_err(|_| refused)?
        .verify_strict(message, &Signature::from_bytes(signature))
        .map_err(|_| refused)
}

pub(crate) fn signature_from(bytes: &Bytes) -> Result<[u8; SIGNATURE_BYTES]> {
    bytes[..]
        .try_into()
        .map_err(|_| Error::new(Code::RequestMalformed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hpke::HpkeKeyPair;

    #[test]
    fn a_sign_in_is_good_for_one_server_connection_and_queue() {
        let key = SigningKey::from_bytes(&[9; 32]);
        let public = key.verifying_key().to_bytes();
        let (pin, challenge, queue) = (Pin::random(), [1; 32], QueueId::random());
        let request = sign_in(&key, &pin, &challenge, queue);
        request.verify(&pin, &challenge, &public).unwrap();

        let refused =
            |result: Result<()>| assert_eq!(result.unwrap_err().code, Code::AuthSignature);
        refused(request.verify(&Pin::random(), &challenge, &public));
        refused(request.verify(&pin, &[2; 32], &public));
        refused(request.verify(&pin, &challenge, &[3; 32]));
        let other = SignIn {
            queue_id: QueueId::random(),
            ..request
        };
        refused(other.verify(&pin, &challenge, &public));
    }

    #[test]
    fn a_registration_binds_every_field() {
        let key = SigningKey::from_bytes(&[9; 32]);
        let hpke = HpkeKeyPair::generate().unwrap();
        let (pin, challenge) = (Pin::random(), [1; 32]);
        let make = |code: Option<[u8; 16]>| {
            register(
                &key,
                &pin,
                &challenge,
                QueueId::new([5; 16]),
                hpke.public(),
                code.map(InvitationCode::new),
            )
        };
        make(None).verify(&pin, &challenge).unwrap();
        make(Some([6; 16])).verify(&pin, &challenge).unwrap();

        let mut changed = make(Some([6; 16]));
        changed.invitation = None;
        assert!(changed.verify(&pin, &challenge).is_err());
        let mut changed = make(None);
        changed.temporary = true;
        assert!(changed.verify(&pin, &challenge).is_err());
        let temporary =
            register_temporary(&key, &pin, &challenge, QueueId::new([5; 16]), hpke.public());
        temporary.verify(&pin, &challenge).unwrap();
        let mut changed = temporary;
        changed.temporary = false;
        assert!(changed.verify(&pin, &challenge).is_err());
        let mut changed = make(None);
        changed.hpke_key = HpkeKeyPair::generate().unwrap().public().clone();
        assert!(changed.verify(&pin, &challenge).is_err());
        let mut changed = make(None);
        changed.signing_key = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        assert!(changed.verify(&pin, &challenge).is_err());
    }

    #[test]
    fn a_small_order_key_signs_nothing() {
        // The identity point: with lax verification this key would accept a constant signature for any message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(verify(&identity, b"anything", &signature).is_err());
    }
}
