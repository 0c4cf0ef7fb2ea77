//! The user interface, inside the program.
//!
//! `build.rs` writes the list from `ui/dist`, which `./dev` builds before. Without it the program is whole but for the user
//! interface, and says so.

/// One file of the user interface.
pub struct Asset {
    /// Its path, with a leading slash.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

/// Whether this program has the user interface.
#[must_use]
pub fn are_there() -> bool {
    find("/").is_some()
}
