//! What of the store a backup holds, column by column, and in which block each row stands.
//!
//! Blocks are `account`, `chat/N` (conversations.id), `messages/N` and `actions/N` (ids divided by [`BUCKET`]), so that a change touches
//! few of them. [`block`](super::block) reads them.
//!
//! What must stay true: every table of the store is either here or in [`LEFT_OUT`]; a column, once here, keeps its meaning.

/// Messages, or actions, of one block.
pub(crate) const BUCKET: i64 = 512;

/// Which block rows stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Account,
    Chat,
    Messages,
    Actions,
}

/// A table, the columns that are taken, and how: an empty expression is the column itself. Rows are those of `rows`, in which `?1` is the
/// part's number (a conversation, or the first of a bucket's ids), `?2` the first id of the next bucket, and `?3` whether files go along.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) part: Part,
    pub(super) columns: &'static [(&'static str, &'static str)],
    pub(super) rows: &'static str,
}

impl Table {
    /// The names of its columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.columns.iter().map(|(name, _)| *name)
    }
}

/// Conversations that are in a backup: not what is being begun, and not what waits to be accepted.
pub(super) const CHATS: &str =
    "SELECT id FROM conversations WHERE state <> 1 AND request = 0 AND link = 0";

macro_rules! columns {
    ($($name:literal $(= $expression:literal)?),* $(,)?) => { &[$(($name, concat!($($expression)?))),*] };
}

