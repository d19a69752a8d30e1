-- Ids are lower-case hex, keys and signatures base58, amounts and nonces decimal (SQLite's integers end at 2^63 - 1),
-- times unix seconds: readable as they are.

CREATE TABLE payments (
    id          TEXT PRIMARY KEY,
    intent      BLOB NOT NULL, -- laid out as docs/messages.md has it
    signature   TEXT NOT NULL,
    escrow      TEXT NOT NULL,
    payer       TEXT NOT NULL,
    mint        TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    -- When to look whether something is left that nobody ended; NULL once nothing is.
    review_at   INTEGER
) STRICT;

CREATE TABLE operations (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id  TEXT NOT NULL REFERENCES payments (id),
    kind        TEXT NOT NULL CHECK (kind IN ('authorize', 'capture', 'close', 'void', 'refund', 'reclaim', 'close_hold')),
    amount      TEXT NOT NULL,
    fee         TEXT NOT NULL,
    last        INTEGER NOT NULL CHECK (last IN (0, 1)),
    signature   TEXT, -- NULL where the action needs none
    release_signature TEXT, -- of a close, which needs two
    commitment  TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    state       TEXT NOT NULL,
    closed      INTEGER NOT NULL CHECK (closed IN (0, 1)),
    error_code  TEXT,
    error       TEXT,
    UNIQUE (payment_id, kind, amount, fee, last)
) STRICT;

CREATE INDEX operations_open ON operations (id) WHERE closed = 0;

-- The last voucher of each streamed hold: a capture that the session key signed. It is money until it is captured.
CREATE TABLE vouchers (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    amount     TEXT NOT NULL,
    fee        TEXT NOT NULL,
    signature  TEXT NOT NULL
) STRICT;

CREATE TABLE transactions (
    signature               TEXT PRIMARY KEY,
    operation_id            INTEGER NOT NULL REFERENCES operations (id),
    bytes                   BLOB NOT NULL,
    last_valid_block_height INTEGER NOT NULL,
    state                   TEXT NOT NULL,
    slot                    INTEGER,
    block_hash              TEXT,
    confirmations           INTEGER,
    error_code              TEXT,
    error                   TEXT,
    -- 1 once its operation was taken up again after it had come to nothing.
    retired                 INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
) STRICT;

CREATE INDEX transactions_by_operation ON transactions (operation_id);
CREATE INDEX payments_by_escrow ON payments (escrow);
CREATE INDEX payments_to_review ON payments (review_at) WHERE review_at IS NOT NULL;

-- The last nonce that was handed out. A session that is closed and opened again starts over: another incarnation.
CREATE TABLE nonces (
    session     TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    last        TEXT NOT NULL,
    PRIMARY KEY (session, incarnation)
) STRICT;
