//! A copied server database, opened as whoever copied it would.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::failed::{Failed, Outcome};

/// The database's file in the data folder.
pub const FILE: &str = "store.sqlite";

/// A waiting item.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// The queue's id.
    pub queue: Vec<u8>,
    /// Its place in the queue.
    pub sequence: u64,
    /// Names the key that it was sealed with.
    pub key: Vec<u8>,
    /// The counter in its nonce.
    pub nonce: u64,
    /// The last UTC day that it is kept.
    pub last_day: i64,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// A value that somebody might join tables by.
pub struct Cell {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// Which row of the table, counted as read.
    pub row: usize,
    /// The value; texts as UTF-8.
    pub value: Vec<u8>,
}

/// A copied database, which is only read.
pub struct Database {
    connection: Connection,
}

/// Key id, encapsulation, sealed key, day of the owner's key.
pub type SealingKey = (Vec<u8>, Vec<u8>, Vec<u8>, u32);

impl Database {
    /// Opens the one in this data folder.
    ///
    /// # Errors
    /// If it is none.
    pub fn open(data: &Path) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(data.join(FILE), flags).map_err(failed)?;
        Ok(Self { connection })
    }

    /// All waiting items, by queue and place.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn items(&self) -> Outcome<Vec<Item>> {
        let mut rows = self
            .connection
            .prepare("SELECT queue_id, sequence, key_id, nonce, last_day, sealed FROM items ORDER BY 1, 2")
            .map_err(failed)?;
        let items = rows.query_map([], |row| {
            Ok(Item {
                queue: row.get(0)?,
                sequence: row.get::<_, i64>(1)?.cast_unsigned(),
                key: row.get(2)?,
                nonce: row.get::<_, i64>(3)?.cast_unsigned(),
                last_day: row.get(4)?,
                sealed: row.get(5)?,
            })
        });
        items.and_then(Iterator::collect).map_err(failed)
    }

    /// Every blob and text of at least eight bytes, of every table.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn cells(&self) -> Outcome<Vec<Cell>> {
        self.read_cells().map_err(failed)
    }

    fn read_cells(&self) -> rusqlite::Result<Vec<Cell>> {
        let mut tables = self.connection.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
        )?;
        let tables = tables
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<String>>>()?;
        let mut cells = Vec::new();
        for table in tables {
            let mut rows = self
                .connection
                .prepare(&format!("SELECT * FROM \"{table}\""))?;
            let columns: Vec<String> = rows.column_names().into_iter().map(str::to_owned).collect();
            let mut rows = rows.query([])?;
            let mut number = 0;
            while let Some(row) = rows.next()? {
                for (index, column) in columns.iter().enumerate() {
                    let (ValueRef::Blob(value) | ValueRef::Text(value)) = row.get_ref(index)?
                    else {
                        continue;
                    };
                    if value.len() >= 8 {
                        cells.push(Cell {
                            table: table.clone(),
                            column: column.clone(),
                            row: number,
                            value: value.to_vec(),
                        });
                    }
                }
                number += 1;
            }
        }
        Ok(cells)
    }

    /// Which queue an address, as the server knows it, leads to.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn addresses(&self) -> Outcome<BTreeMap<Vec<u8>, Vec<u8>>> {
        let mut rows = self
            .connection
            .prepare("SELECT address_hash, queue_id FROM addresses")
            .map_err(failed)?;
        let found = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        found.and_then(Iterator::collect).map_err(failed)
    }

    /// The sealing key rows of a queue, newest last: key id, encapsulation, sealed key, day of the owner's key.
    ///
    /// # Errors
    /// If they can't be read.
    pub fn sealing_keys(&self, queue: &[u8]) -> Outcome<Vec<SealingKey>> {
        let sql = "SELECT key_id, enc, sealed, hpke_key_day FROM sealing_keys WHERE queue_id = ?1 ORDER BY first_sequence";
        let mut rows = self.connection.prepare(sql).map_err(failed)?;
        let found = rows.query_map([queue], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        });
        found.and_then(Iterator::collect).map_err(failed)
    }

    /// The rows of a question, each as one text, for the table of what is learned.
    ///
    /// # Errors
    /// If it can't be asked.
    pub fn texts(&self, sql: &str) -> Outcome<Vec<String>> {
        let mut rows = self.connection.prepare(sql).map_err(failed)?;
        let found = rows.query_map([], |row| row.get::<_, String>(0));
        found.and_then(Iterator::collect).map_err(failed)
    }
}

fn failed(error: rusqlite::Error) -> Failed {
    Failed::harness("reading a copied database", error)
}
