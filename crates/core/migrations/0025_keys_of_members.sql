-- Who is in a conversation, and who was. Rules as in 0003.

-- What members sign with: a device is known by that, and not by its id alone (sync/siblings.rs). Empty: not read since this step.
ALTER TABLE members ADD COLUMN key BLOB NOT NULL DEFAULT x'';
