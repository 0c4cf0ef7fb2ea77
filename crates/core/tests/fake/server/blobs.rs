//! What befalls blobs.

use super::*;

impl FakeServer {
    /// The next so many uploads break off in the middle.
    pub fn break_uploads(&self, count: u32) {
        lock(&self.state).uploads_break = count;
    }

    /// No upload is taken, for this reason; or they are again.
    pub fn refuse_uploads(&self, why: Option<Code>) {
        lock(&self.state).uploads_refused = why;
    }

    /// The next so many times that something refers to a blob, it will not be there for long enough.
    pub fn blobs_end_soon(&self, times: u32) {
        lock(&self.state).blob_checks.end_soon = times;
    }

    /// Sends and commits that were refused because of a blob, and blobs that were read.
    pub fn blob_traffic(&self) -> (u64, u64) {
        let state = lock(&self.state);
        (state.blob_checks.refused, state.blobs_read)
    }

    /// Blobs there are.
    pub fn blobs(&self) -> usize {
        lock(&self.state).blobs.len()
    }
}
