-- How far a conversation's former channels were followed. Rules as in 0003.

ALTER TABLE old_channels ADD COLUMN top_number INTEGER NOT NULL DEFAULT 0; -- the highest number that was seen there
