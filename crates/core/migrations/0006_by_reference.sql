-- A held item keeps the hash of the blob that its sender named to the server; empty: none. What refers to another one is not believed.
ALTER TABLE held_items ADD COLUMN blob_hash BLOB NOT NULL DEFAULT x'' CHECK (length(blob_hash) IN (0, 32));

-- 1: what this device could not take in was a change whose body the server has lost. Its maker has it, and helps.
ALTER TABLE resyncs ADD COLUMN body_lost INTEGER NOT NULL DEFAULT 0 CHECK (body_lost IN (0, 1));
