-- What the owner of this account has set, drafts, and what is known of messages on their way.

CREATE TABLE settings (
    name           TEXT    NOT NULL PRIMARY KEY,
    value          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_settings (
    conversation   INTEGER NOT NULL PRIMARY KEY,
    muted_until_ms INTEGER NOT NULL DEFAULT 0,                       -- 0: not muted; 9223372036854775807: until it is ended
    archived       INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1)),
    pinned_at_ms   INTEGER NOT NULL DEFAULT 0,                       -- 0: not pinned
    read_receipts  INTEGER NOT NULL DEFAULT 0 CHECK (read_receipts IN (0, 1, 2)), -- as elsewhere, yes, no
    draft          TEXT    NOT NULL DEFAULT '',
    draft_reply_to BLOB    NOT NULL DEFAULT x''                      -- empty: none
) STRICT;

CREATE TABLE people (
    account_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32),
    blocked        INTEGER NOT NULL DEFAULT 0 CHECK (blocked IN (0, 1)),
    read_receipts  INTEGER NOT NULL DEFAULT 0 CHECK (read_receipts IN (0, 1, 2))
) STRICT, WITHOUT ROWID;

-- Receipts that others are still to be told, gathered for a while.
CREATE TABLE receipts_due (
    message        INTEGER NOT NULL PRIMARY KEY,                     -- messages.id
    conversation   INTEGER NOT NULL,
    status         INTEGER NOT NULL CHECK (status IN (1, 2)),        -- delivered, read
    at_ms          INTEGER NOT NULL
) STRICT;
CREATE INDEX receipts_due_by_time ON receipts_due (at_ms);

-- Receipts of others for this account's messages.
CREATE TABLE receipts (
    message        INTEGER NOT NULL,
    account_id     BLOB    NOT NULL CHECK (length(account_id) = 32),
    delivered_at_ms INTEGER NOT NULL,                                -- when it was told here; 0: not
    read_at_ms     INTEGER NOT NULL,
    PRIMARY KEY (message, account_id)
) STRICT, WITHOUT ROWID;
