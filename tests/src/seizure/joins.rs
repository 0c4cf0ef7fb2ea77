//! What a seized database joins: which rows point at which, by any value, whether or not the schema means it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::database::{Cell, Database};
use crate::failed::Outcome;

/// The only ways from a row to another table's: a queue's own rows, and an address's own rows.
const QUEUE: [(&str, &str); 7] = [
    ("queues", "queue_id"),
    ("queue_floors", "queue_id"),
    ("token_allowances", "queue_id"),
    ("items", "queue_id"),
    ("sealing_keys", "queue_id"),
    ("addresses", "queue_id"),
    ("bells", "queue_id"),
];
const SEALING_KEY: [(&str, &str); 2] = [("items", "key_id"), ("sealing_keys", "key_id")];
const ADDRESS: [(&str, &str); 4] = [
    ("addresses", "address_hash"),
    ("key_packages", "address_hash"),
    ("renamed_addresses", "old_hash"),
    ("renamed_addresses", "new_hash"),
];

/// Values long enough to be looked for inside of others.
const LONG: usize = 16;

/// Everything that joins what must not be joined, one sentence each.
///
/// # Errors
/// If the database can't be read.
pub fn forbidden(database: &Database) -> Outcome<Vec<String>> {
    let cells = database.cells()?;
    let addresses = database.addresses()?;
    let mut found = shared_values(&cells);
    found.extend(values_of_two_queues(&cells, &addresses));
    found.extend(inside_of_others(&cells));
    Ok(found)
}

/// Equal values in columns of different tables, but for the ways that are meant.
fn shared_values(cells: &[Cell]) -> Vec<String> {
    let mut places: HashMap<&[u8], BTreeSet<(&str, &str)>> = HashMap::new();
    for cell in cells {
        places
            .entry(&cell.value)
            .or_default()
            .insert((&cell.table, &cell.column));
    }
    let meant = [&QUEUE[..], &SEALING_KEY[..], &ADDRESS[..]];
    let mut found = BTreeSet::new();
    for shared in places.values().filter(|places| places.len() > 1) {
        let allowed = meant
            .iter()
            .any(|ways| shared.iter().all(|place| ways.contains(place)));
        if !allowed {
            let names: Vec<_> = shared
                .iter()
                .map(|(table, column)| format!("{table}.{column}"))
                .collect();
            found.insert(format!("the same value stands in {}", names.join(" and ")));
        }
    }
    found.into_iter().collect()
}

/// Values, a queue's id or address apart, that stand in rows of two queues.
fn values_of_two_queues(cells: &[Cell], addresses: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<String> {
    // Which queues each row belongs to, by the ids and addresses in it.
    let mut owners: HashMap<(&str, usize), BTreeSet<&[u8]>> = HashMap::new();
    for cell in cells {
        let place = (cell.table.as_str(), cell.column.as_str());
        let queue = if QUEUE.contains(&place) {
            Some(cell.value.as_slice())
        } else if ADDRESS.contains(&place) {
            addresses.get(&cell.value).map(Vec::as_slice)
        } else {
            None
        };
        if let Some(queue) = queue {
            owners
                .entry((&cell.table, cell.row))
                .or_default()
                .insert(queue);
        }
    }
    let mut found = BTreeSet::new();
    for ((table, _), queues) in &owners {
        if queues.len() > 1 {
            found.insert(format!(
                "a row of {table} belongs to {} queues",
                queues.len()
            ));
        }
    }
    let mut users: HashMap<&[u8], BTreeSet<&[u8]>> = HashMap::new();
    for cell in cells {
        if let Some(queues) = owners.get(&(cell.table.as_str(), cell.row)) {
            users.entry(&cell.value).or_default().extend(queues);
        }
    }
    for cell in cells {
        if users
            .get(cell.value.as_slice())
            .is_some_and(|queues| queues.len() > 1)
        {
            found.insert(format!(
                "a value of {}.{} stands in rows of two queues",
                cell.table, cell.column
            ));
        }
    }
    found.into_iter().collect()
}

/// Channel ids, queue ids and addresses that stand inside longer values anywhere.
fn inside_of_others(cells: &[Cell]) -> Vec<String> {
    let mut names: HashMap<&[u8; LONG], (&str, &str)> = HashMap::new();
    for cell in cells {
        let names_something =
            ["channels", "queues", "addresses", "blobs"].contains(&cell.table.as_str());
        if names_something
            && cell.column != "signing_key"
            && let Some(start) = cell.value.first_chunk()
        {
            names.insert(start, (&cell.table, &cell.column));
        }
    }
    let mut found = BTreeSet::new();
    for cell in cells {
        for (at, window) in cell.value.windows(LONG).enumerate().skip(1) {
            if let Some((table, column)) = window.first_chunk().and_then(|window| names.get(window))
            {
                found.insert(format!(
                    "{table}.{column} stands inside {}.{} at byte {at}",
                    cell.table, cell.column
                ));
            }
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(table: &str, column: &str, row: usize, value: &[u8]) -> Cell {
        Cell {
            table: table.to_owned(),
            column: column.to_owned(),
            row,
            value: value.to_vec(),
        }
    }

    #[test]
    fn a_channel_that_points_at_a_queue_is_noticed() {
        let cells = [
            cell("queues", "queue_id", 0, &[1; 16]),
            cell("items", "queue_id", 0, &[1; 16]),
            cell("channels", "channel_hash", 0, &[9; 32]),
        ];
        assert!(shared_values(&cells).is_empty());
        let mut more = Vec::from(cells);
        more.push(cell("channels", "listener", 0, &[1; 16]));
        assert_eq!(shared_values(&more).len(), 1);
        let inside = [
            cell("channels", "channel_hash", 0, &[9; 32]),
            cell(
                "items",
                "sealed",
                0,
                &[[7; 8].as_slice(), &[9; 32]].concat(),
            ),
        ];
        assert!(!inside_of_others(&inside).is_empty());
    }

    #[test]
    fn a_value_that_two_queues_share_is_noticed() {
        let cells = [
            cell("items", "queue_id", 0, &[1; 16]),
            cell("items", "group", 0, &[5; 16]),
            cell("items", "queue_id", 1, &[2; 16]),
            cell("items", "group", 1, &[6; 16]),
        ];
        assert!(values_of_two_queues(&cells, &BTreeMap::new()).is_empty());
        let mut shared = Vec::from(cells);
        shared[3].value = vec![5; 16];
        assert_eq!(values_of_two_queues(&shared, &BTreeMap::new()).len(), 1);
    }
}
