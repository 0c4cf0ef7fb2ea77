-- What a queue's owner hears by, while locked, that something came: the hash of a secret that only that device has. `rung` is up to where
-- it has been rung, sealed to whoever holds the secret, and as long as it never was, random bytes: one can't be told from the other.
-- `last_day` is a fixed number of days after a sign-in, and so says no more than `last_day` in `queues`.
CREATE TABLE bells (
    queue_id BLOB NOT NULL PRIMARY KEY,
    bell_hash BLOB NOT NULL,
    last_day INTEGER NOT NULL,
    rung BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bells_of_hash ON bells (bell_hash);
