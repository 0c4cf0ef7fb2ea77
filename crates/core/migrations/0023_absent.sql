-- Conversations that another device of the account is in, and this one is not (sync/absent.rs).
CREATE TABLE absent (
    group_id      BLOB    NOT NULL PRIMARY KEY CHECK (length(group_id) = 16),
    since_ms      INTEGER NOT NULL,                     -- when it was noticed or last said, or this device came on-line since
    said          INTEGER NOT NULL                      -- how often this device has said so
) STRICT, WITHOUT ROWID;

-- Welcomes that can't be taken yet (sync/early_welcome.rs).
CREATE TABLE early_welcomes (
    id             INTEGER NOT NULL PRIMARY KEY,
    address        INTEGER NOT NULL,                     -- addresses.id, a key package's
    payload        BLOB    NOT NULL,
    blob_hash      BLOB    NOT NULL,                     -- empty: none
    received_at_ms INTEGER NOT NULL
) STRICT;

-- The devices tell each other where they are: each conversation is looked at once.
INSERT OR IGNORE INTO device_checks (conversation, not_before_ms) SELECT id, 0 FROM conversations
    WHERE state IN (1, 2) AND (SELECT count(*) FROM devices) > 1;

-- What was sent again for somebody was kept in full, and stayed when its message was deleted.
DELETE FROM automatic_sent WHERE instr(content, CAST('application/vnd.undertone.again' AS BLOB)) > 0;
