-- What was done to messages that are not here. Rules as in 0003.

-- New versions of messages, and reactions to them, that came before the message did. Often it comes soon; if it does not, what they say is
-- erased. Ages as in 0007.
CREATE TABLE early (
    action        INTEGER NOT NULL PRIMARY KEY,                      -- actions.id
    due_age_ms    INTEGER NOT NULL,                                  -- erased then, unless something is missing in the conversation
    last_age_ms   INTEGER NOT NULL,                                  -- erased then in any case
    at_ms         INTEGER NOT NULL                                   -- erased at this moment by the system's clock in any case; 0: none
) STRICT;
CREATE INDEX early_by_due ON early (due_age_ms);
CREATE INDEX early_by_moment ON early (at_ms) WHERE at_ms > 0;

-- Those that are here already.
INSERT INTO early (action, due_age_ms, last_age_ms, at_ms)
SELECT a.id, age.age_ms, age.age_ms + 2678400000, 0 FROM actions a, age
WHERE a.kind IN (1, 3) AND a.content <> x'' AND NOT EXISTS (
    SELECT 1 FROM messages m WHERE m.conversation = a.conversation AND m.message_id = a.target);
