-- What waits for other servers, in the order in which it was accepted. `server` is host:port+pin; `sealed` opens with that server's key only.
CREATE TABLE parcels (
    server TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (server, sequence)
) STRICT, WITHOUT ROWID;

-- Parcels that other servers brought, so that one that comes again counts once: a hash of who brought it and of its random id.
CREATE TABLE brought_parcels (
    parcel_hash BLOB NOT NULL PRIMARY KEY,
    last_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether it was made by somebody who paid with this server's tokens: only such a channel gives guests an allowance. All until now were.
ALTER TABLE channels ADD COLUMN hosted INTEGER NOT NULL DEFAULT 1;
