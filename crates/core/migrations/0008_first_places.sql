-- Where the server says that something stood that was sent from here, should its own copy never come. Rules as in 0003.

ALTER TABLE outbox ADD COLUMN first_generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN first_number     INTEGER NOT NULL DEFAULT 0; -- 0: the server has not taken it yet

-- The highest number that was seen there.
ALTER TABLE old_channels ADD COLUMN top_number INTEGER NOT NULL DEFAULT 0;