/// All of them, in the order in which they are restored.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "names",
        part: Part::Account,
        columns: columns!["account_id", "name"],
        rows: "names ORDER BY account_id",
    },
    Table {
        name: "profiles",
        part: Part::Account,
        columns: columns!["account_id", "name", "picture", "as_it_came", "stamp"],
        // Nobody's who waits to be accepted.
        rows: "profiles WHERE as_it_came = 0 ORDER BY account_id",
    },
    Table {
        name: "contacts",
        part: Part::Account,
        columns: columns!["account_id", "name", "verified", "conversation", "state", "added_at_ms"],
        rows: "contacts WHERE state = 2 AND conversation IN (SELECT id FROM conversations WHERE state <> 1 AND request = 0) ORDER BY account_id",
    },
    Table {
        name: "people",
        part: Part::Account,
        columns: columns!["account_id", "blocked", "read_receipts", "accepted"],
        rows: "people ORDER BY account_id",
    },
    Table {
        name: "other_accounts",
        part: Part::Account,
        columns: columns!["account_id", "known", "noticed_at_ms"],
        rows: "other_accounts ORDER BY account_id",
    },
    Table {
        name: "settings",
        part: Part::Account,
        columns: columns!["name", "value"],
        // Not what says how this home is set up: a restored one has neither a duress passphrase nor heartbeats. And not the phrase that opens it.
        rows: "settings WHERE name NOT IN ('protection.duress', 'protection.heartbeats', 'heartbeat.told_s') AND substr(name, 1, 7) <> 'phrase.' ORDER BY name",
    },
    Table {
        name: "reports",
        part: Part::Account,
        columns: columns!["id", "report_id", "account_id", "name", "content", "created_at_ms"],
        rows: "reports ORDER BY id",
    },
    Table {
        // Contacts, people, settings, chats, drafts, what was read and deleted, the own profile: not the devices, and not their key.
        name: "shared",
        part: Part::Account,
        columns: columns!["key", "value", "stamp", "device", "told" = "0"],
        rows: "shared WHERE substr(key, 1, 1) IN (x'63', x'70', x'67', x'73', x'64', x'72', x'78', x'66') ORDER BY key",
    },
    Table {
        name: "conversations",
        part: Part::Chat,
        columns: columns![
            "id",
            "group_id",
            "kind",
            "name",
            "state",
            "peer",
            "epoch",
            "generation",
            "moves",
            "channel_id",
            "channel_made",
            "top_number",
            "address" = "0",
            "next_counter" = "1",
            "link" = "0",
            "leaving" = "0",
            "read_up_to",
            "created_at_ms",
            "changed_at_ms",
            "timer_s",
            "server",
        ],
        rows: "conversations WHERE id = ?1",
    },
    Table {
        name: "members",
        part: Part::Chat,
        columns: columns![
            "conversation",
            "leaf",
            "account_id",
            "device_id",
            "name",
            "role",
            "address",
            "resync_key",
            "server"
        ],
        rows: "members WHERE conversation = ?1 ORDER BY leaf",
    },
    Table {
        name: "old_channels",
        part: Part::Chat,
        columns: columns!["conversation", "channel_hash", "generation", "top_number", "epoch"],
        rows: "old_channels WHERE conversation = ?1 ORDER BY channel_hash",
    },
    Table {
        name: "device_counters",
        part: Part::Chat,
        columns: columns!["conversation", "device", "top"],
        rows: "device_counters WHERE conversation = ?1 ORDER BY device",
    },
    Table {
        name: "rules",
        part: Part::Chat,
        columns: columns!["conversation", "generation", "number", "settings"],
        rows: "rules WHERE conversation = ?1 ORDER BY generation, number",
    },
    Table {
        name: "chat_settings",
        part: Part::Chat,
        columns: columns![
            "conversation",
            "muted_until_ms",
            "archived",
            "pinned_at_ms",
            "read_receipts",
            "draft",
            "draft_reply_to"
        ],
        rows: "chat_settings WHERE conversation = ?1",
    },
    Table {
        name: "reactions",
        part: Part::Chat,
        columns: columns!["conversation", "target", "sender", "text", "position"],
        rows: "reactions WHERE conversation = ?1 ORDER BY target, sender, text",
    },
    Table {
        name: "pins",
        part: Part::Chat,
        columns: columns!["conversation", "target", "by_account", "pinned_at_ms"],
        rows: "pins WHERE conversation = ?1 ORDER BY target",
    },
    Table {
        // What has not gone out stays behind: only this device could send it.
        name: "messages",
        part: Part::Messages,
        columns: columns![
            "id",
            "conversation",
            "message_id",
            "sender",
            "device",
            "kind",
            "state",
            "generation",
            "number",
            "counter",
            // A file that may be opened once is not opened from a backup as well.
            "content" = "CASE view_once WHEN 1 THEN x'' ELSE content END",
            "text",
            "markdown",
            "reply_to",
            "sent_at_ms",
            "received_at_ms",
            "delivered_at_ms",
            "seen_at_ms",
            "gone",
            "edits",
            "edited_at_ms",
            "view_once" = "CASE view_once WHEN 0 THEN 0 ELSE 2 END",
            "forwarded",
            "notice",
        ],
        rows: "messages WHERE id >= ?1 AND id < ?2 AND generation <> 4294967295 ORDER BY id",
    },
    Table {
        // The end of a countdown as a moment: another home has another age. Whole seconds, so that it does not seem to change.
        name: "timers",
        part: Part::Messages,
        columns: columns![
            "message",
            "after_ms",
            "at_ms",
            "ends_at_ms" = "CASE due_age_ms WHEN 0 THEN 0 ELSE ((SELECT wall_ms - age_ms FROM age) + due_age_ms) / 1000 * 1000 END",
        ],
        rows: "timers WHERE message >= ?1 AND message < ?2 ORDER BY message",
    },
    Table {
        name: "receipts",
        part: Part::Messages,
        columns: columns!["message", "account_id", "delivered_at_ms", "read_at_ms"],
        rows: "receipts WHERE message >= ?1 AND message < ?2 ORDER BY message, account_id",
    },
    Table {
        name: "message_files",
        part: Part::Messages,
        columns: columns![
            "message",
            "position",
            "attachment" = "CASE WHEN ?3 AND EXISTS (SELECT 1 FROM attachments a WHERE a.id = attachment AND a.state = 3) THEN attachment ELSE x'' END",
            "name",
            "content_type",
            "size",
            "width",
            "height",
            "duration_ms",
            "waveform",
            "preview",
        ],
        rows: "message_files WHERE message >= ?1 AND message < ?2 AND message NOT IN (SELECT id FROM messages WHERE view_once <> 0 AND id >= ?1 AND id < ?2)
            ORDER BY message, position",
    },
    Table {
        name: "attachments",
        part: Part::Messages,
        columns: columns![
            "id",
            "direction",
            "state",
            "blob_id",
            "key",
            "nonce",
            "rest_key",
            "rest_nonce",
            "content_hash",
            "size",
            "file_name",
            "failure",
            "created_at_ms"
        ],
        rows: "attachments WHERE ?3 AND state = 3 AND id IN (SELECT f.attachment FROM message_files f JOIN messages m ON m.id = f.message
            WHERE f.message >= ?1 AND f.message < ?2 AND m.view_once = 0) ORDER BY id",
    },
    Table {
        name: "actions",
        part: Part::Actions,
        columns: columns![
            "id",
            "conversation",
            "message_id",
            "sender",
            "device",
            "kind",
            "target",
            "replaces",
            "generation",
            "number",
            "counter",
            "content",
            "sent_at_ms"
        ],
        rows: "actions WHERE id >= ?1 AND id < ?2 AND generation <> 4294967295 ORDER BY id",
    },
];

/// Tables that no backup holds: keys, MLS state, what is on its way, and what another device would not know what to do with.
#[cfg(test)]
pub(crate) const LEFT_OUT: &[&str] = &[
    "absent",
    "account",
    "addresses",
    "address_names",
    "adds",
    "age",
    "alarm_contacts",
    "alarms",
    "alarms_of",
    "announcements",
    "automatic_sent",
    "backup_blocks",
    "backups",
    "behind",
    "came_by_themselves",
    "clock",
    "commits",
    "custodians",
    "departures",
    "downloads",
    "device_checks",
    "devices",
    "early",
    "early_welcomes",
    "fetches",
    "gaps",
    "held_items",
    "history_out",
    "intents",
    "invites",
    "invites_told",
    "join_requests",
    "joining",
    "joins",
    "kill",
    "key_packages",
    "leave_wishes",
    "linking",
    "links",
    "member_since",
    "misses",
    "outbox",
    "pools",
    "profile_due",
    "profile_told",
    "proofs",
    "queue_keys",
    "receipts_due",
    "refused_helpers",
    "resync_seen",
    "resyncs",
    "searchable",
    "send_attempts",
    "sends",
    "sent_again",
    "server",
    "server_keys",
    "spare_items",
    "spare_welcomes",
    "strangers",
    "stuck",
    "takes",
    "token_keys",
    "tokens",
];
