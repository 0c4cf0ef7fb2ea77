-- What this account's device needs to be wiped from afar. What it needs while locked is in the home's sentinel, not here.

CREATE TABLE kill (
    id              INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    queue_id        BLOB    NOT NULL CHECK (length(queue_id) = 16),   -- names the post in the sentinel
    signing_key     BLOB    NOT NULL CHECK (length(signing_key) = 32), -- Ed25519 seed: what this device sends the others is signed with it
    invitation      BLOB    NOT NULL,                                  -- 16, for the queue; empty: none is wanted
    invitation_told INTEGER NOT NULL CHECK (invitation_told IN (0, 1)) -- the server has it
) STRICT;

-- Who may wipe this device beside its owner. A row never goes.
CREATE TABLE custodians (
    public_key     BLOB    NOT NULL PRIMARY KEY CHECK (length(public_key) = 32),
    name           TEXT    NOT NULL,
    slot           BLOB    NOT NULL CHECK (length(slot) = 32),         -- secret of the slot that is theirs
    accepted_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
