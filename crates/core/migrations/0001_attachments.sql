-- Files sent and received. The bytes are STREAM ciphertext under HOME/attachments/<file_name>; this
-- table holds the only copy of their keys. One row is one blob.
CREATE TABLE attachments (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    direction     INTEGER NOT NULL CHECK (direction IN (1, 2)),          -- 1 upload, 2 download
    state         INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4, 5)),     -- see attachments::State
    blob_id       BLOB    NOT NULL CHECK (length(blob_id) = 32),
    key           BLOB    NOT NULL CHECK (length(key) = 32),
    nonce         BLOB    NOT NULL CHECK (length(nonce) = 7),
    content_hash  BLOB    NOT NULL CHECK (length(content_hash) = 32),    -- SHA-256 of the plaintext
    size          INTEGER NOT NULL CHECK (size >= 0),                    -- of the plaintext, bytes
    transferred   INTEGER NOT NULL CHECK (transferred >= 0),             -- ciphertext bytes the other side confirmed
    file_name     TEXT    NOT NULL UNIQUE,                               -- random, under HOME/attachments
    failure       TEXT    NOT NULL,                                      -- stable code of the last failure, or ''
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX attachments_by_state ON attachments (state, created_at_ms);
