-- Words of new messages come into the index for search many messages at a time, and at the latest when somebody searches
-- (query/search.rs): written for each message, the index costs as much as a fourth of all that sending one does.

CREATE TABLE searchable (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    up_to         INTEGER NOT NULL                                   -- messages.id: the index has the words up to here
) STRICT;
INSERT INTO searchable (id, up_to) SELECT 1, coalesce(max(id), 0) FROM messages;

DROP TRIGGER messages_text_insert;
DROP TRIGGER messages_text_delete;
DROP TRIGGER messages_text_update;

-- One that comes under an older number, as from a backup.
CREATE TRIGGER messages_text_insert AFTER INSERT ON messages WHEN new.kind = 1 AND new.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (rowid, text) VALUES (new.id, new.text);
END;
-- The one that was just put in stays out, whichever of the two is asked first.
CREATE TRIGGER messages_text_batch AFTER INSERT ON messages WHEN new.id > (SELECT up_to + 64 FROM searchable) BEGIN
    INSERT INTO messages_text (rowid, text)
        SELECT id, text FROM messages WHERE kind = 1 AND id > (SELECT up_to FROM searchable) AND id < new.id ORDER BY id;
    UPDATE searchable SET up_to = new.id - 1;
END;
CREATE TRIGGER messages_text_delete AFTER DELETE ON messages WHEN old.kind = 1 AND old.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (messages_text, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER messages_text_update AFTER UPDATE OF text ON messages WHEN old.kind = 1 AND old.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (messages_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO messages_text (rowid, text) VALUES (new.id, new.text);
END;

-- What is not encrypted yet has no place in it.
DROP INDEX outbox_by_hash;
CREATE INDEX outbox_by_hash ON outbox (conversation, payload_hash) WHERE payload_hash <> x'';
