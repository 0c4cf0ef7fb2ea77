-- Where this device goes because others say so, and what it fetches without being asked. Rules as in 0003.

-- Where the server was that gave its key: a pin alone leads nowhere (sync/elsewhere.rs). Empty: somebody else handed the key on.
ALTER TABLE server_keys ADD COLUMN origin TEXT NOT NULL DEFAULT '';

-- What came by itself from each person within a day (sync/downloads.rs).
CREATE TABLE came_by_themselves (
    account_id    BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32),
    since_ms      INTEGER NOT NULL,
    bytes         INTEGER NOT NULL                      -- of files that were noted to come, from then on
) STRICT, WITHOUT ROWID;
