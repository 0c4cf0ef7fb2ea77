-- What people do to messages: new versions, deletions, reactions. What a message looks like follows from the rows here, whatever
-- order they came in.

CREATE TABLE actions (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    message_id    BLOB    NOT NULL CHECK (length(message_id) = 32),  -- its own MIMI id
    sender        BLOB    NOT NULL,
    device        BLOB    NOT NULL,
    kind          INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),     -- edit, delete, reaction, pin, unpin
    target        BLOB    NOT NULL CHECK (length(target) = 32),      -- a message; of a delete, also a reaction
    replaces      BLOB    NOT NULL,                                  -- of a reaction: the one it takes the place of; empty: none
    generation    INTEGER NOT NULL,                                  -- 4294967295 while in the outbox
    number        INTEGER NOT NULL,
    counter       INTEGER NOT NULL,                                  -- of the sender's device
    content       BLOB    NOT NULL,                                  -- MIMI content as sent; of what is deleted, what stands in its place
    sent_at_ms    INTEGER NOT NULL,
    UNIQUE (conversation, sender, message_id)
) STRICT;
CREATE INDEX actions_by_target ON actions (conversation, target);
CREATE INDEX actions_by_place ON actions (conversation, generation, number);
CREATE INDEX actions_by_counter ON actions (conversation, device, counter);

-- Reactions as they stand: one row for each person, message and text.
CREATE TABLE reactions (
    conversation  INTEGER NOT NULL,
    target        BLOB    NOT NULL CHECK (length(target) = 32),
    sender        BLOB    NOT NULL,
    text          TEXT    NOT NULL,
    position      INTEGER NOT NULL,                                  -- order among the message's reactions
    PRIMARY KEY (conversation, target, sender, text)
) STRICT, WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1, 2, 3)); -- 1 deleted for everyone, 2 deleted here, 3 its time was over
ALTER TABLE messages ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;                          -- versions after the first
ALTER TABLE messages ADD COLUMN edited_at_ms INTEGER NOT NULL DEFAULT 0;                   -- when the last one was written; 0: never

ALTER TABLE outbox ADD COLUMN action INTEGER NOT NULL DEFAULT 0;                           -- actions.id; 0: none
-- Messages that disappear.

-- How long this store has lived, as far as it can tell: a count that no clock can turn back.
CREATE TABLE age (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    age_ms        INTEGER NOT NULL,
    wall_ms       INTEGER NOT NULL                                   -- what the system's clock said then; 0: never looked
) STRICT;
INSERT INTO age (id, age_ms, wall_ms) VALUES (1, 0, 0);

CREATE TABLE timers (
    message       INTEGER NOT NULL PRIMARY KEY,                      -- messages.id
    after_ms      INTEGER NOT NULL,                                  -- once it was read; 0: at a moment
    at_ms         INTEGER NOT NULL,                                  -- that moment by the system's clock; 0: none
    due_age_ms    INTEGER NOT NULL                                   -- 0: the countdown has not begun
) STRICT;
CREATE INDEX timers_by_due ON timers (due_age_ms) WHERE due_age_ms > 0;

ALTER TABLE conversations ADD COLUMN timer_s INTEGER NOT NULL DEFAULT 0; -- of new messages, as the group has it; 0: they stay
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
-- Messages that are pinned in a chat, for all who are in it.
CREATE TABLE pins (
    conversation  INTEGER NOT NULL,
    target        BLOB    NOT NULL CHECK (length(target) = 32),
    by_account    BLOB    NOT NULL,
    pinned_at_ms  INTEGER NOT NULL,
    PRIMARY KEY (conversation, target)
) STRICT, WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN view_once INTEGER NOT NULL DEFAULT 0 CHECK (view_once IN (0, 1, 2)); -- 1 its files may be opened once, 2 they were
ALTER TABLE messages ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0 CHECK (forwarded IN (0, 1));

-- For counting: few messages are gone.
CREATE INDEX messages_gone ON messages (conversation, id, sender) WHERE gone <> 0;

-- An answer can get lost as its question can: what is missing is asked for more than once.
ALTER TABLE gaps ADD COLUMN asks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sent_again ADD COLUMN times INTEGER NOT NULL DEFAULT 1;

-- Tokens of a key that the inbox is not shown now are kept a while, unused.
ALTER TABLE token_keys ADD COLUMN shown INTEGER NOT NULL DEFAULT 1 CHECK (shown IN (0, 1));
