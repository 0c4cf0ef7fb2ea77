-- Files sent and received. The bytes lie as STREAM ciphertext under HOME/attachments/<file_name>; this
-- table holds the only copy of the keys they lie under. One row is one blob.
CREATE TABLE attachments (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    direction     INTEGER NOT NULL CHECK (direction IN (1, 2)),          -- 1 upload, 2 download
    state         INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),        -- 1 preparing, 2 waiting, 3 done, 4 failed, 5 removing
    blob_id       BLOB    NOT NULL CHECK (length(blob_id) = 32),
    key           BLOB    NOT NULL CHECK (length(key) = 32),             -- of the blob
    nonce         BLOB    NOT NULL CHECK (length(nonce) = 7),
    rest_key      BLOB    NOT NULL CHECK (length(rest_key) = 32),        -- of the file at rest
    rest_nonce    BLOB    NOT NULL CHECK (length(rest_nonce) = 7),
    content_hash  BLOB    NOT NULL CHECK (length(content_hash) = 32),    -- SHA-256 of the blob
    size          INTEGER NOT NULL CHECK (size >= 0),                    -- of the content, bytes
    file_name     TEXT    NOT NULL UNIQUE,                               -- random
    failure       TEXT    NOT NULL,                                      -- stable code, state 4 only
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX attachments_by_state ON attachments (state, created_at_ms);
