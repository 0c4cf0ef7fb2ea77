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

    /// How often a blob was looked for on another server.
    pub fn sought_elsewhere(&self) -> u64 {
        lock(&self.state).sought_elsewhere
    }

    /// Another server is away, for whoever was sent there.
    pub(super) fn is_here(&self, server: &ServerAddress) -> Result<(), TransportError> {
        if *server == self.address {
            return Ok(());
        }
        lock(&self.state).sought_elsewhere += 1;
        Err(Error::new(Code::ConnectionLost))
    }

    /// So many more pieces of blobs go up or down; those after them wait until [`FakeServer::let_pieces_go`].
    pub fn hold_pieces_after(&self, pieces: u64) {
        self.pieces_left.send_replace(Some(pieces));
    }

    /// All pieces go.
    pub fn let_pieces_go(&self) {
        self.pieces_left.send_replace(None);
    }

    /// How often a piece of a blob was asked for, whether or not there was a server.
    pub fn pieces_asked_for(&self) -> u64 {
        lock(&self.state).pieces_asked_for
    }

    /// Bytes that all blobs have so far.
    pub fn blob_bytes(&self) -> u64 {
        let state = lock(&self.state);
        state.blobs.values().map(|blob| blob.1.len() as u64).sum()
    }

    /// Waits for the turn of one more piece.
    pub(super) async fn turn_of_a_piece(&self) {
        let mut left = self.pieces_left.subscribe();
        loop {
            let mut may = false;
            self.pieces_left.send_if_modified(|left| match left {
                None => {
                    may = true;
                    false
                }
                Some(0) => false,
                Some(left) => {
                    may = true;
                    *left -= 1;
                    true
                }
            });
            if may || left.changed().await.is_err() {
                return;
            }
        }
    }

    /// Blobs there are.
    pub fn blobs(&self) -> usize {
        lock(&self.state).blobs.len()
    }
}
