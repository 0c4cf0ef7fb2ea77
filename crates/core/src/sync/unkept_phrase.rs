//! The recovery phrase of an account that was just made, until its owner says that it is on paper.
//!
//! Nothing can show it again later, so it lies in the encrypted home over locks and crashes: a word a row, in the settings, which hold numbers.
//! A word of BIP-39 has at most eight letters. It is in no backup.

use rusqlite::{Connection, params};
use zeroize::Zeroizing;

use super::Work;
use crate::{
    client::RecoveryPhrase,
    error::{Reason, Result},
};

/// What the rows' names begin with.
const NAME: &str = "phrase.";

/// Holds it.
pub(crate) fn hold(work: &Work<'_>, phrase: &RecoveryPhrase) -> Result<()> {
    forget(work)?;
    for (place, word) in phrase.words().split(' ').enumerate() {
        let mut letters = [0; 8];
        letters
            .get_mut(..word.len())
            .ok_or(Reason::PhraseWrong)?
            .copy_from_slice(word.as_bytes());
        work.db.execute(
            "INSERT INTO settings (name, value) VALUES (?1, ?2)",
            params![format!("{NAME}{place:02}"), i64::from_be_bytes(letters)],
        )?;
    }
    Ok(())
}

/// What is held.
pub(crate) fn held(db: &Connection) -> Result<Option<RecoveryPhrase>> {
    let mut query = db
        .prepare_cached("SELECT value FROM settings WHERE substr(name, 1, 7) = ?1 ORDER BY name")?;
    let mut words = Zeroizing::new(String::with_capacity(128));
    for value in query.query_map([NAME], |row| row.get::<_, i64>(0))? {
        if !words.is_empty() {
            words.push(' ');
        }
        let letters = value?.to_be_bytes();
        words.extend(
            letters
                .into_iter()
                .filter(|byte| *byte != 0)
                .map(char::from),
        );
    }
    Ok((!words.is_empty()).then(|| RecoveryPhrase::new(&words)))
}

/// It is on paper.
pub(crate) fn forget(work: &Work<'_>) -> Result<()> {
    work.db
        .execute("DELETE FROM settings WHERE substr(name, 1, 7) = ?1", [NAME])?;
    Ok(())
}
