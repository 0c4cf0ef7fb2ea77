//! Whether two queues hold the same bytes: copies of one group message must not be matched by comparing.

use std::collections::HashMap;
use std::fs;

use super::database::Database;
use super::town::Copy;
use crate::disk::files;
use crate::failed::{Failed, Outcome};

/// The length of a run that chance does not repeat.
pub const RUN: usize = 16;

/// Where sealed bytes stand. Within one place bytes may repeat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A queue, in any of the copies.
    Queue(Vec<u8>),
    /// A blob's file.
    Blob(String),
}

/// Runs that stand in two places, over all copies together.
#[derive(Default)]
pub struct Runs {
    places: Vec<Place>,
    first: HashMap<[u8; RUN], usize>,
    /// How many runs were compared.
    pub compared: usize,
    /// Pairs of places that share a run, with its length of [`RUN`] or more not told apart.
    pub shared: Vec<(Place, Place)>,
}

impl Runs {
    /// Compares bytes with all that came before.
    pub fn add(&mut self, place: &Place, bytes: &[u8]) {
        let place = match self.places.iter().position(|known| known == place) {
            Some(known) => known,
            None => {
                self.places.push(place.clone());
                self.places.len() - 1
            }
        };
        for run in bytes.windows(RUN) {
            let Some(run) = run.first_chunk::<RUN>() else {
                continue;
            };
            self.compared += 1;
            let first = *self.first.entry(*run).or_insert(place);
            if first != place {
                let pair = (self.places[first].clone(), self.places[place].clone());
                if !self.shared.contains(&pair) {
                    self.shared.push(pair);
                }
            }
        }
    }
}

/// Compares every waiting item of every queue, and every blob, of all copies.
///
/// # Errors
/// If a copy can't be read.
pub fn runs(copies: &[Copy]) -> Outcome<Runs> {
    let mut runs = Runs::default();
    let mut seen = std::collections::HashSet::new();
    let failed = |error: std::io::Error| Failed::harness("reading a blob", error);
    for copy in copies {
        for item in Database::open(&copy.data())?.items()? {
            if seen.insert((item.queue.clone(), item.sequence)) {
                runs.add(&Place::Queue(item.queue), &item.sealed);
            }
        }
        // At some moments there is no blob, and then the copy has no such folder.
        let blobs = copy.data().join("blobs");
        let all = files(&copy.data()).map_err(failed)?;
        for path in all.into_iter().filter(|path| path.starts_with(&blobs)) {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if seen.insert((name.clone().into_bytes(), 0)) {
                runs.add(&Place::Blob(name), &fs::read(path).map_err(failed)?);
            }
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_two_queues_is_noticed_wherever_it_stands() {
        let (one, other) = (Place::Queue(vec![1]), Place::Queue(vec![2]));
        let mut runs = Runs::default();
        let bytes: Vec<u8> = (0..200).collect();
        runs.add(&one, &bytes);
        runs.add(&one, &bytes);
        runs.add(&other, &bytes[50..50 + RUN - 1]);
        assert!(runs.shared.is_empty());
        runs.add(&other, &[&[9; 5], &bytes[50..50 + RUN]].concat());
        assert_eq!(runs.shared, [(one, other)]);
    }
}
