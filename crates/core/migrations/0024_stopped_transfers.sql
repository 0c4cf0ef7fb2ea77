-- Transfers that their owner stopped, or asked for (attachments/halt.rs, sync/halt.rs).

-- Whether the transfer waits until its owner wants it to go on; state 2 only.
ALTER TABLE attachments ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1));
-- Whether the owner asked for the file: then no limit keeps it from coming.
ALTER TABLE downloads ADD COLUMN asked INTEGER NOT NULL DEFAULT 0 CHECK (asked IN (0, 1));
