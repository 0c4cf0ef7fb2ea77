-- How many temporary queues were given tokens and deleted before their last day, by that day: they count until then. Which ones is
-- written nowhere.
CREATE TABLE ended_temporary_queues (
    last_day INTEGER NOT NULL PRIMARY KEY,
    queues INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
