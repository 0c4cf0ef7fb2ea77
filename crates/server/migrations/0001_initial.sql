-- Every table is STRICT. Names are random ids or hashes; the only times are UTC day numbers (days since 1970-01-01),
-- but for the expiry that an administrator gave an invitation. No table joins a channel to a queue, or two queues to
-- each other; `addresses` joins a queue to its own addresses.

-- Small records of the server itself: `incarnation` and whatever the gateway keeps.
CREATE TABLE server_records (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE queues (
    queue_id BLOB NOT NULL PRIMARY KEY,
    signing_key BLOB NOT NULL,
    hpke_key BLOB NOT NULL,
    hpke_key_day INTEGER NOT NULL,
    last_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Every sequence below `floor` has been given out and is gone. Apart from `queues` because it changes often and is small.
CREATE TABLE queue_floors (
    queue_id BLOB NOT NULL PRIMARY KEY,
    floor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token_allowances (
    queue_id BLOB NOT NULL PRIMARY KEY,
    day INTEGER NOT NULL,
    issued INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE items (
    queue_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    nonce INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (queue_id, sequence)
) STRICT, WITHOUT ROWID;

-- A sealing key, sealed to the queue's owner. `first_sequence` is that of the first item it could have sealed.
CREATE TABLE sealing_keys (
    queue_id BLOB NOT NULL,
    key_id BLOB NOT NULL,
    first_sequence INTEGER NOT NULL,
    enc BLOB NOT NULL,
    sealed BLOB NOT NULL,
    hpke_key_day INTEGER NOT NULL,
    PRIMARY KEY (queue_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE addresses (
    address_hash BLOB NOT NULL PRIMARY KEY,
    queue_id BLOB NOT NULL,
    kind INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX addresses_of_queue ON addresses (queue_id);

-- Old names in their grace. Emptied minutes after.
CREATE TABLE renamed_addresses (
    old_hash BLOB NOT NULL PRIMARY KEY,
    new_hash BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- With a random integer key, because rows of 4 KiB are stored compactly in such a table only.
CREATE TABLE key_packages (
    random_key INTEGER NOT NULL PRIMARY KEY,
    address_hash BLOB NOT NULL,
    key_package_id BLOB NOT NULL,
    last_resort INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX key_packages_of_address ON key_packages (address_hash, last_resort, key_package_id);

CREATE TABLE channels (
    channel_hash BLOB NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    lock BLOB NOT NULL,
    min_send_epoch INTEGER NOT NULL,
    next_number INTEGER NOT NULL,
    last_commit_hash BLOB,
    last_commit_number INTEGER NOT NULL,
    last_used_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    blob_hash BLOB NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    uploaded INTEGER NOT NULL,
    last_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
    code_hash BLOB NOT NULL PRIMARY KEY,
    uses INTEGER NOT NULL,
    expires_s INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE spent_tokens (
    token_hash BLOB NOT NULL PRIMARY KEY,
    last_day INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
