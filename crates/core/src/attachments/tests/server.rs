//! A server's blobs, in memory, failing as a test tells it to.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use undertone_wire::ids::BlobId;
use undertone_wire::{Code, Error, padding};

use crate::attachments::BlobTransport;
use crate::transport::{BlobState, BoxFuture};

/// A server's blobs, in memory, that fails as it is told.
#[derive(Default)]
pub(super) struct Server {
    pub(super) inner: Mutex<Blobs>,
}

#[derive(Default)]
pub(super) struct Blobs {
    pub(super) blobs: HashMap<BlobId, (u64, Vec<u8>)>,
    /// The next append takes this many bytes, then the connection is lost.
    pub(super) cut_after: Option<usize>,
    /// The next append is taken whole, but the answer is lost.
    pub(super) lose_answer: bool,
    /// Every append is answered with `blob.offset`.
    pub(super) stubborn: bool,
    pub(super) reads_from: Vec<u64>,
    pub(super) appends_at: Vec<u64>,
}

impl Blobs {
    fn state(&self, id: &BlobId) -> Result<BlobState, Error> {
        let (length, bytes) = self.blobs.get(id).ok_or(Code::BlobUnknown)?;
        Ok(BlobState {
            offset: bytes.len() as u64,
            length: *length,
        })
    }

    fn append(&mut self, id: &BlobId, offset: u64, mut taken: &[u8]) -> Result<BlobState, Error> {
        self.appends_at.push(offset);
        let cut = self.cut_after.take();
        let lose = std::mem::take(&mut self.lose_answer);
        let (length, bytes) = self.blobs.get_mut(id).ok_or(Code::BlobUnknown)?;
        if offset != bytes.len() as u64 || self.stubborn {
            return Err(Code::BlobOffset.into());
        }
        if let Some(cut) = cut {
            taken = &taken[..cut.min(taken.len())];
        }
        assert!((bytes.len() + taken.len()) as u64 <= *length);
        bytes.extend_from_slice(taken);
        if cut.is_some() || lose {
            return Err(Code::ConnectionLost.into());
        }
        self.state(id)
    }
}

impl Server {
    pub(super) fn tamper(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.inner.lock().unwrap();
        change(&mut inner.blobs.values_mut().next().unwrap().1);
    }

    pub(super) fn blob(&self, id: &BlobId) -> Vec<u8> {
        self.inner.lock().unwrap().blobs[id].1.clone()
    }
}

fn ready<T: Send + 'static>(answer: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(answer))
}

impl BlobTransport for Server {
    fn create<'a>(
        &'a self,
        id: &'a BlobId,
        length: u64,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        let mut inner = self.inner.lock().unwrap();
        assert!(padding::is_blob_size(length));
        inner
            .blobs
            .entry(*id)
            .or_insert_with(|| (length, Vec::new()));
        ready(inner.state(id))
    }

    fn append<'a>(
        &'a self,
        id: &'a BlobId,
        offset: u64,
        bytes: Bytes,
    ) -> BoxFuture<'a, Result<BlobState, Error>> {
        ready(self.inner.lock().unwrap().append(id, offset, &bytes))
    }

    fn state<'a>(&'a self, id: &'a BlobId) -> BoxFuture<'a, Result<BlobState, Error>> {
        ready(self.inner.lock().unwrap().state(id))
    }

    fn read<'a>(
        &'a self,
        id: &'a BlobId,
        from: u64,
        length: u64,
    ) -> BoxFuture<'a, Result<Bytes, Error>> {
        let mut inner = self.inner.lock().unwrap();
        inner.reads_from.push(from);
        ready(inner.state(id).and_then(|state| {
            if state.offset < state.length {
                return Err(Code::BlobIncomplete.into());
            }
            let (from, length) = (
                usize::try_from(from).unwrap(),
                usize::try_from(length).unwrap(),
            );
            inner.blobs[id]
                .1
                .get(from..from + length)
                .map(Bytes::copy_from_slice)
                .ok_or(Code::BlobRange.into())
        }))
    }
}
