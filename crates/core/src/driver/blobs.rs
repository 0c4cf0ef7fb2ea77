//! Blobs over the transport, paid for with blind tokens; and large payloads as blobs.

use std::sync::Arc;

use bytes::Bytes;
use undertone_wire::{
    Code, Error as WireError,
    ids::{BlobId, sha256},
    padding,
    secrets::Secret,
    tokens::Token,
};

use super::Shared;
use crate::{
    attachments::{BlobTransport, CHUNK_PLAINTEXT, READ_PIECE, StreamKey, open_blob, seal_blob},
    error::{Error, Reason, Result},
    sync::{fetch::Fetch, tokens},
    transport::{BlobState, BoxFuture, ServerAddress},
};

/// Tokens tried for one request: one may be of a key that is no longer honoured, or have been seen by a connection that broke.
const TOKENS: u32 = 4;

/// Whether the server has refused the token and not the blob.
fn is_of_token(code: Code) -> bool {
    matches!(
        code,
        Code::TokenSpent | Code::TokenKeyUnknown | Code::TokenInvalid
    )
}

/// One token for every create and append.
pub(crate) struct Blobs {
    shared: Arc<Shared>,
    /// Where they are; what is uploaded is on this account's own.
    server: ServerAddress,
}

impl Blobs {
    /// On this account's own server.
    pub(crate) fn own(shared: &Arc<Shared>) -> Self {
        Self::at(shared, None)
    }

    /// On a server; None: this account's own.
    pub(crate) fn at(shared: &Arc<Shared>, server: Option<ServerAddress>) -> Self {
        Self {
            server: server.unwrap_or_else(|| shared.engine.me.server.clone()),
            shared: Arc::clone(shared),
        }
    }

    async fn token(&self) -> std::result::Result<Token, WireError> {
        let token = self
            .shared
            .write(|work| Ok(tokens::take(work, 1)?.pop()))
            .await
            .map_err(|_| WireError::new(Code::TokenRequired))?;
        token.ok_or(WireError::retry_after(Code::TokenRequired, 1))
    }
}

impl BlobTransport for Blobs {
    fn create<'a>(
        &'a self,
        id: &'a BlobId,
        length: u64,
    ) -> BoxFuture<'a, std::result::Result<BlobState, WireError>> {
        Box::pin(async move {
            let server = &self.server;
            for _ in 0..TOKENS {
                let token = self.token().await?;
                let transport = &self.shared.transport;
                match transport.create_blob(server, id, length, &token).await {
                    Err(error) if is_of_token(error.code) => {}
                    outcome => return outcome,
                }
            }
            Err(WireError::retry_after(Code::TokenRequired, 1))
        })
    }

    fn append<'a>(
        &'a self,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
    ) -> BoxFuture<'a, std::result::Result<BlobState, WireError>> {
        Box::pin(async move {
            let server = &self.server;
            for _ in 0..TOKENS {
                let token = self.token().await?;
                let transport = &self.shared.transport;
                let piece = bytes.clone();
                match transport
                    .append_blob(server, id, offset, piece, &token)
                    .await
                {
                    Err(error) if is_of_token(error.code) => {}
                    outcome => return outcome,
                }
            }
            Err(WireError::retry_after(Code::TokenRequired, 1))
        })
    }

    fn state<'a>(
        &'a self,
        id: &'a BlobId,
    ) -> BoxFuture<'a, std::result::Result<BlobState, WireError>> {
        Box::pin(async move { self.shared.transport.blob_state(&self.server, id).await })
    }

    fn read<'a>(
        &'a self,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, std::result::Result<Bytes, WireError>> {
        Box::pin(async move {
            self.shared
                .transport
                .read_blob(&self.server, id, from, length)
                .await
        })
    }
}

/// The key of a large payload: drawn for it alone, hence one nonce for all.
fn stream_key(key: &Secret<32>) -> Result<StreamKey> {
    Ok(StreamKey::from_slices(key.expose(), &[0; 7]).ok_or(Reason::StateBroken)?)
}

/// Uploads a large payload; what is there already is not sent again.
pub(super) async fn upload_payload(
    shared: &Arc<Shared>,
    id: &BlobId,
    key: &Secret<32>,
    body: &[u8],
) -> Result<()> {
    let blob = Bytes::from(seal_blob(&stream_key(key)?, body)?);
    let length = blob.len() as u64;
    let blobs = Blobs::own(shared);
    let mut state = blobs.create(id, length).await?;
    while state.offset < length {
        let from = usize::try_from(state.offset).unwrap_or(usize::MAX);
        let to = blob.len().min(from.saturating_add(4 * 1024 * 1024));
        let before = state.offset;
        state = blobs.append(id, before, blob.slice(from..to)).await?;
        if state.offset <= before {
            return Err(WireError::new(Code::BlobOffset).into());
        }
    }
    Ok(())
}

/// Fetches a large payload and checks it.
pub(super) async fn fetch_payload(shared: &Arc<Shared>, wanted: &Fetch) -> Result<Vec<u8>> {
    let Fetch {
        blob: id,
        key,
        hash,
        size,
        ..
    } = wanted;
    let size = *size;
    let probe = seal_length(size)?;
    let blobs = Blobs::at(shared, wanted.server.clone());
    let mut blob = Vec::new();
    while (blob.len() as u64) < probe {
        let from = blob.len() as u64;
        let piece = (probe - from).min(READ_PIECE as u64);
        blob.extend_from_slice(&blobs.read(id, from, piece).await?);
    }
    let body = open_blob(&stream_key(key)?, size, &blob)?;
    if sha256(&body) != *hash {
        return Err(Error::Attachment(
            crate::attachments::AttachmentError::Damaged,
        ));
    }
    Ok(body.to_vec())
}

/// Bytes of the blob that a payload of this size became: each chunk has a tag, and the whole is padded.
fn seal_length(size: u64) -> Result<u64> {
    let tags = size.div_ceil(CHUNK_PLAINTEXT as u64).max(1) * 16;
    Ok(padding::blob_size(size + tags).ok_or(Reason::StateBroken)?)
}
