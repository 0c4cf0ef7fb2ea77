-- Several devices of one account. Rules as in 0003.

-- 1: another device of this account took this one out of it.
ALTER TABLE account ADD COLUMN removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1));

-- The account's devices, this one included. Those that were removed stay, so that no late message brings one back.
CREATE TABLE devices (
    device_id     BLOB    NOT NULL PRIMARY KEY CHECK (length(device_id) = 16),
    name          TEXT    NOT NULL,
    pool_secret   BLOB    NOT NULL CHECK (length(pool_secret) IN (0, 32)), -- address of its key packages; empty: not known
    kp_key        BLOB    NOT NULL CHECK (length(kp_key) IN (0, 32)),      -- opens them
    state         INTEGER NOT NULL CHECK (state IN (1, 2)),                -- in use, removed
    added_at_ms   INTEGER NOT NULL,
    stale         INTEGER NOT NULL DEFAULT 0 CHECK (stale IN (0, 1))       -- removed without a new device-signing key
) STRICT, WITHOUT ROWID;

-- Conversations to be looked at: is every device of this account in it, and none that was removed?
CREATE TABLE device_checks (
    conversation  INTEGER NOT NULL PRIMARY KEY,
    not_before_ms INTEGER NOT NULL
) STRICT;

-- What the account's devices have in common: the entry with the highest (stamp, device) of a key counts, on all of them.
CREATE TABLE shared (
    key           BLOB    NOT NULL PRIMARY KEY,
    value         BLOB    NOT NULL,
    stamp         INTEGER NOT NULL,
    device        BLOB    NOT NULL,                     -- who set it
    told          INTEGER NOT NULL CHECK (told IN (0, 1)) -- the other devices were told, or told this one
) STRICT, WITHOUT ROWID;
CREATE INDEX shared_untold ON shared (told) WHERE told = 0;

-- This device links another one: at most one row.
CREATE TABLE linking (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    state         INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6), -- to be offered, offered, compare, confirmed here, to be provisioned, provisioned
    code          TEXT    NOT NULL,                     -- as it was given
    private       BLOB    NOT NULL,                     -- this pairing's keys, and the new device's
    public        BLOB    NOT NULL,
    nonce         BLOB    NOT NULL,
    peer_public   BLOB    NOT NULL,                     -- empty: not revealed yet
    peer_nonce    BLOB    NOT NULL,
    transcript    BLOB    NOT NULL,
    reply         INTEGER NOT NULL,                     -- the address where the new device answers
    answer        BLOB    NOT NULL,                     -- its answer secret; empty: not confirmed there yet
    invitation    BLOB    NOT NULL,                     -- code for its queue; empty: not made yet
    invitation_told INTEGER NOT NULL CHECK (invitation_told IN (0, 1)),
    name          TEXT    NOT NULL,                     -- of the new device
    history       INTEGER NOT NULL CHECK (history IN (0, 1)),
    failure       TEXT    NOT NULL,                     -- code of what ended it; empty: under way
    expires_at_ms INTEGER NOT NULL
) STRICT;

-- This home is being linked to an account: at most one row.
CREATE TABLE joining (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    state         INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5), -- shown, revealing, compare, confirmed, provisioned
    code          TEXT    NOT NULL,
    name          TEXT    NOT NULL,                     -- of this device
    proxy         TEXT    NOT NULL,                     -- host:port, or empty
    queue_id      BLOB    NOT NULL,                     -- the temporary queue
    queue_key     BLOB    NOT NULL,
    queue_private BLOB    NOT NULL,
    queue_public  BLOB    NOT NULL,
    registered    INTEGER NOT NULL CHECK (registered IN (0, 1)),
    position      INTEGER NOT NULL,
    private       BLOB    NOT NULL,                     -- this pairing's keys, and the old device's
    public        BLOB    NOT NULL,
    nonce         BLOB    NOT NULL,
    peer_public   BLOB    NOT NULL,
    peer_nonce    BLOB    NOT NULL,
    reply         BLOB    NOT NULL,                     -- address secret of the old device
    transcript    BLOB    NOT NULL,
    answer        BLOB    NOT NULL,
    ready         INTEGER NOT NULL CHECK (ready IN (0, 1)), -- the old device was told that key packages wait
    wanted        INTEGER NOT NULL,                     -- the account's conversations
    failure       TEXT    NOT NULL,
    expires_at_ms INTEGER NOT NULL
) STRICT;

-- Intents of more kinds: 30 adds a device of this account, 31 removes one; the program says which there are.
CREATE TABLE intents_of_devices (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    kind          INTEGER NOT NULL CHECK (kind > 0),
    subject       BLOB    NOT NULL,                     -- account, device, name or request, by kind
    value         INTEGER NOT NULL,                     -- role
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)), -- waits, staged, waits for key packages
    not_before_ms INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO intents_of_devices SELECT id, conversation, kind, subject, value, state, not_before_ms, attempts, created_at_ms FROM intents;
DROP TABLE intents;
ALTER TABLE intents_of_devices RENAME TO intents;
CREATE INDEX intents_by_conversation ON intents (conversation, id);
DELETE FROM takes WHERE purpose = 2 AND reference NOT IN (SELECT id FROM intents);
