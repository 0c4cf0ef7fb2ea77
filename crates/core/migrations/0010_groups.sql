-- What groups agreed on, since when.

-- Settings of the group (`undertone_group`) as of each change that this device took in, and the place from which on they held. What comes
-- by itself is judged by MLS state; this is for what is sent again, whose place may lie before a change.
CREATE TABLE rules (
    conversation  INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    settings      BLOB    NOT NULL,
    PRIMARY KEY (conversation, generation, number)
) STRICT, WITHOUT ROWID;

-- Said for a moment (typing) since this device last sent what is kept: others have to skip what is lost of it.
ALTER TABLE conversations ADD COLUMN ephemerals INTEGER NOT NULL DEFAULT 0;

-- People whom this account's owner does not know: what they write waits until they are accepted.
ALTER TABLE links ADD COLUMN ask INTEGER NOT NULL DEFAULT 0 CHECK (ask IN (0, 1));                 -- who comes by it is to be accepted first
ALTER TABLE conversations ADD COLUMN request INTEGER NOT NULL DEFAULT 0 CHECK (request IN (0, 1)); -- the other side is not accepted yet

-- What the owner kept about somebody, on this device only.
CREATE TABLE reports (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    report_id     BLOB    NOT NULL UNIQUE CHECK (length(report_id) = 8),
    account_id    BLOB    NOT NULL CHECK (length(account_id) = 32),
    name          TEXT    NOT NULL,
    content       TEXT    NOT NULL,                                  -- JSON
    created_at_ms INTEGER NOT NULL
) STRICT;

-- Links to groups that this device made: who has one may ask it to be let in.
CREATE TABLE invites (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    invite_id     BLOB    NOT NULL UNIQUE CHECK (length(invite_id) = 8),
    conversation  INTEGER NOT NULL,
    address       INTEGER NOT NULL,                                  -- where requests come
    secret        BLOB    NOT NULL,                                  -- 32; empty once it has ended
    expires_at_ms INTEGER NOT NULL,                                  -- 0: never
    uses_left     INTEGER NOT NULL,
    approve       INTEGER NOT NULL CHECK (approve IN (0, 1)),        -- whether somebody has to say yes to each
    state         INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4)),    -- open, used, expired, revoked
    created_at_ms INTEGER NOT NULL
) STRICT;

-- People who ask to be let in.
CREATE TABLE join_requests (
    conversation  INTEGER NOT NULL,
    account_id    BLOB    NOT NULL CHECK (length(account_id) = 32),
    invite        INTEGER NOT NULL,                                  -- invites.id
    name          TEXT    NOT NULL,
    key_package   BLOB    NOT NULL,
    asked_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (conversation, account_id)
) STRICT, WITHOUT ROWID;

-- Groups that this device asks to be let in to.
CREATE TABLE joins (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    account_id    BLOB    NOT NULL CHECK (length(account_id) = 32),  -- whose link it was: nobody else's Welcome counts
    link          TEXT    NOT NULL,                                  -- empty once it was sent
    landing       INTEGER NOT NULL,                                  -- addresses.id, where the Welcome comes
    send          INTEGER NOT NULL,                                  -- sends.id; 0: not sent
    failure       TEXT    NOT NULL,                                  -- empty: none
    conversation  INTEGER NOT NULL,                                  -- 0: not in yet
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX joins_by_landing ON joins (landing);
