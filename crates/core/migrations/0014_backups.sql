-- Backups, and people who come with another account. Rules as in 0003.

-- What this account's backups are sealed to, signed by its root (undertone_mls::BackupKey); empty: not known on this device.
ALTER TABLE account ADD COLUMN backup_key BLOB NOT NULL DEFAULT x'';

-- Backups that this device made, or was restored from.
CREATE TABLE backups (
    set_id        BLOB    NOT NULL PRIMARY KEY CHECK (length(set_id) = 16),
    made_at_ms    INTEGER NOT NULL                      -- by this device, the last time; 0: never
) STRICT, WITHOUT ROWID;

-- What lies in them, so that a next run writes only what is new.
CREATE TABLE backup_blocks (
    set_id        BLOB    NOT NULL,
    name          TEXT    NOT NULL,
    hash          BLOB    NOT NULL CHECK (length(hash) = 32),        -- SHA-256 of what it holds
    file          TEXT    NOT NULL,
    run           BLOB    NOT NULL CHECK (length(run) = 16),
    length        INTEGER NOT NULL,
    sealed_hash   BLOB    NOT NULL CHECK (length(sealed_hash) = 32),
    rows          INTEGER NOT NULL,
    PRIMARY KEY (set_id, name)
) STRICT, WITHOUT ROWID;

-- Accounts that go by the name of a contact and are not that contact's: said until they are verified or accepted.
CREATE TABLE other_accounts (
    account_id    BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32),
    known         BLOB    NOT NULL CHECK (length(known) = 32),       -- the contact of that name
    noticed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE people ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)); -- the owner knows of this account
