-- Coming back: what a device was before it was let in again, until the state it was given has proven itself. Rules as in 0003.

CREATE TABLE proofs (
    conversation  INTEGER NOT NULL PRIMARY KEY,
    since_ms      INTEGER NOT NULL,
    way           INTEGER NOT NULL CHECK (way IN (1, 2)), -- own commit on the known channel, another member's word
    helper        BLOB    NOT NULL,                     -- device that let this one in
    account       BLOB    NOT NULL,                     -- whose it is
    came_generation INTEGER NOT NULL,                   -- where the Welcome said that the channel stood
    came_number   INTEGER NOT NULL,
    -- As in conversations, of before.
    epoch         INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    moves         INTEGER NOT NULL,
    channel_id    BLOB    NOT NULL CHECK (length(channel_id) = 32),
    channel_made  INTEGER NOT NULL CHECK (channel_made IN (0, 1)),
    top_number    INTEGER NOT NULL,
    address       INTEGER NOT NULL
) STRICT;

-- Whose answers were refused: for a while no other one of theirs is taken.
CREATE TABLE refused_helpers (
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,
    at_ms         INTEGER NOT NULL,
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

-- Further answers that came while one is being proven.
CREATE TABLE spare_welcomes (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    landing       INTEGER NOT NULL,                     -- the address they came to
    bundle        BLOB    NOT NULL                      -- Welcome
) STRICT;

-- Items that do not fit the state or channel of now, and will if it turns out to be another one. Columns as in held_items.
CREATE TABLE spare_items (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    address       INTEGER NOT NULL,
    kind          INTEGER NOT NULL,
    channel_hash  BLOB    NOT NULL,
    number        INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    next_lock     BLOB    NOT NULL,
    payload       BLOB    NOT NULL,
    blob_hash     BLOB    NOT NULL,
    received_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX spare_items_by_conversation ON spare_items (conversation, id);
