//! Blind tokens: fetched by the inbox, spent by the outbox, so that the one can't be joined to the other.

use rusqlite::{OptionalExtension as _, params};
use undertone_wire::{
    Code, Error as WireError,
    ids::TokenKeyId,
    response::{ServerHello, TokenKey},
    tokens::Token,
};

use super::Work;
use crate::error::Result;

/// The wallet is filled when it holds fewer.
pub(crate) const FEW: u32 = 12;
/// How many it is filled up to.
pub(crate) const ENOUGH: u32 = 40;
/// How long tokens of a key that is not shown are kept: longer than a key's two weeks.
const KEPT_MS: i64 = 21 * 24 * 3600 * 1000;

/// What the inbox is shown from now on. Whatever the outbox is shown must be among it. Tokens of other keys are worth nothing now (their
/// week is over, or the server was put back to a backup) and make room for good ones; should their key be shown once more, they are there.
/// Keys for temporary queues are not this account's: a token of one would tell it from the others.
pub(crate) fn shown_to_inbox(work: &Work<'_>, keys: &[TokenKey]) -> Result<()> {
    let before = count(work.db)?;
    work.db.execute("UPDATE token_keys SET shown = 0", [])?;
    for key in keys.iter().filter(|key| !key.temporary) {
        work.db.execute(
            "INSERT INTO token_keys (key_id, public, seen_at_ms, shown_outbox, shown) VALUES (?1, ?2, ?3, 0, 1)
             ON CONFLICT (key_id) DO UPDATE SET seen_at_ms = excluded.seen_at_ms, shown = 1",
            params![key.id.as_bytes(), key.public_key, work.now_ms],
        )?;
    }
    work.db.execute(
        "DELETE FROM token_keys WHERE shown = 0 AND seen_at_ms < ?1",
        [work.now_ms - KEPT_MS],
    )?;
    // A key that was away has to be shown to an anonymous connection anew.
    work.db
        .execute("UPDATE token_keys SET shown_outbox = 0 WHERE shown = 0", [])?;
    work.db.execute(
        "DELETE FROM tokens WHERE key_id NOT IN (SELECT key_id FROM token_keys)",
        [],
    )?;
    if count(work.db)? != before {
        work.wake();
    }
    Ok(())
}

/// Refuses an outbox connection that is shown another key: it could mark a person. The keys it is shown may be spent from now on.
pub(crate) fn check_outbox(work: &Work<'_>, hello: &ServerHello) -> Result<()> {
    let mine = || hello.token_keys.iter().filter(|key| !key.temporary);
    for key in mine() {
        let known = work
            .db
            .prepare_cached(
                "SELECT 1 FROM token_keys WHERE key_id = ?1 AND public = ?2 AND shown = 1",
            )?
            .exists(params![key.id.as_bytes(), key.public_key])?;
        if !known {
            return Err(WireError::new(Code::TokenKeysDiffer).into());
        }
    }
    for key in mine() {
        work.db.execute(
            "UPDATE token_keys SET shown_outbox = 1 WHERE key_id = ?1",
            [key.id.as_bytes()],
        )?;
    }
    Ok(())
}

/// How many more are wanted.
pub(crate) fn wanted(work: &Work<'_>) -> Result<u32> {
    let held = count(work.db)?;
    Ok(if held < FEW { ENOUGH - held } else { 0 })
}

/// How many there are of keys that are shown.
pub(crate) fn count(db: &rusqlite::Connection) -> Result<u32> {
    Ok(db
        .prepare_cached(
            "SELECT count(*) FROM tokens WHERE key_id IN (SELECT key_id FROM token_keys WHERE shown = 1)",
        )?
        .query_row([], |row| row.get(0))?)
}

/// The key that the server issues under, if the inbox is shown it.
pub(crate) fn issuing_key(work: &Work<'_>, id: TokenKeyId) -> Result<Option<TokenKey>> {
    Ok(work
        .db
        .prepare_cached("SELECT public FROM token_keys WHERE key_id = ?1 AND shown = 1")?
        .query_row([id.as_bytes()], |row| {
            Ok(TokenKey {
                id,
                public_key: row.get(0)?,
                temporary: false,
            })
        })
        .optional()?)
}

/// Puts new ones into the wallet.
pub(crate) fn put(work: &Work<'_>, tokens: &[Token]) -> Result<()> {
    for token in tokens {
        work.db.execute(
            "INSERT OR IGNORE INTO tokens (input, key_id, output) VALUES (?1, ?2, ?3)",
            params![token.input(), token.key_id().as_bytes(), token.output()],
        )?;
    }
    work.wake();
    Ok(())
}

/// Takes some out, of keys that anonymous connections are shown too: one that only the inbox was shown could mark a person. They are gone even if the
/// connection fails: the server may have seen them.
pub(crate) fn take(work: &Work<'_>, most: u32) -> Result<Vec<Token>> {
    let rows = {
        let mut statement = work.db.prepare_cached(
            "DELETE FROM tokens WHERE input IN (SELECT input FROM tokens WHERE key_id IN (SELECT key_id FROM token_keys WHERE shown = 1 AND shown_outbox = 1) LIMIT ?1) RETURNING key_id, input, output",
        )?;
        statement
            .query_map([most], |row| {
                Ok([
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get::<_, Vec<u8>>(2)?,
                ]
                .concat())
            })?
            .collect::<std::result::Result<Vec<_>, _>>()?
    };
    if count(work.db)? < FEW {
        work.wake();
    }
    rows.iter()
        .map(|bytes| Ok(Token::from_slice(bytes)?))
        .collect()
}
