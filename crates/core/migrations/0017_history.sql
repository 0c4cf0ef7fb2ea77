-- What was said before a device was linked. Rules as in 0003.

-- What this device still has to give to a new one: a row for each conversation, until all of it was given. It goes from the newest line to
-- the oldest; what stands before this place is still to be given.
CREATE TABLE history_out (
    device        BLOB    NOT NULL CHECK (length(device) = 16),
    conversation  INTEGER NOT NULL,
    generation    INTEGER NOT NULL,                     -- as in messages; 4294967295: nothing was given yet
    number        INTEGER NOT NULL,
    message       INTEGER NOT NULL,                     -- messages.id
    PRIMARY KEY (device, conversation)
) STRICT, WITHOUT ROWID;
