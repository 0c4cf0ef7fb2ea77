-- The silent alarm under duress. Rules as in 0003.

-- Alarms that go out from this store. They are put into a decoy when it is made; a row goes once its alarm was taken.
CREATE TABLE alarms (
    id         INTEGER NOT NULL PRIMARY KEY,
    server     TEXT    NOT NULL,                                     -- host:port+pin, where the contact's queues are
    seed       BLOB    NOT NULL CHECK (length(seed) = 32),           -- the addresses come from it
    signer     BLOB    NOT NULL CHECK (length(signer) = 32),         -- Ed25519 seed
    generation BLOB    NOT NULL CHECK (length(generation) = 32),
    given_s    INTEGER NOT NULL                                      -- when the duress passphrase was given, Unix seconds; 0: it was not
) STRICT;

-- Contacts whom this device has told how its alarm reaches them.
CREATE TABLE alarm_contacts (
    account_id BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32)
) STRICT, WITHOUT ROWID;

-- Alarms of contacts that this device takes: what was agreed, as it came, and the address that this device has for it.
CREATE TABLE alarms_of (
    account_id BLOB    NOT NULL CHECK (length(account_id) = 32),
    device     BLOB    NOT NULL CHECK (length(device) = 16),         -- of theirs
    agreement  BLOB    NOT NULL,
    number     INTEGER NOT NULL,                                     -- which of the seed's addresses is tried, or held
    address    INTEGER NOT NULL,                                     -- addresses.id; 0: none any more
    PRIMARY KEY (account_id, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarms_of_by_address ON alarms_of (address) WHERE address > 0;
