//! Names that tell people apart.
//!
//! Anybody may call themselves anything. Where two different accounts would read alike, or somebody reads like the reader's
//! own "You", the beginning of the account id stands beside the name.

use std::collections::{BTreeMap, BTreeSet};

use super::sanitize::single_line;

/// What one's own messages are signed with.
pub const ME: &str = "You";

/// Printable names of a set of accounts, each different from the others.
#[derive(Default)]
pub struct Names {
    by_name: BTreeMap<String, BTreeSet<String>>,
}

impl Names {
    /// Learns that `account` goes by `name`.
    pub fn learn(&mut self, account: &str, name: &str) {
        self.by_name
            .entry(key(&single_line(name)))
            .or_default()
            .insert(account.to_owned());
    }

    /// How to print the account that goes by `name`.
    #[must_use]
    pub fn print(&self, account: &str, name: &str) -> String {
        let clean = single_line(name);
        let shared = self
            .by_name
            .get(&key(&clean))
            .is_some_and(|accounts| accounts.iter().any(|other| other != account));
        if shared || key(&clean) == key(ME) {
            format!("{clean} ({})", account.get(..6).unwrap_or(account))
        } else {
            clean
        }
    }
}

fn key(name: &str) -> String {
    name.to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_people_of_one_name_are_told_apart() {
        let mut names = Names::default();
        names.learn("aaaaaaaa", "Ada");
        names.learn("bbbbbbbb", "ada\u{200b}");
        names.learn("cccccccc", "Cleo");
        assert_eq!(names.print("aaaaaaaa", "Ada"), "Ada (aaaaaa)");
        assert_eq!(names.print("bbbbbbbb", "ada\u{200b}"), "ada (bbbbbb)");
        assert_eq!(names.print("cccccccc", "Cleo"), "Cleo");
    }

    #[test]
    fn nobody_passes_for_the_reader() {
        assert_eq!(Names::default().print("dddddddd", " you "), "you (dddddd)");
    }
}
