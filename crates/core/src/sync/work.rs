//! [`Work`]: one transaction with everything an event may need.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use rand::Rng as _;
use rusqlite::Connection;
use undertone_mls::{DeviceKeys, Group, GroupId, Provider, update_jitter_ms};

use super::{account::Me, change::Change};
use crate::{
    attachments::Attachments,
    client::SendingPace,
    error::{Reason, Result},
    store::Transaction,
};

/// One event's transaction, its moment, and what it will have to tell.
pub(crate) struct Work<'t> {
    /// The transaction.
    pub(crate) tx: &'t Transaction<'t>,
    /// Its connection.
    pub(crate) db: &'t Connection,
    /// MLS on the same transaction.
    pub(crate) mls: Provider<'t>,
    /// The files of messages.
    pub(crate) attachments: &'t Attachments,
    /// This account and device.
    pub(crate) me: &'t Me,
    /// Unix milliseconds.
    pub(crate) now_ms: i64,
    /// How long automatic things wait.
    pub(crate) pace: &'t SendingPace,
    /// A clock that only goes on, milliseconds.
    pub(crate) steady_ms: i64,
    /// By how much the other one was set since the last transaction of this run, milliseconds.
    pub(crate) set_by_ms: i64,
    /// Where that clock stood when the store began to live.
    pub(crate) ages: &'t OnceLock<i64>,
    /// Larger bodies go as blobs; what fits into an item goes inline whatever this says.
    pub(crate) inline_max: usize,
    pub(super) groups: RefCell<HashMap<GroupId, Group>>,
    pub(super) changes: RefCell<Vec<Change>>,
    pub(super) duties: Cell<bool>,
    pub(super) voided: RefCell<Vec<(i64, Reason)>>,
    pub(super) recertified: RefCell<Option<Arc<DeviceKeys>>>,
    pub(super) renamed: RefCell<Option<String>>,
    /// A group whose MLS state should be here and is not, or can't be read.
    pub(super) lost: Cell<Option<GroupId>>,
}

