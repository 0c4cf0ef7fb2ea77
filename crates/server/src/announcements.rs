//! What the server's operator tells everybody who has a queue here.
//!
//! A few short plain texts in a file of the server's folder, changed through the admin socket and shown to each device that signs in and
//! to those that are connected. They are public, and say nothing of anybody. Written whole, to a new file that takes the place of the old
//! one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use undertone_wire::ids::random_bytes;
use undertone_wire::limits::{ANNOUNCEMENT_BYTES, ANNOUNCEMENTS};
use undertone_wire::response;

use crate::error::ServerError;
use crate::folder;
use crate::store::Day;

/// The file's name in the server's folder.
pub const FILE_NAME: &str = "announcements.json";
/// An announcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Names it; 32 hexadecimal digits.
    pub id: String,
    /// Plain text.
    pub text: String,
    /// UTC day on which it was made, days since 1970.
    pub day: u32,
    /// The last UTC day on which it is shown.
    pub until_day: u32,
}

impl Announcement {
    fn to_wire(&self) -> Option<response::Announcement> {
        let id = data_encoding::HEXLOWER.decode(self.id.as_bytes()).ok()?;
        Some(response::Announcement {
            id: id.try_into().ok()?,
            text: self.text.clone(),
            day: self.day,
            until_day: self.until_day,
        })
    }
}

/// Those of a server.
pub struct Announcements {
    path: PathBuf,
    /// None: there never was any, and nobody need be told so.
    now: watch::Sender<Option<Arc<Vec<Announcement>>>>,
}

/// Tells of changes.
pub struct Changes(watch::Receiver<Option<Arc<Vec<Announcement>>>>);

impl Changes {
    /// Resolves when they have changed since this was made, or since it last resolved.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The server is gone, and this connection is about to be.
            std::future::pending::<()>().await;
        }
    }

    /// As they are told on `today`; None: there never was any.
    pub fn shown(&mut self, today: Day) -> Option<Vec<response::Announcement>> {
        let now = self.0.borrow_and_update().clone()?;
        let standing = now.iter().filter(|one| one.until_day >= today.0);
        Some(standing.filter_map(Announcement::to_wire).collect())
    }
}

impl Announcements {
    /// Reads those of the server folder `dir`.
    ///
    /// # Errors
    /// When the file is damaged or can't be read.
    pub fn read(dir: &Path) -> Result<Self, ServerError> {
        let path = dir.join(FILE_NAME);
        let now = match std::fs::read(&path) {
            Ok(bytes) => {
                let all = serde_json::from_slice(&bytes)
                    .map_err(|_| ServerError::Damaged(path.clone()))?;
                Some(Arc::new(all))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(ServerError::io("read", &path, &error)),
        };
        Ok(Self {
            path,
            now: watch::channel(now).0,
        })
    }

    /// To be told of changes.
    pub fn changes(&self) -> Changes {
        Changes(self.now.subscribe())
    }

    /// Those that stand on `today`, the oldest first.
    pub fn standing(&self, today: Day) -> Vec<Announcement> {
        let now = self.now.borrow();
        let all = now.iter().flat_map(|all| all.iter());
        all.filter(|one| one.until_day >= today.0)
            .cloned()
            .collect()
    }

    /// Tells everybody something for so many days, today included.
    ///
    /// # Errors
    /// [`ServerError::Usage`] for a text that is empty, too long or not plain, or one too many; or when it can't be written.
    pub fn add(&self, text: &str, today: Day, days: u32) -> Result<Announcement, ServerError> {
        let text = text.trim();
        let usage = |sentence: String| Err(ServerError::Usage(sentence));
        if text.is_empty() || text.len() > ANNOUNCEMENT_BYTES {
            return usage(format!(
                "an announcement has 1 to {ANNOUNCEMENT_BYTES} bytes"
            ));
        }
        if text.chars().any(|one| one.is_control() && one != '\n') {
            return usage("an announcement is plain text".to_owned());
        }
        let mut standing = self.standing(today);
        if standing.len() >= ANNOUNCEMENTS {
            return usage(format!(
                "there are {ANNOUNCEMENTS} announcements already; remove one first"
            ));
        }
        let announcement = Announcement {
            id: data_encoding::HEXLOWER.encode(&random_bytes::<16>()),
            text: text.to_owned(),
            day: today.0,
            until_day: today.0.saturating_add(days.saturating_sub(1)),
        };
        standing.push(announcement.clone());
        self.keep(standing)?;
        Ok(announcement)
    }

    /// Takes the one away that an id, or the beginning of one, names.
    ///
    /// # Errors
    /// [`ServerError::Usage`] unless it names exactly one; or when the rest can't be written.
    pub fn remove(&self, id: &str, today: Day) -> Result<Announcement, ServerError> {
        let mut standing = self.standing(today);
        let found: Vec<usize> = (0..standing.len())
            .filter(|index| !id.is_empty() && standing[*index].id.starts_with(id))
            .collect();
        let [index] = found[..] else {
            return Err(ServerError::Usage(
                "no announcement, or more than one, has an id that begins so".to_owned(),
            ));
        };
        let removed = standing.remove(index);
        self.keep(standing)?;
        Ok(removed)
    }

    fn keep(&self, all: Vec<Announcement>) -> Result<(), ServerError> {
        let failed = |error: &std::io::Error| ServerError::io("write", &self.path, error);
        let bytes = serde_json::to_vec_pretty(&all).map_err(|error| failed(&error.into()))?;
        let new = self.path.with_extension("json.new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&error));
            }
            _ => {}
        }
        folder::write_new(&new, &bytes, 0o600)?;
        std::fs::rename(&new, &self.path).map_err(|error| failed(&error))?;
        folder::sync_parent(&self.path)?;
        self.now.send_replace(Some(Arc::new(all)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_stand_until_their_day_is_over_or_they_are_removed() {
        let dir = tempfile::tempdir().expect("temp dir");
        let all = Announcements::read(dir.path()).expect("none");
        let mut changes = all.changes();
        let today = Day(20_000);
        assert_eq!(changes.shown(today), None, "nobody is told of nothing");
        let first = all
            .add(" Maintenance on Sunday. ", today, 2)
            .expect("first");
        let second = all.add("Two\nlines", today, 30).expect("second");
        let shown = changes.shown(today).expect("some");
        assert_eq!(
            shown.iter().map(|one| &one.text[..]).collect::<Vec<_>>(),
            ["Maintenance on Sunday.", "Two\nlines"]
        );
        assert_eq!(all.standing(today.plus(1)).len(), 2);
        assert_eq!(all.standing(today.plus(2)), std::slice::from_ref(&second));
        for wrong in ["", "  ", "bell \u{7}", &"x".repeat(ANNOUNCEMENT_BYTES + 1)] {
            assert!(all.add(wrong, today, 1).is_err(), "{wrong:?}");
        }
        let again = Announcements::read(dir.path()).expect("read");
        assert_eq!(again.standing(today), [first.clone(), second]);
        assert!(again.remove("", today).is_err() && again.remove("zz", today).is_err());
        again.remove(&first.id[..20], today).expect("removed");
        for text in ["c", "d", "e"] {
            again.add(text, today, 1).expect("room");
        }
        assert!(again.add("f", today, 1).is_err(), "no more at once");
        std::fs::write(dir.path().join(FILE_NAME), b"[{").expect("write");
        assert!(Announcements::read(dir.path()).is_err());
    }
}
