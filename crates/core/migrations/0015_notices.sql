-- What a notice says, as a kind and its parameters (view/notice/stored.rs), so that it can be shown in any language; `text` has it in English
-- as before. Empty: a notice of before this step, or no notice.
ALTER TABLE messages ADD COLUMN notice BLOB NOT NULL DEFAULT x'';
