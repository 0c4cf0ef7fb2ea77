-- What the engine knows. Rules: STRICT, NOT NULL; 0 or an empty blob means "none" where a comment says so; times are Unix
-- milliseconds; a column's meaning never changes.

-- ---- this account and its server, one row each

CREATE TABLE account (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    account_id    BLOB    NOT NULL CHECK (length(account_id) = 32),
    name          TEXT    NOT NULL,
    signing_key   BLOB    NOT NULL,                     -- device-signing key
    device        BLOB    NOT NULL,                     -- this device's keys and certificate
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE server (
    id            INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    origin        TEXT    NOT NULL,
    pin           BLOB    NOT NULL CHECK (length(pin) = 32),
    queue_id      BLOB    NOT NULL CHECK (length(queue_id) = 16),
    queue_key     BLOB    NOT NULL,                     -- Ed25519 secret that signs in
    invitation    BLOB    NOT NULL,                     -- empty: none, or used
    registered    INTEGER NOT NULL CHECK (registered IN (0, 1)),
    incarnation   BLOB    NOT NULL,                     -- empty before the first sign-in
    position      INTEGER NOT NULL,                     -- sequence of the last item whose effects are stored
    clock_off_s   INTEGER NOT NULL,                     -- server's clock minus ours
    drained_at_ms INTEGER NOT NULL,                     -- the queue was last known empty; 0: never
    proxy         TEXT    NOT NULL                      -- host:port of the SOCKS5 proxy to use; empty: none
) STRICT;

-- The queue's HPKE keys. Items are sealed under keys that are sealed to one of these.
CREATE TABLE queue_keys (
    day           INTEGER NOT NULL PRIMARY KEY,         -- UTC day on which it was made
    public        BLOB    NOT NULL,
    secret        BLOB    NOT NULL,
    confirmed     INTEGER NOT NULL CHECK (confirmed IN (0, 1)), -- the server has it
    retired_at_ms INTEGER NOT NULL                      -- a newer one was confirmed then; 0: in use
) STRICT;

CREATE TABLE token_keys (
    key_id        BLOB    NOT NULL PRIMARY KEY CHECK (length(key_id) = 8),
    public        BLOB    NOT NULL CHECK (length(public) = 32),
    seen_at_ms    INTEGER NOT NULL,                     -- last shown to the inbox
    shown_outbox  INTEGER NOT NULL CHECK (shown_outbox IN (0, 1)) -- shown to an anonymous connection too
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    input         BLOB    NOT NULL PRIMARY KEY CHECK (length(input) = 32),
    key_id        BLOB    NOT NULL,
    output        BLOB    NOT NULL CHECK (length(output) = 64)
) STRICT, WITHOUT ROWID;

-- ---- addresses and key packages

CREATE TABLE addresses (
    id            INTEGER NOT NULL PRIMARY KEY,
    secret        BLOB    NOT NULL UNIQUE CHECK (length(secret) = 32),
    kind          INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),  -- as in the wire protocol: conversation, contact, key package
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2, 3)), -- 0 to be made, 1 on the server, 2 to be revoked, 3 refused: not before the next sign-in
    conversation  INTEGER NOT NULL,                     -- 0: none yet
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX addresses_by_state ON addresses (state) WHERE state <> 1;
CREATE INDEX addresses_by_conversation ON addresses (conversation);

-- Every name (hash) an address has or had; items carry the name of the moment they were queued.
CREATE TABLE address_names (
    hash          BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    address       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX address_names_by_address ON address_names (address);

-- An address under which key packages are published.
CREATE TABLE pools (
    address       INTEGER NOT NULL PRIMARY KEY,
    kp_key        BLOB    NOT NULL CHECK (length(kp_key) = 32),
    link          INTEGER NOT NULL,                     -- 0: the pool of a direct conversation
    wanted        INTEGER NOT NULL,                     -- one-time key packages to hold ready
    last_resort   INTEGER NOT NULL CHECK (last_resort IN (0, 1)),
    checked_at_ms INTEGER NOT NULL                      -- the server's count was last asked; 0: never
) STRICT;

CREATE TABLE key_packages (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    pool          INTEGER NOT NULL,
    landing       INTEGER NOT NULL,                     -- the address in its leaf
    hash_ref      BLOB    NOT NULL,
    sealed        BLOB    NOT NULL,                     -- empty once published
    last_resort   INTEGER NOT NULL CHECK (last_resort IN (0, 1)),
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)), -- 0 to be published, 1 published, 2 used
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX key_packages_by_pool ON key_packages (pool, state);
CREATE INDEX key_packages_by_landing ON key_packages (landing);

