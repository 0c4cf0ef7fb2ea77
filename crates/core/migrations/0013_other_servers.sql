-- Other servers: `host:port+pin`, or empty for this account's own.
ALTER TABLE conversations ADD COLUMN server TEXT NOT NULL DEFAULT '';   -- whose channel orders it
ALTER TABLE members ADD COLUMN server TEXT NOT NULL DEFAULT '';         -- of the device's address
ALTER TABLE takes ADD COLUMN server TEXT NOT NULL DEFAULT '';           -- where the pools are
ALTER TABLE fetches ADD COLUMN server TEXT NOT NULL DEFAULT '';         -- where the blob is
ALTER TABLE sends ADD COLUMN servers TEXT NOT NULL DEFAULT '';          -- of each address, a line each; empty: all this account's own

-- What other servers are sealed to, as they signed it.
CREATE TABLE server_keys (
    pin           BLOB    NOT NULL PRIMARY KEY CHECK (length(pin) = 32),
    key           BLOB    NOT NULL,
    fetched_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
