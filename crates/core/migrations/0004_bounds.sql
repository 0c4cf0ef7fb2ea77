-- What the engine remembers so that nothing is waited for, answered or kept without a limit. Rules as in 0003.

-- The latest moment this store knew. A clock that shows an earlier one was put right: times that lie ahead of it become that moment.
CREATE TABLE clock (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    latest_ms     INTEGER NOT NULL
) STRICT;
INSERT INTO clock (id, latest_ms) VALUES (1, 0);

-- Members' devices that the server said a send did not reach, since one last did.
CREATE TABLE misses (
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,
    since_ms      INTEGER NOT NULL,
    times         INTEGER NOT NULL,
    told          INTEGER NOT NULL CHECK (told IN (0, 1)), -- a line says so
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

-- How often a send did not reach the addresses that are left of it. No row: never.
CREATE TABLE send_attempts (
    send          INTEGER NOT NULL PRIMARY KEY,         -- sends.id
    missed        INTEGER NOT NULL
) STRICT;

-- What was sent again for a device that missed it, so that asking without end costs nothing.
CREATE TABLE sent_again (
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,                     -- who asked
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL,
    PRIMARY KEY (conversation, device, generation, number)
) STRICT, WITHOUT ROWID;
