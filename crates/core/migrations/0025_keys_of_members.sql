-- Who is in a conversation, and who was. Rules as in 0003.

-- What members sign with: a device is known by that, and not by its id alone (sync/siblings.rs). Empty: not read since this step.
ALTER TABLE members ADD COLUMN key BLOB NOT NULL DEFAULT x'';

-- Devices that were taken out of a conversation, and where: what they said before that may come afterwards (sync/departures.rs).
CREATE TABLE departures (
    conversation  INTEGER NOT NULL,
    account_id    BLOB    NOT NULL,
    device_id     BLOB    NOT NULL,
    epoch         INTEGER NOT NULL,                     -- the first one without it
    generation    INTEGER NOT NULL,                     -- where the change stood
    number        INTEGER NOT NULL,
    PRIMARY KEY (conversation, account_id, device_id)
) STRICT, WITHOUT ROWID;

-- Devices in conversations of this account that say that they are its own, and that no device of it has told of (sync/siblings.rs).
CREATE TABLE strangers (
    device_id     BLOB    NOT NULL PRIMARY KEY,
    since_ms      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
