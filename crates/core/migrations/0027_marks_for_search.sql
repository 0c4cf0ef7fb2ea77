-- In which chat, by whom and in which month a message was written, and whether a link or which sorts of files are in it, stands in the
-- index beside its words (query/search.rs): a word that is everywhere is found in a small chat without looking at every message that has it.
--
-- A mark is a word that nobody can type: it begins with a character for private use.

DROP TRIGGER messages_text_insert;
DROP TRIGGER messages_text_batch;
DROP TRIGGER messages_text_delete;
DROP TRIGGER messages_text_update;
DROP TABLE messages_text;

-- Sorts of files that a message has or had: 1 photo, 2 video, 4 audio, 8 any other.
ALTER TABLE messages ADD COLUMN sorts INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER messages_sorts AFTER INSERT ON message_files BEGIN
    UPDATE messages SET sorts = sorts | CASE
        WHEN new.content_type LIKE 'image/%' THEN 1 WHEN new.content_type LIKE 'video/%' THEN 2 WHEN new.content_type LIKE 'audio/%' THEN 4 ELSE 8 END
    WHERE id = new.message;
END;
UPDATE messages SET sorts =
    EXISTS (SELECT 1 FROM message_files n WHERE n.message = messages.id AND n.content_type LIKE 'image/%')
    | EXISTS (SELECT 1 FROM message_files n WHERE n.message = messages.id AND n.content_type LIKE 'video/%') << 1
    | EXISTS (SELECT 1 FROM message_files n WHERE n.message = messages.id AND n.content_type LIKE 'audio/%') << 2
    | EXISTS (SELECT 1 FROM message_files n WHERE n.message = messages.id
        AND n.content_type NOT LIKE 'image/%' AND n.content_type NOT LIKE 'video/%' AND n.content_type NOT LIKE 'audio/%') << 3
WHERE id IN (SELECT message FROM message_files);

CREATE VIEW messages_said (id, text, marks) AS
    SELECT id, text,
        char(57345) || conversation || ' ' || char(57346) || hex(substr(sender, 1, 8))
            || ' ' || char(57347) || max(0, (sent_at_ms - 1704067200000) / 2629800000)
            || CASE WHEN text LIKE '%http://%' OR text LIKE '%https://%' THEN ' ' || char(57348) ELSE '' END
            || CASE WHEN sorts & 1 THEN ' ' || char(57349) ELSE '' END || CASE WHEN sorts & 2 THEN ' ' || char(57350) ELSE '' END
            || CASE WHEN sorts & 4 THEN ' ' || char(57351) ELSE '' END || CASE WHEN sorts & 8 THEN ' ' || char(57352) ELSE '' END
    FROM messages WHERE kind = 1;

CREATE VIRTUAL TABLE messages_text USING fts5 (text, marks, content = 'messages_said', content_rowid = 'id', prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO messages_text (messages_text, rank) VALUES ('secure-delete', 1);
INSERT INTO messages_text (rowid, text, marks) SELECT id, text, marks FROM messages_said ORDER BY id;
UPDATE searchable SET up_to = (SELECT coalesce(max(id), 0) FROM messages);

-- The first and the last moment at which anything was written.
CREATE INDEX messages_by_moment ON messages (sent_at_ms) WHERE kind = 1;

-- As before (0020): at once what comes under an older number, else many at a time. What goes is taken out with the same words that were put in.
CREATE TRIGGER messages_text_insert AFTER INSERT ON messages WHEN new.kind = 1 AND new.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (rowid, text, marks) SELECT id, text, marks FROM messages_said WHERE id = new.id;
END;
CREATE TRIGGER messages_text_batch AFTER INSERT ON messages WHEN new.id > (SELECT up_to + 64 FROM searchable) BEGIN
    INSERT INTO messages_text (rowid, text, marks)
        SELECT id, text, marks FROM messages_said WHERE id > (SELECT up_to FROM searchable) AND id < new.id ORDER BY id;
    UPDATE searchable SET up_to = new.id - 1;
END;
CREATE TRIGGER messages_text_delete BEFORE DELETE ON messages WHEN old.kind = 1 AND old.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (messages_text, rowid, text, marks) SELECT 'delete', id, text, marks FROM messages_said WHERE id = old.id;
END;
CREATE TRIGGER messages_text_before BEFORE UPDATE OF text, conversation, sender, sent_at_ms, sorts ON messages
    WHEN old.kind = 1 AND old.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (messages_text, rowid, text, marks) SELECT 'delete', id, text, marks FROM messages_said WHERE id = old.id;
END;
CREATE TRIGGER messages_text_after AFTER UPDATE OF text, conversation, sender, sent_at_ms, sorts ON messages
    WHEN old.kind = 1 AND old.id <= (SELECT up_to FROM searchable) BEGIN
    INSERT INTO messages_text (rowid, text, marks) SELECT id, text, marks FROM messages_said WHERE id = old.id;
END;
