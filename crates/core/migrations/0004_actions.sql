-- What people do to messages: new versions, deletions, reactions. What a message looks like follows from the rows here, whatever
-- order they came in.

CREATE TABLE actions (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    message_id    BLOB    NOT NULL CHECK (length(message_id) = 32),  -- its own MIMI id
    sender        BLOB    NOT NULL,
    device        BLOB    NOT NULL,
    kind          INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 5),     -- edit, delete, reaction, pin, unpin
    target        BLOB    NOT NULL CHECK (length(target) = 32),      -- a message; of a delete, also a reaction
    replaces      BLOB    NOT NULL,                                  -- of a reaction: the one it takes the place of; empty: none
    generation    INTEGER NOT NULL,                                  -- 4294967295 while in the outbox
    number        INTEGER NOT NULL,
    counter       INTEGER NOT NULL,                                  -- of the sender's device
    content       BLOB    NOT NULL,                                  -- MIMI content as sent; of what is deleted, what stands in its place
    sent_at_ms    INTEGER NOT NULL,
    UNIQUE (conversation, sender, message_id)
) STRICT;
CREATE INDEX actions_by_target ON actions (conversation, target);
CREATE INDEX actions_by_place ON actions (conversation, generation, number);
CREATE INDEX actions_by_counter ON actions (conversation, device, counter);

-- Reactions as they stand: one row for each person, message and text.
CREATE TABLE reactions (
    conversation  INTEGER NOT NULL,
    target        BLOB    NOT NULL CHECK (length(target) = 32),
    sender        BLOB    NOT NULL,
    text          TEXT    NOT NULL,
    position      INTEGER NOT NULL,                                  -- order among the message's reactions
    PRIMARY KEY (conversation, target, sender, text)
) STRICT, WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1, 2, 3)); -- 1 deleted for everyone, 2 deleted here, 3 its time was over
ALTER TABLE messages ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;                          -- versions after the first
ALTER TABLE messages ADD COLUMN edited_at_ms INTEGER NOT NULL DEFAULT 0;                   -- when the last one was written; 0: never

ALTER TABLE outbox ADD COLUMN action INTEGER NOT NULL DEFAULT 0;                           -- actions.id; 0: none
