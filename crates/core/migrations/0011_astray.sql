-- In which epoch a conversation's former channels were left. Rules as in 0003.

ALTER TABLE old_channels ADD COLUMN epoch INTEGER NOT NULL DEFAULT 9223372036854775807; -- the default: it was left before this was noted
