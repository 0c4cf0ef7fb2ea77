-- Files that come by themselves, until they are here (sync/downloads.rs).
CREATE TABLE downloads (
    message        INTEGER NOT NULL,                                 -- messages.id
    position       INTEGER NOT NULL,                                 -- which of its files
    attempts       INTEGER NOT NULL,
    not_before_ms  INTEGER NOT NULL,
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;

-- What a chat of a hundred thousand messages, and a search over a million, are answered from (query/messages.rs, query/search.rs).

-- A chat at a date.
CREATE INDEX messages_by_date ON messages (conversation, sent_at_ms, id) WHERE kind = 1 AND gone = 0;
-- The newest of a chat, or of a person.
CREATE INDEX messages_of_chat ON messages (conversation, id) WHERE kind = 1 AND gone = 0;
CREATE INDEX messages_of_person ON messages (sender, id) WHERE kind = 1 AND gone = 0;
-- Names and kinds of files, without the previews that stand beside them.
CREATE INDEX message_files_newest ON message_files (message, name, content_type);

-- The beginnings of words of up to three letters stand for most of all messages: they have an index of their own. Longer ones stand for
-- few words.
DROP TABLE messages_text;
CREATE VIRTUAL TABLE messages_text USING fts5 (text, content = 'messages', content_rowid = 'id', prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO messages_text (messages_text, rank) VALUES ('secure-delete', 1);
INSERT INTO messages_text (rowid, text) SELECT id, text FROM messages WHERE kind = 1 ORDER BY id;
