-- Queues that anybody may make, for a day or two: `last_day` in `queues` is never pushed out for them.
CREATE TABLE temporary_queues (
    queue_id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- How many invitations a queue's owner has made on a day. Which ones is written nowhere.
CREATE TABLE invitation_allowances (
    queue_id BLOB NOT NULL PRIMARY KEY,
    day INTEGER NOT NULL,
    made INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
