-- Messages that disappear.

-- How long this store has lived, as far as it can tell: a count that no clock can turn back.
CREATE TABLE age (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    age_ms        INTEGER NOT NULL,
    wall_ms       INTEGER NOT NULL                                   -- what the system's clock said then; 0: never looked
) STRICT;
INSERT INTO age (id, age_ms, wall_ms) VALUES (1, 0, 0);

CREATE TABLE timers (
    message       INTEGER NOT NULL PRIMARY KEY,                      -- messages.id
    after_ms      INTEGER NOT NULL,                                  -- once it was read; 0: at a moment
    at_ms         INTEGER NOT NULL,                                  -- that moment by the system's clock; 0: none
    due_age_ms    INTEGER NOT NULL                                   -- 0: the countdown has not begun
) STRICT;
CREATE INDEX timers_by_due ON timers (due_age_ms) WHERE due_age_ms > 0;

ALTER TABLE conversations ADD COLUMN timer_s INTEGER NOT NULL DEFAULT 0; -- of new messages, as the group has it; 0: they stay
