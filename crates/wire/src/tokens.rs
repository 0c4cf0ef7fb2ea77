//! Blind tokens: VOPRF (RFC 9497) in mode VOPRF, suite ristretto255-SHA512. See docs/protocol.md section 5.
//!
//! A queue's owner has random inputs evaluated blindly and checks the batch's proof, so the server cannot use a key of its
//! own for one person. A connection that never signs in redeems the unblinded outputs; the server sees that it issued them, and
//! not to whom.

use std::fmt;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use rand_core06::OsRng;
use subtle::ConstantTimeEq as _;
use voprf::{
    BlindedElement, EvaluationElement, Group as _, Proof, Ristretto255, VoprfClient, VoprfServer,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    Code, Error, Result,
    ids::{TokenKeyId, random_bytes, sha256},
    limits::TOKENS_PER_ISSUE,
    response::{IssuedTokens, TokenKey},
    secrets::Secret,
};

/// Length of an element and of an input.
pub const ELEMENT_BYTES: usize = 32;
/// Length of an output.
pub const OUTPUT_BYTES: usize = 64;
/// Length of a batch's DLEQ proof.
pub const PROOF_BYTES: usize = 64;

const KEY_INFO: &[u8] = b"undertone/1 token key";
const AUTHORIZATION_START: &str = "PrivateToken token=\"";

/// A token: whoever holds it may redeem it, once.
#[derive(Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct Token {
    #[zeroize(skip)]
    key_id: TokenKeyId,
    input: [u8; ELEMENT_BYTES],
    output: [u8; OUTPUT_BYTES],
}

impl Token {
    /// Length of [`Self::to_bytes`].
    pub const LEN: usize = TokenKeyId::LEN + ELEMENT_BYTES + OUTPUT_BYTES;

    pub(crate) const fn from_fields(
        key_id: TokenKeyId,
        input: [u8; ELEMENT_BYTES],
        output: [u8; OUTPUT_BYTES],
    ) -> Self {
        Self {
            key_id,
            input,
            output,
        }
    }

    /// The key it was issued under.
    pub const fn key_id(&self) -> TokenKeyId {
        self.key_id
    }

    /// Its random input.
    pub const fn input(&self) -> &[u8; ELEMENT_BYTES] {
        &self.input
    }

    /// Its output.
    pub const fn output(&self) -> &[u8; OUTPUT_BYTES] {
        &self.output
    }

    /// What a server keeps of a spent one.
    pub fn input_hash(&self) -> [u8; 32] {
        sha256(&self.input)
    }

    /// `key_id || input || output`, to be stored.
    pub fn to_bytes(&self) -> Secret<{ Self::LEN }> {
        let mut bytes = [0u8; Self::LEN];
        bytes[..8].copy_from_slice(self.key_id.as_bytes());
        bytes[8..40].copy_from_slice(&self.input);
        bytes[40..].copy_from_slice(&self.output);
        Secret::new(bytes)
    }

