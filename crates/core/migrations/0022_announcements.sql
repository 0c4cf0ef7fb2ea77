-- What the operator of this account's server tells everybody there. Rules as in 0003.
CREATE TABLE announcements (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    text        TEXT    NOT NULL,
    day         INTEGER NOT NULL,                                    -- on which it was made, days since 1970, as the server says
    until_day   INTEGER NOT NULL,                                    -- the last on which it is shown
    came_at_ms  INTEGER NOT NULL,
    dismissed   INTEGER NOT NULL CHECK (dismissed IN (0, 1)),        -- by the owner, on this device
    gone        INTEGER NOT NULL CHECK (gone IN (0, 1))              -- the server announces it no more
) STRICT, WITHOUT ROWID;