CREATE TABLE links (
    id            INTEGER NOT NULL PRIMARY KEY,
    link_id       BLOB    NOT NULL UNIQUE CHECK (length(link_id) = 8),
    secret        BLOB    NOT NULL,
    address       INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,                     -- 0: never
    uses_left     INTEGER NOT NULL,
    state         INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4)), -- open, used, expired, revoked
    created_at_ms INTEGER NOT NULL
) STRICT;

-- ---- people and conversations

CREATE TABLE contacts (
    account_id    BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32),
    name          TEXT    NOT NULL,
    verified      INTEGER NOT NULL CHECK (verified IN (0, 1)),
    conversation  INTEGER NOT NULL,                     -- the direct one
    state         INTEGER NOT NULL CHECK (state IN (1, 2)), -- pending, ready
    added_at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Links of others that are being added.
CREATE TABLE adds (
    id            INTEGER NOT NULL PRIMARY KEY,
    account_id    BLOB    NOT NULL UNIQUE,
    link          TEXT    NOT NULL,                     -- as it was given; empty once its key packages are here
    secret        BLOB    NOT NULL,                     -- to be proven by the first message
    failure       TEXT    NOT NULL,                     -- code of what ended it; empty: under way
    conversation  INTEGER NOT NULL,                     -- 0: not made yet
    created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE conversations (
    id            INTEGER NOT NULL PRIMARY KEY,
    group_id      BLOB    NOT NULL UNIQUE CHECK (length(group_id) = 16),
    kind          INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),      -- direct, group, notes
    name          TEXT    NOT NULL,                     -- of a group
    state         INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4, 5)), -- joining, active, resyncing, left, removed
    peer          BLOB    NOT NULL,                     -- direct: the other account; else empty
    epoch         INTEGER NOT NULL,                     -- cache of the MLS epoch
    generation    INTEGER NOT NULL,                     -- moves to fallback channels in all
    moves         INTEGER NOT NULL,                     -- of those, in this epoch
    channel_id    BLOB    NOT NULL CHECK (length(channel_id) = 32),
    channel_made  INTEGER NOT NULL CHECK (channel_made IN (0, 1)), -- the channel is known to exist on the server
    top_number    INTEGER NOT NULL,                     -- highest number seen in this generation
    address       INTEGER NOT NULL,                     -- one's own
    next_counter  INTEGER NOT NULL,                     -- of this device's messages, from 1
    link          INTEGER NOT NULL,                     -- the own link it came by, proof still due; 0: none
    leaving       INTEGER NOT NULL CHECK (leaving IN (0, 1)),
    read_up_to    INTEGER NOT NULL,                     -- messages.id
    created_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT;

-- The channels a conversation went by before; what was still on its way there is read, but changes nothing about the present one.
CREATE TABLE old_channels (
    conversation  INTEGER NOT NULL,
    channel_hash  BLOB    NOT NULL CHECK (length(channel_hash) = 32),
    generation    INTEGER NOT NULL,
    PRIMARY KEY (conversation, channel_hash)
) STRICT, WITHOUT ROWID;

-- Members as of the cached epoch: for showing, and for asking to be let in again. Never for authorising.
CREATE TABLE members (
    conversation  INTEGER NOT NULL,
    leaf          INTEGER NOT NULL,
    account_id    BLOB    NOT NULL,
    device_id     BLOB    NOT NULL,
    name          TEXT    NOT NULL,
    role          INTEGER NOT NULL,
    address       BLOB    NOT NULL,
    resync_key    BLOB    NOT NULL,                     -- mls::ResyncAddress, encoded
    PRIMARY KEY (conversation, leaf)
) STRICT, WITHOUT ROWID;

CREATE TABLE resyncs (
    conversation  INTEGER NOT NULL PRIMARY KEY,
    since_ms      INTEGER NOT NULL,
    asked_at_ms   INTEGER NOT NULL,                     -- 0: not yet
    asked_times   INTEGER NOT NULL,
    landing       INTEGER NOT NULL                      -- address in the request's key package; 0: none
) STRICT;

