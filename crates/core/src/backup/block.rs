//! A block of a backup: rows of some of the store's [`tables`](super::tables), as they are written and read.
//!
//! A row is written as the values of its columns in the order that its block names; a reader takes the columns it knows.

use prost::Message as _;
use rusqlite::{
    Connection, ToSql,
    types::{Value as Sql, ValueRef},
};

use super::tables::{BUCKET, CHATS, Part, TABLES, Table};
use crate::error::{Reason, Result};

/// A value of a row.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Value {
    #[prost(oneof = "Held", tags = "1, 2, 3")]
    pub(crate) held: Option<Held>,
}

/// What it is; SQLite's own sorts that the store uses.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Held {
    #[prost(sint64, tag = "1")]
    Integer(i64),
    #[prost(string, tag = "2")]
    Text(String),
    #[prost(bytes = "vec", tag = "3")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Row {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<Value>,
}

/// Rows of one table.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Rows {
    #[prost(string, tag = "1")]
    pub(crate) table: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) columns: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) rows: Vec<Row>,
}

fn rows_of(table: &Table, rows: Vec<Row>) -> Rows {
    Rows {
        table: table.name.to_owned(),
        columns: table.columns().map(str::to_owned).collect(),
        rows,
    }
}

/// What a block holds.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Block {
    #[prost(message, repeated, tag = "1")]
    pub(crate) tables: Vec<Rows>,
}

impl Block {
    fn push(&mut self, table: &Table, rows: Vec<Row>) {
        if !rows.is_empty() {
            self.tables.push(rows_of(table, rows));
        }
    }

    /// As it is hashed and sealed.
    pub(crate) fn bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        zeroize::Zeroizing::new(self.encode_to_vec())
    }

    /// Its rows.
    pub(crate) fn count(&self) -> u64 {
        self.tables
            .iter()
            .map(|table| table.rows.len() as u64)
            .sum()
    }
}

/// A block of the store: its name and what it is read by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) part: Part,
    number: i64,
}

impl Place {
    /// What a conversation (conversations.id) has beside its messages.
    pub(crate) fn chat(id: i64) -> Self {
        Self {
            name: format!("chat/{id}"),
            part: Part::Chat,
            number: id,
        }
    }
}

/// All blocks that the store has now.
pub(crate) fn places(db: &Connection) -> Result<Vec<Place>> {
    let mut places = vec![Place {
        name: "account".to_owned(),
        part: Part::Account,
        number: 0,
    }];
    let numbers = |sql: &str| -> Result<Vec<i64>> {
        Ok(db
            .prepare(sql)?
            .query_map([], |row| row.get(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?)
    };
    for (part, word, sql) in [
        (Part::Chat, "chat", format!("{CHATS} ORDER BY id")),
        (
            Part::Messages,
            "messages",
            format!("SELECT DISTINCT id / {BUCKET} FROM messages ORDER BY 1"),
        ),
        (
            Part::Actions,
            "actions",
            format!("SELECT DISTINCT id / {BUCKET} FROM actions ORDER BY 1"),
        ),
    ] {
        places.extend(numbers(&sql)?.into_iter().map(|number| Place {
            name: format!("{word}/{number}"),
            part,
            number,
        }));
    }
    Ok(places)
}

/// Reads a block. With `media` it says which files go along.
pub(crate) fn read(db: &Connection, place: &Place, media: bool) -> Result<Block> {
    let (from, to) = match place.part {
        Part::Account | Part::Chat => (place.number, 0),
        Part::Messages | Part::Actions => (place.number * BUCKET, (place.number + 1) * BUCKET),
    };
    let mut block = Block::default();
    for table in TABLES.iter().filter(|table| table.part == place.part) {
        let numbers: [&dyn ToSql; 3] = [&from, &to, &media];
        block.push(table, read_table(db, table, table.rows, numbers)?);
    }
    Ok(block)
}

/// Reads rows of a table as a backup has them, without files: those of `rows`, in which `?1` is `which`.
pub(crate) fn select(db: &Connection, name: &str, rows: &str, which: &str) -> Result<Rows> {
    let table = TABLES
        .iter()
        .find(|table| table.name == name)
        .ok_or(Reason::StateBroken)?;
    let values: [&dyn ToSql; 3] = [&which, &0, &false];
    Ok(rows_of(table, read_table(db, table, rows, values)?))
}

fn read_table(
    db: &Connection,
    table: &Table,
    rows: &str,
    values: [&dyn ToSql; 3],
) -> Result<Vec<Row>> {
    let columns: Vec<&str> = table
        .columns
        .iter()
        .map(|(name, expression)| {
            if expression.is_empty() {
                *name
            } else {
                *expression
            }
        })
        .collect();
    // All three numbers are mentioned, so that all can be given.
    let sql = format!("SELECT {}, ?1, ?2, ?3 FROM {}", columns.join(", "), rows);
    let mut statement = db.prepare_cached(&sql)?;
    let mut found = statement.query(&values[..])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            let held = match row.get_ref(index)? {
                ValueRef::Integer(number) => Held::Integer(number),
                ValueRef::Text(text) => Held::Text(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(bytes) => Held::Bytes(bytes.to_vec()),
                ValueRef::Null | ValueRef::Real(_) => return Err(Reason::StateBroken.into()),
            };
            values.push(Value { held: Some(held) });
        }
        rows.push(Row { values });
    }
    Ok(rows)
}

/// Which of a table's columns stands where in rows that came from outside.
pub(crate) struct Reader<'r> {
    pub(crate) table: &'static Table,
    places: Vec<(&'static str, usize)>,
    pub(crate) rows: &'r [Row],
}

impl<'r> Reader<'r> {
    /// None: a table that this version does not know; it is passed by.
    pub(crate) fn new(rows: &'r Rows) -> Option<Self> {
        let table = TABLES.iter().find(|table| table.name == rows.table)?;
        let places = table
            .columns
            .iter()
            .filter_map(|(name, _)| {
                let place = rows.columns.iter().position(|column| column == name)?;
                Some((*name, place))
            })
            .collect();
        Some(Self {
            table,
            places,
            rows: &rows.rows,
        })
    }

    /// The columns that are here.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        self.places.iter().map(|(name, _)| *name).collect()
    }

    /// The values of those columns.
    pub(crate) fn values(&self, row: &Row) -> Result<Vec<Sql>> {
        self.places
            .iter()
            .map(
                |(_, place)| match row.values.get(*place).and_then(|value| value.held.clone()) {
                    Some(Held::Integer(number)) => Ok(Sql::Integer(number)),
                    Some(Held::Text(text)) => Ok(Sql::Text(text)),
                    Some(Held::Bytes(bytes)) => Ok(Sql::Blob(bytes)),
                    None => Err(Reason::BackupDamaged.into()),
                },
            )
            .collect()
    }

    /// A number of a row.
    pub(crate) fn integer(&self, row: &Row, column: &str) -> Option<i64> {
        match self.held(row, column)? {
            Held::Integer(number) => Some(*number),
            Held::Text(_) | Held::Bytes(_) => None,
        }
    }

    /// Bytes of a row.
    pub(crate) fn bytes<'a>(&self, row: &'a Row, column: &str) -> Option<&'a [u8]> {
        match self.held(row, column)? {
            Held::Bytes(bytes) => Some(bytes),
            Held::Text(text) => Some(text.as_bytes()),
            Held::Integer(_) => None,
        }
    }

    fn held<'a>(&self, row: &'a Row, column: &str) -> Option<&'a Held> {
        let (_, place) = self.places.iter().find(|(name, _)| *name == column)?;
        row.values.get(*place)?.held.as_ref()
    }
}
