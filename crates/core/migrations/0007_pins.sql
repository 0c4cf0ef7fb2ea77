-- Messages that are pinned in a chat, for all who are in it.
CREATE TABLE pins (
    conversation  INTEGER NOT NULL,
    target        BLOB    NOT NULL CHECK (length(target) = 32),
    by_account    BLOB    NOT NULL,
    pinned_at_ms  INTEGER NOT NULL,
    PRIMARY KEY (conversation, target)
) STRICT, WITHOUT ROWID;

ALTER TABLE messages ADD COLUMN view_once INTEGER NOT NULL DEFAULT 0 CHECK (view_once IN (0, 1, 2)); -- 1 its files may be opened once, 2 they were
ALTER TABLE messages ADD COLUMN forwarded INTEGER NOT NULL DEFAULT 0 CHECK (forwarded IN (0, 1));