-- Devices that could not take in the commit of an epoch either, while this one waits to be let in again.
CREATE TABLE stuck (
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,
    epoch         INTEGER NOT NULL,
    generation    INTEGER NOT NULL,                     -- of the channel then
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

-- Somebody said that the channel is further on than this device; if that stays so, it was left out.
CREATE TABLE behind (
    conversation  INTEGER NOT NULL PRIMARY KEY,
    epoch         INTEGER NOT NULL,
    since_ms      INTEGER NOT NULL
) STRICT;

-- What accounts were called last, also after they left.
CREATE TABLE names (
    account_id    BLOB    NOT NULL PRIMARY KEY CHECK (length(account_id) = 32),
    name          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Where a device came into a conversation, if this device saw it come. What was said before is not sent to it again.
CREATE TABLE member_since (
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

-- Who has asked to leave, so that the line says "left" and not "was removed".
CREATE TABLE leave_wishes (
    conversation  INTEGER NOT NULL,
    account_id    BLOB    NOT NULL,
    PRIMARY KEY (conversation, account_id)
) STRICT, WITHOUT ROWID;

-- ---- messages

CREATE TABLE messages (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation   INTEGER NOT NULL,
    message_id     BLOB    NOT NULL CHECK (length(message_id) = 32),
    sender         BLOB    NOT NULL,                    -- account; empty for notices and gaps
    device         BLOB    NOT NULL,
    kind           INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),  -- message, notice, gap
    state          INTEGER NOT NULL CHECK (state BETWEEN 1 AND 7),
    generation     INTEGER NOT NULL,                    -- 4294967295 while in the outbox
    number         INTEGER NOT NULL,
    counter        INTEGER NOT NULL,                    -- of the sender's device; 0: none
    content        BLOB    NOT NULL,                    -- MIMI content, exactly as sent
    text           TEXT    NOT NULL,
    markdown       INTEGER NOT NULL CHECK (markdown IN (0, 1)),
    reply_to       BLOB    NOT NULL,                    -- empty: none
    sent_at_ms     INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    delivered_at_ms INTEGER NOT NULL,                   -- receipts, 0: none yet
    seen_at_ms     INTEGER NOT NULL,
    UNIQUE (conversation, sender, message_id)
) STRICT;
CREATE INDEX messages_by_place ON messages (conversation, generation, number, id);
CREATE INDEX messages_by_number ON messages (conversation, device, counter);

CREATE TABLE message_files (
    message       INTEGER NOT NULL,
    position      INTEGER NOT NULL,
    attachment    BLOB    NOT NULL,                     -- attachments.id; empty: not taken up yet (its key stands in the content)
    name          TEXT    NOT NULL,
    content_type  TEXT    NOT NULL,
    size          INTEGER NOT NULL,
    width         INTEGER NOT NULL,                     -- 0: not known
    height        INTEGER NOT NULL,
    duration_ms   INTEGER NOT NULL,
    waveform      BLOB    NOT NULL,
    preview       BLOB    NOT NULL,
    PRIMARY KEY (message, position)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE messages_text USING fts5 (text, content = 'messages', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO messages_text (messages_text, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER messages_text_insert AFTER INSERT ON messages WHEN new.kind = 1 BEGIN
    INSERT INTO messages_text (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER messages_text_delete AFTER DELETE ON messages WHEN old.kind = 1 BEGIN
    INSERT INTO messages_text (messages_text, rowid, text) VALUES ('delete', old.id, old.text);
END;
CREATE TRIGGER messages_text_update AFTER UPDATE OF text ON messages WHEN old.kind = 1 BEGIN
    INSERT INTO messages_text (messages_text, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO messages_text (rowid, text) VALUES (new.id, new.text);
END;

-- What this device still has to send in conversations, in order. A row goes when the own copy has come back.
CREATE TABLE outbox (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    message       INTEGER NOT NULL,                     -- messages.id; 0: automatic
    kind          INTEGER NOT NULL CHECK (kind IN (1, 2)), -- content, wish to leave
    content       BLOB    NOT NULL,                     -- what is encrypted, fixed for good
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2, 3)), -- waits for files, to encrypt, encrypted, accepted
    not_before_ms INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    payload       BLOB    NOT NULL,                     -- empty until encrypted
    payload_hash  BLOB    NOT NULL,
    send_id       BLOB    NOT NULL,
    channel_id    BLOB    NOT NULL,                     -- where it was sent
    accepted_at_ms INTEGER NOT NULL                     -- 0: not yet
) STRICT;
CREATE INDEX outbox_by_conversation ON outbox (conversation, id);
CREATE INDEX outbox_by_hash ON outbox (conversation, payload_hash);

-- Payloads that go to addresses outside a channel's order: welcomes and resync requests.
CREATE TABLE sends (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    body          BLOB    NOT NULL,                     -- DirectMessage
    blob_id       BLOB    NOT NULL,                     -- empty: fits into the payload
    blob_key      BLOB    NOT NULL,
    blob_done     INTEGER NOT NULL CHECK (blob_done IN (0, 1)),
    send_id       BLOB    NOT NULL,
    addresses     BLOB    NOT NULL,                     -- secrets, 32 bytes each
    not_before_ms INTEGER NOT NULL
) STRICT;

-- The one staged commit of a conversation; MLS holds what it does, this what is sent.
CREATE TABLE commits (
    conversation  INTEGER NOT NULL PRIMARY KEY,
    epoch         INTEGER NOT NULL,
    body          BLOB    NOT NULL,                     -- CommitEnvelope, when it goes as a blob; else empty
    blob_id       BLOB    NOT NULL,
    blob_key      BLOB    NOT NULL,
    blob_done     INTEGER NOT NULL CHECK (blob_done IN (0, 1)),
    payload       BLOB    NOT NULL,
    payload_hash  BLOB    NOT NULL,
    sent          INTEGER NOT NULL CHECK (sent IN (0, 1)),  -- the server has answered
    staged_at_ms  INTEGER NOT NULL,
    accepted_at_ms INTEGER NOT NULL                     -- when it did; 0: not yet
) STRICT;

-- What somebody here wants changed in a group; a lost race stages it again as long as it is still needed.
CREATE TABLE intents (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    conversation  INTEGER NOT NULL,
    kind          INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 9), -- add, remove, role, rename, self-update, accept leaves, re-add, leave, timer
    subject       BLOB    NOT NULL,                     -- account, name or request, by kind
    value         INTEGER NOT NULL,                     -- role
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)), -- waits, staged, waits for key packages
    not_before_ms INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX intents_by_conversation ON intents (conversation, id);

-- Key packages to be taken from the pools of others, for an add (links) or an intent (groups).
CREATE TABLE takes (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    purpose       INTEGER NOT NULL CHECK (purpose IN (1, 2)), -- adds, intents
    reference     INTEGER NOT NULL,
    account_id    BLOB    NOT NULL,                     -- whose they must be
    secrets       BLOB    NOT NULL,                     -- address secrets, 32 bytes each
    kp_keys       BLOB    NOT NULL,                     -- 32 bytes each
    send_id       BLOB    NOT NULL,
    packages      BLOB    NOT NULL,                     -- what came, length-prefixed; empty until then
    not_before_ms INTEGER NOT NULL,
    attempts      INTEGER NOT NULL
) STRICT;

-- Items that can't be read yet: the welcome or a blob is missing.
CREATE TABLE held_items (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    address       INTEGER NOT NULL,
    kind          INTEGER NOT NULL,
    channel_hash  BLOB    NOT NULL,                     -- empty: outside any channel
    number        INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    next_lock     BLOB    NOT NULL,
    payload       BLOB    NOT NULL,
    waits_for     INTEGER NOT NULL CHECK (waits_for IN (1, 2)), -- welcome; blob (its own, or one before it)
    received_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX held_items_by_address ON held_items (address, id);

-- A large payload that is being fetched for the held items of an address.
CREATE TABLE fetches (
    item          INTEGER NOT NULL PRIMARY KEY,         -- held_items.id
    blob_id       BLOB    NOT NULL,
    key           BLOB    NOT NULL,
    hash          BLOB    NOT NULL,
    size          INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    body          BLOB    NOT NULL,                     -- the plaintext once it is here
    state         INTEGER NOT NULL CHECK (state IN (0, 1, 2)) -- to fetch, here, missing for good
) STRICT;

-- ---- nothing is dropped silently

CREATE TABLE device_counters (
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,
    top           INTEGER NOT NULL,                     -- highest counter seen
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (
    id            INTEGER NOT NULL PRIMARY KEY,
    conversation  INTEGER NOT NULL,
    device        BLOB    NOT NULL,                     -- empty: a gap in the channel's numbers
    generation    INTEGER NOT NULL,                     -- 0 for a counter
    number        INTEGER NOT NULL,                     -- the missing counter or number
    place_generation INTEGER NOT NULL,                  -- where the gap shows
    place_number  INTEGER NOT NULL,
    noticed_at_ms INTEGER NOT NULL,
    asked_at_ms   INTEGER NOT NULL,                     -- 0: not yet
    message       INTEGER NOT NULL,                     -- the line that shows it; 0: not shown
    UNIQUE (conversation, device, generation, number)
) STRICT;

-- Automatic messages of this device, kept a while so that a gap where one stood can be closed.
CREATE TABLE automatic_sent (
    conversation  INTEGER NOT NULL,
    generation    INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    content       BLOB    NOT NULL,
    sent_at_ms    INTEGER NOT NULL,
    PRIMARY KEY (conversation, generation, number)
) STRICT, WITHOUT ROWID;

-- Resync requests seen, so that a replayed one does nothing.
CREATE TABLE resync_seen (
    nonce         BLOB    NOT NULL PRIMARY KEY,
    seen_at_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
