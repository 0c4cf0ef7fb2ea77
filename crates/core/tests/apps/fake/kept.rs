//! What a home keeps, looked at while nobody has it open.

use undertone_core::{
    Clock as _,
    home::{Home, Owner},
    store::StoreError,
};

use super::{Person, passphrase};

impl Person {
    /// Reads the store of the home, which nobody has open.
    fn read_store<T>(&self, read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> T {
        let value = self
            .home_while_away()
            .database()
            .read(|snapshot| Ok::<_, StoreError>(read(snapshot.connection())?));
        value.expect("read")
    }

    /// Whether a table holds these bytes.
    pub fn finds_in(&self, table: &str, needle: &str) -> bool {
        self.finds(needle).iter().any(|found| found == table)
    }

    /// The tables of the store, those of the search index included, that hold these bytes, in any case of letters. A few letters stand
    /// somewhere by chance: every content has account ids in base32, and there are keys and salts.
    pub fn finds(&self, needle: &str) -> Vec<String> {
        let is_base32 = |byte: u8| byte.is_ascii_alphabetic() || (b'2'..=b'7').contains(&byte);
        let by_chance = needle.len() < 7 && needle.bytes().all(is_base32);
        assert!(needle.len() >= 4 && !by_chance, "{needle} may be anywhere");
        let needle = needle.to_lowercase();
        let holds = |bytes: &[u8]| {
            let lower = String::from_utf8_lossy(bytes).to_lowercase();
            lower.contains(&needle)
        };
        self.read_store(|db| {
            let mut tables = db.prepare(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
            )?;
            let names = tables
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let mut found = Vec::new();
            for name in names {
                let mut all = db.prepare(&format!("SELECT * FROM \"{name}\""))?;
                let columns = all.column_count();
                let mut rows = all.query([])?;
                while let Some(row) = rows.next()? {
                    for column in 0..columns {
                        let value = row.get_ref(column)?;
                        let bytes = value.as_bytes().unwrap_or_default();
                        if holds(bytes) && !found.contains(&name) {
                            found.push(name.clone());
                        }
                    }
                }
            }
            Ok(found)
        })
    }

    /// The home, which nobody has open.
    pub fn home_while_away(&self) -> Home {
        let owner = Owner::acquire(&self.home).expect("nobody has it open");
        let home = owner.unlock(&passphrase()).map_err(|(_, error)| error);
        home.expect("unlocked")
    }

    /// The key pairs of the queue that are kept in the home, which nobody has open.
    pub fn queue_keys(&self) -> i64 {
        self.looks_up("SELECT count(*) FROM queue_keys")
    }

    /// Does this to the store of the home, which nobody has open: a bug, or somebody with a mind of their own.
    pub fn tamper(&self, sql: &str) {
        let done = self.home_while_away().database().transaction(|tx| {
            tx.connection().execute_batch(sql)?;
            Ok::<_, StoreError>(())
        });
        done.expect("written");
    }

    /// A number from the store of the home, which nobody has open.
    pub fn looks_up(&self, sql: &str) -> i64 {
        self.read_store(|db| db.query_row(sql, [], |row| row.get(0)))
    }

    /// Columns that hold moments, in the store of the home, which nobody has open, with a moment more than a minute ahead. Left out is what
    /// nothing waits for: when something was said or made, and when a link ends.
    pub fn moments_ahead(&self) -> Vec<String> {
        const HARMLESS: &[&str] = &[
            "messages.",
            "account.",
            "adds.created_at_ms",
            "addresses.created_at_ms",
            "attachments.created_at_ms",
            "contacts.added_at_ms",
            "links.expires_at_ms",
            "actions.sent_at_ms",
            "age.",
            "chat_settings.",
            "pins.",
            "receipts.",
            "timers.",
            "early.",
        ];
        self.read_store(|db| {
            let mut statement = db.prepare(
                "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND substr(c.name, -3) = '_ms'",
            )?;
            let columns = statement
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
                .collect::<Result<Vec<_>, _>>()?;
            let mut ahead = Vec::new();
            for (table, column) in columns {
                let name = format!("{table}.{column}");
                let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} > ?1)");
                let limit = self.clock.now_ms() + 60_000;
                let found: bool = db.query_row(&sql, [limit], |row| row.get(0))?;
                if found && !HARMLESS.iter().any(|harmless| name.starts_with(harmless)) {
                    ahead.push(name);
                }
            }
            Ok(ahead)
        })
    }
}