impl Work<'_> {
    /// Unix seconds.
    pub(crate) fn now_s(&self) -> u64 {
        u64::try_from(self.now_ms / 1000).unwrap_or(0)
    }

    /// One row, by a statement that is kept ready for the next time: for what is asked often.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        of: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.db.prepare_cached(sql)?.query_row(values, of)
    }

    /// Takes the conversations whose turn has come from a table that has one row for each, at most `most`.
    pub(crate) fn take_due(&self, table: &str, most: i64) -> Result<Vec<i64>> {
        let mut statement = self.db.prepare_cached(&format!(
            "DELETE FROM {table} WHERE conversation IN (
                SELECT conversation FROM {table} WHERE not_before_ms <= ?1 ORDER BY not_before_ms LIMIT ?2)
             RETURNING conversation"
        ))?;
        let rows = statement
            .query_map(rusqlite::params![self.now_ms, most], |row| row.get(0))?
            .collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(rows)
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        undertone_wire::ids::random_bytes()
    }

    /// When an automatic send may go: after a random wait, so that it can't be joined to what caused it.
    pub(crate) fn automatic_at(&self) -> i64 {
        let from = i64::try_from(self.pace.automatic_from.as_millis()).unwrap_or(0);
        let to = i64::try_from(self.pace.automatic_to.as_millis()).unwrap_or(0);
        self.now_ms + rand::rng().random_range(from..=to.max(from))
    }

    /// When this device may commit what any other member may commit as well: after a random wait that grows with the group, so that not all
    /// do it at once.
    pub(crate) fn member_turn_at(&self, members: usize) -> i64 {
        let each = u64::try_from(self.pace.update.as_millis()).unwrap_or(u64::MAX);
        let wait = update_jitter_ms(members, each, u64::from_be_bytes(self.random()));
        self.now_ms
            .saturating_add(i64::try_from(wait).unwrap_or(i64::MAX))
    }

    /// A wish (intents.id) comes to nothing: whoever waits for it hears why.
    pub(crate) fn void_wish(&self, wish: i64, why: Reason) {
        self.voided.borrow_mut().push((wish, why));
    }

    /// Tells watchers, once the transaction is on disk.
    pub(crate) fn tell(&self, change: Change) {
        let mut changes = self.changes.borrow_mut();
        if !changes.contains(&change) {
            changes.push(change);
        }
    }

    /// There may be something new to do for the driver.
    pub(crate) fn wake(&self) {
        self.duties.set(true);
    }

    /// What this device signs with, and its newest certificate.
    pub(crate) fn keys(&self) -> Arc<DeviceKeys> {
        match &*self.recertified.borrow() {
            Some(keys) => Arc::clone(keys),
            None => self.me.keys(),
        }
    }

    /// This device has a newer certificate: in this transaction at once, for others once it is on disk.
    pub(crate) fn recertified(&self, keys: DeviceKeys) {
        *self.recertified.borrow_mut() = Some(Arc::new(keys));
    }

    /// The account is called otherwise once it is on disk.
    pub(crate) fn renamed(&self, name: String) {
        *self.renamed.borrow_mut() = Some(name);
    }

    /// Runs `act` on a group. A group whose `act` failed is dropped from memory and read again the next time.
    pub(crate) fn group<T>(
        &self,
        id: &GroupId,
        act: impl FnOnce(&mut Group) -> Result<T>,
    ) -> Result<T> {
        let kept = self.groups.borrow_mut().remove(id);
        let mut group = match kept {
            Some(group) => group,
            None => self.load(id)?.ok_or(Reason::StateMissing)?,
        };
        let value = act(&mut group)?;
        self.groups.borrow_mut().insert(*id, group);
        Ok(value)
    }

    /// Whether MLS state of this group is here.
    pub(crate) fn has_group(&self, id: &GroupId) -> Result<bool> {
        if self.groups.borrow().contains_key(id) {
            return Ok(true);
        }
        let Some(group) = self.load(id)? else {
            return Ok(false);
        };
        self.keep(group);
        Ok(true)
    }

    /// MLS state of this group, if it is here and makes sense. What should be here and is not is noted, so that this device asks for help once
    /// this transaction is over, however it ends.
    fn load(&self, id: &GroupId) -> Result<Option<Group>> {
        let group = match Group::load(&self.mls, id) {
            Err(undertone_mls::Error::Corrupt(_)) => None,
            group => group?,
        };
        if group.is_none() {
            self.lost.set(Some(*id));
        }
        Ok(group)
    }

    /// Keeps a new group in memory.
    pub(crate) fn keep(&self, group: Group) {
        self.groups.borrow_mut().insert(*group.id(), group);
    }

    /// Drops a group's memory (its rows are the caller's business).
    pub(crate) fn drop_group(&self, id: &GroupId) {
        self.groups.borrow_mut().remove(id);
    }

    /// After a savepoint was rolled back what is in memory is worth nothing.
    pub(crate) fn forget_all_groups(&self) {
        self.groups.borrow_mut().clear();
    }

    /// Does one part of an event by itself: if it fails, what it changed is undone and the rest of the event goes on. What is wrong with the
    /// machine ends the event.
    pub(crate) fn apart<T>(&self, part: impl FnOnce() -> Result<T>) -> Result<Result<T>> {
        self.db.prepare_cached("SAVEPOINT part")?.execute([])?;
        let (changes, voided) = (self.changes.borrow().len(), self.voided.borrow().len());
        let duties = self.duties.get();
        let recertified = self.recertified.borrow().clone();
        let renamed = self.renamed.borrow().clone();
        let done = match part() {
            Err(error) if error.is_of_the_machine() => return Err(error),
            done => done,
        };
        if done.is_err() {
            self.forget_all_groups();
            self.changes.borrow_mut().truncate(changes);
            self.voided.borrow_mut().truncate(voided);
            // What fails each time would have itself tried again at once each time.
            self.duties.set(duties);
            *self.recertified.borrow_mut() = recertified;
            *self.renamed.borrow_mut() = renamed;
            self.db.prepare_cached("ROLLBACK TO part")?.execute([])?;
        }
        self.db.prepare_cached("RELEASE part")?.execute([])?;
        Ok(done)
    }

    /// The row id of the last insert.
    pub(crate) fn last_id(&self) -> i64 {
        self.db.last_insert_rowid()
    }
}
