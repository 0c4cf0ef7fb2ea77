-- What accounts say of themselves, this one's own included. Rules as in 0003.

-- The newest of an account's profile messages.
CREATE TABLE profiles (
    account_id BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32),
    name       TEXT    NOT NULL,
    picture    BLOB    NOT NULL,                                     -- JPEG; empty: none
    as_it_came INTEGER NOT NULL CHECK (as_it_came IN (0, 1)),        -- 1: not decoded yet, because its sender waits to be accepted
    stamp      INTEGER NOT NULL                                      -- of the account's devices: the highest counts
) STRICT;

-- Devices of others that this account's profile was sent to, and which one.
CREATE TABLE profile_told (
    device     BLOB    NOT NULL PRIMARY KEY CHECK (length(device) = 16),
    stamp      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Conversations in which somebody may lack it, and when that is looked at.
CREATE TABLE profile_due (
    conversation  INTEGER NOT NULL PRIMARY KEY,
    not_before_ms INTEGER NOT NULL
) STRICT;
