-- Links to groups that other devices made, as those told of them (sync/invite_told.rs). Rules as in 0003.

-- Of one's own: whether the group has heard of it, and when it is told (again). 0: nothing is to be told.
ALTER TABLE invites ADD COLUMN told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1));
ALTER TABLE invites ADD COLUMN tell_at_ms INTEGER NOT NULL DEFAULT 1;

CREATE TABLE invites_told (
    conversation  INTEGER NOT NULL,
    account_id    BLOB    NOT NULL CHECK (length(account_id) = 32),  -- whose it is: nobody else can tell of it
    invite_id     BLOB    NOT NULL CHECK (length(invite_id) = 8),
    device_id     BLOB    NOT NULL,                                  -- which device made it; its link goes with it
    expires_at_ms INTEGER NOT NULL,                                  -- 0: never
    uses_left     INTEGER NOT NULL,                                  -- when it was last told of
    approve       INTEGER NOT NULL CHECK (approve IN (0, 1)),
    state         INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4)),    -- open, used, expired, revoked
    heard_at_ms   INTEGER NOT NULL,
    PRIMARY KEY (conversation, account_id, invite_id)
) STRICT, WITHOUT ROWID;
