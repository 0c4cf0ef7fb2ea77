-- What groups agreed on, since when.

-- Settings of the group (`undertone_group`) as of each change that this device took in, and the place from which on they held. What comes
-- by itself is judged by MLS state; this is for what is sent again, whose place may lie before a change.
CREATE TABLE rules (
    conversation  INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    settings      BLOB    NOT NULL,
    PRIMARY KEY (conversation, generation, number)
) STRICT, WITHOUT ROWID;

-- More kinds of wishes: 20 policy, 21 handing over, ...; the program says which there are.
CREATE TABLE intents_of_more_kinds (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    kind          INTEGER NOT NULL CHECK (kind > 0),
    subject       BLOB    NOT NULL,                                  -- account, name, request or policy, by kind
    value         INTEGER NOT NULL,
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)),       -- waits, staged, waits for key packages
    not_before_ms INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO intents_of_more_kinds SELECT id, conversation, kind, subject, value, state, not_before_ms, attempts, created_at_ms FROM intents;
DROP TABLE intents;
ALTER TABLE intents_of_more_kinds RENAME TO intents;
CREATE INDEX intents_by_conversation ON intents (conversation, id);
DELETE FROM takes WHERE purpose = 2 AND reference NOT IN (SELECT id FROM intents);
