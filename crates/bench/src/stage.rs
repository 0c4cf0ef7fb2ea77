//! What most tables need first: a runtime, a folder on the disk that is measured, and a server.

use std::path::Path;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{connection::Failure, server::Server};

/// A runtime with all cores.
///
/// # Errors
/// What the system says.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

/// The three of them; the folder goes with it.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) folder: TempDir,
    pub(crate) server: Server,
}

impl Stage {
    /// Set up under `disk`.
    ///
    /// # Errors
    /// What the system or the server says.
    pub(crate) fn set_up(disk: &Path) -> Result<Self, Failure> {
        Ok(Self {
            runtime: runtime()?,
            folder: tempfile::Builder::new()
                .prefix("undertone-bench-")
                .tempdir_in(disk)?,
            server: Server::start(disk)?,
        })
    }
}