    /// From a store or a header.
    ///
    /// # Errors
    /// [`Code::TokenInvalid`] when the length is wrong.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let invalid = Error::new(Code::TokenInvalid);
        let (key_id, rest) = bytes.split_first_chunk::<8>().ok_or(invalid)?;
        let (input, rest) = rest.split_first_chunk::<ELEMENT_BYTES>().ok_or(invalid)?;
        let output = rest.try_into().map_err(|_| invalid)?;
        Ok(Self::from_fields(TokenKeyId::new(*key_id), *input, output))
    }

    /// The value of an `Authorization` header (the scheme of RFC 9577).
    pub fn to_authorization(&self) -> String {
        let token = BASE64URL_NOPAD.encode(self.to_bytes().expose());
        format!("{AUTHORIZATION_START}{token}\"")
    }

    /// From the value of an `Authorization` header.
    ///
    /// # Errors
    /// [`Code::TokenRequired`] when it is of another scheme, [`Code::TokenInvalid`] when the token is malformed.
    pub fn from_authorization(value: &str) -> Result<Self> {
        let token = value
            .strip_prefix(AUTHORIZATION_START)
            .and_then(|rest| rest.strip_suffix('"'))
            .ok_or(Error::new(Code::TokenRequired))?;
        let bytes = BASE64URL_NOPAD
            .decode(token.trim_end_matches('=').as_bytes())
            .map_err(|_| Error::new(Code::TokenInvalid))?;
        Self::from_slice(&bytes)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A batch between asking and being issued.
pub struct PendingTokens {
    inputs: Vec<[u8; ELEMENT_BYTES]>,
    clients: Vec<VoprfClient<Ristretto255>>,
    blinded: Vec<[u8; ELEMENT_BYTES]>,
}

impl PendingTokens {
    /// Draws and blinds `count` inputs, 1 to 100.
    ///
    /// # Errors
    /// [`Code::LimitCount`] when the count is out of range.
    pub fn blind(count: usize) -> Result<Self> {
        if !(1..=TOKENS_PER_ISSUE).contains(&count) {
            return Err(Code::LimitCount.into());
        }
        let mut pending = Self {
            inputs: Vec::with_capacity(count),
            clients: Vec::with_capacity(count),
            blinded: Vec::with_capacity(count),
        };
        for _ in 0..count {
            let input = random_bytes();
            let result = VoprfClient::<Ristretto255>::blind(&input, &mut OsRng)
                .map_err(|_| Error::new(Code::Internal))?;
            pending.inputs.push(input);
            pending.blinded.push(result.message.serialize().into());
            pending.clients.push(result.state);
        }
        Ok(pending)
    }

    /// What IssueTokens sends.
    pub fn blinded(&self) -> &[[u8; ELEMENT_BYTES]] {
        &self.blinded
    }

    /// Checks the batch's proof against the key the server showed, and unblinds.
    ///
    /// # Errors
    /// [`Code::TokenInvalid`] when the key is another, an element or the proof is not right; no token of the batch
    /// may be used then.
    pub fn finalize(self, key: &TokenKey, issued: &IssuedTokens) -> Result<Vec<Token>> {
        let invalid = Error::new(Code::TokenInvalid);
        if issued.key_id != key.id || issued.evaluated.len() != self.clients.len() {
            return Err(invalid);
        }
        let public = Ristretto255::deserialize_elem(&key.public_key).map_err(|_| invalid)?;
        let proof = Proof::deserialize(&issued.proof).map_err(|_| invalid)?;
        let evaluated = issued
            .evaluated
            .iter()
            .map(|element| EvaluationElement::deserialize(element))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|_| invalid)?;
        let outputs =
            VoprfClient::batch_finalize(&self.inputs, &self.clients, &evaluated, &proof, public)
                .map_err(|_| invalid)?;
        self.inputs
            .iter()
            .zip(outputs)
            .map(|(input, output)| {
                let output = output.map_err(|_| invalid)?;
                Ok(Token::from_fields(key.id, *input, output.into()))
            })
            .collect()
    }
}

impl fmt::Debug for PendingTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A weekly key in the server's hands.
pub struct TokenIssuer {
    server: VoprfServer<Ristretto255>,
    key: TokenKey,
}

impl TokenIssuer {
    /// The key derived from a stored seed (RFC 9497 DeriveKeyPair). Its id is the first 8 bytes of
    /// SHA-256(label || public key), so that it cannot be chosen.
    ///
    /// # Errors
    /// [`Code::Internal`] with negligible probability.
    pub fn from_seed(seed: &Secret<32>) -> Result<Self> {
        let server = VoprfServer::new_from_seed(seed.expose(), KEY_INFO)
            .map_err(|_| Error::new(Code::Internal))?;
        let public_key: [u8; ELEMENT_BYTES] =
            Ristretto255::serialize_elem(server.get_public_key()).into();
        let id = TokenKey::id_of(&public_key);
        Ok(Self {
            server,
            key: TokenKey {
                id,
                public_key,
                temporary: false,
            },
        })
    }

    /// The same key, shown as one whose tokens are for temporary queues.
    #[must_use]
    pub const fn for_temporary_queues(mut self) -> Self {
        self.key.temporary = true;
        self
    }

    /// What ServerHello shows.
    pub const fn key(&self) -> &TokenKey {
        &self.key
    }

    /// Evaluates a batch, with one proof for all of it.
    ///
    /// # Errors
    /// [`Code::LimitCount`] outside 1 to 100, [`Code::RequestMalformed`] when an element is not one.
    pub fn evaluate(&self, blinded: &[[u8; ELEMENT_BYTES]]) -> Result<IssuedTokens> {
        if !(1..=TOKENS_PER_ISSUE).contains(&blinded.len()) {
            return Err(Code::LimitCount.into());
        }
        let blinded = blinded
            .iter()
            .map(|element| BlindedElement::deserialize(element))
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|_| Error::new(Code::RequestMalformed))?;
        let prepared: Vec<_> = self
            .server
            .batch_blind_evaluate_prepare(blinded.iter())
            .collect();
        let result = self
            .server
            .batch_blind_evaluate_finish(&mut OsRng, blinded.iter(), &prepared)
            .map_err(|_| Error::new(Code::Internal))?;
        Ok(IssuedTokens {
            key_id: self.key.id,
            evaluated: result
                .messages
                .map(|element| element.serialize().into())
                .collect(),
            proof: Bytes::copy_from_slice(&result.proof.serialize()),
        })
    }

    /// Checks that a token was issued under this key. Whether it was spent before is the store's to say.
    ///
    /// # Errors
    /// [`Code::TokenKeyUnknown`] when it names another key, [`Code::TokenInvalid`].
    pub fn verify(&self, token: &Token) -> Result<()> {
        if token.key_id != self.key.id {
            return Err(Code::TokenKeyUnknown.into());
        }
        let expected = self
            .server
            .evaluate(&token.input)
            .map_err(|_| Error::new(Code::TokenInvalid))?;
        if bool::from(expected.as_slice().ct_eq(&token.output)) {
            Ok(())
        } else {
            Err(Code::TokenInvalid.into())
        }
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn issuer(seed: u8) -> TokenIssuer {
        TokenIssuer::from_seed(&Secret::new([seed; 32])).unwrap()
    }

    #[test]
    fn a_batch_is_issued_blindly_and_redeemed() {
        let server = issuer(1);
        let pending = PendingTokens::blind(5).unwrap();
        let seen = pending.blinded().to_vec();
        let issued = server.evaluate(&seen).unwrap();
        let tokens = pending.finalize(server.key(), &issued).unwrap();
        assert_eq!(tokens.len(), 5);
        for token in &tokens {
            server.verify(token).unwrap();
            assert_eq!(
                issuer(2).verify(token).unwrap_err().code,
                Code::TokenKeyUnknown
            );
            // What is redeemed has nothing in common with what was issued.
            assert!(!seen.contains(token.input()));
        }
    }

    #[test]
    fn a_key_of_its_own_for_one_person_is_noticed() {
        let (shown, secret) = (issuer(1), issuer(2));
        let pending = PendingTokens::blind(3).unwrap();
        let mut issued = secret.evaluate(pending.blinded()).unwrap();
        issued.key_id = shown.key().id;
        assert_eq!(
            pending.finalize(shown.key(), &issued).unwrap_err().code,
            Code::TokenInvalid
        );
    }

    #[test]
    fn a_batch_that_is_damaged_or_short_gives_no_token() {
        let server = issuer(1);
        let fresh = || {
            let pending = PendingTokens::blind(2).unwrap();
            let issued = server.evaluate(pending.blinded()).unwrap();
            (pending, issued)
        };
        let (pending, mut issued) = fresh();
        issued.evaluated.pop();
        assert!(pending.finalize(server.key(), &issued).is_err());
        let (pending, mut issued) = fresh();
        issued.evaluated.swap(0, 1);
        assert!(pending.finalize(server.key(), &issued).is_err());
        let (pending, mut issued) = fresh();
        issued.proof = Bytes::from(vec![0; 64]);
        assert!(pending.finalize(server.key(), &issued).is_err());
    }

    #[test]
    fn forged_and_changed_tokens_are_refused() {
        let server = issuer(1);
        let forged = Token::from_fields(server.key().id, [1; 32], [2; 64]);
        assert_eq!(server.verify(&forged).unwrap_err().code, Code::TokenInvalid);
        assert_eq!(
            server.evaluate(&[[0; 32]]).unwrap_err().code,
            Code::RequestMalformed
        );
        assert_eq!(
            server.evaluate(&[[0xff; 32]]).unwrap_err().code,
            Code::RequestMalformed
        );
        assert_eq!(server.evaluate(&[]).unwrap_err().code, Code::LimitCount);
        assert!(PendingTokens::blind(101).is_err());
    }

    #[test]
    fn a_token_travels_in_a_header() {
        let token = Token::from_fields(TokenKeyId::new([1; 8]), [2; 32], [3; 64]);
        let header = token.to_authorization();
        assert!(Token::from_authorization(&header).unwrap() == token);
        assert!(Token::from_slice(token.to_bytes().expose()).unwrap() == token);
        for wrong in [
            "",
            "Bearer x",
            "PrivateToken token=\"",
            "PrivateToken token=\"AAAA\"",
            &header[..40],
        ] {
            assert!(Token::from_authorization(wrong).is_err());
        }
        assert_eq!(format!("{token:?}"), "[secret]");
    }
}
