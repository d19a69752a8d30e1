-- As ../sqlite/0001_payments.sql has it: ids are lower-case hex, keys and signatures base58, amounts and nonces decimal,
-- times unix seconds. `rowid` counts rows in the order of writing, as SQLite does of itself.

CREATE TABLE payments (
    id          TEXT PRIMARY KEY,
    intent      BYTEA NOT NULL, -- laid out as docs/messages.md has it
    signature   TEXT NOT NULL,
    escrow      TEXT NOT NULL,
    payer       TEXT NOT NULL,
    mint        TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    -- When to look whether something is left that nobody ended; NULL once nothing is.
    review_at   BIGINT
);

CREATE TABLE operations (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  TEXT NOT NULL REFERENCES payments (id),
    kind        TEXT NOT NULL CHECK (kind IN ('authorize', 'capture', 'close', 'void', 'refund', 'reclaim', 'close_hold')),
    amount      TEXT NOT NULL,
    fee         TEXT NOT NULL,
    last        BIGINT NOT NULL CHECK (last IN (0, 1)),
    signature   TEXT, -- NULL where the action needs none
    release_signature TEXT, -- of a close, which needs two
    commitment  TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    state       TEXT NOT NULL,
    closed      BIGINT NOT NULL CHECK (closed IN (0, 1)),
    error_code  TEXT,
    error       TEXT,
    UNIQUE (payment_id, kind, amount, fee, last)
);

CREATE INDEX operations_open ON operations (id) WHERE closed = 0;

-- The last voucher of each streamed hold: a capture that the session key signed. It is money until it is captured.
CREATE TABLE vouchers (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    amount     TEXT NOT NULL,
    fee        TEXT NOT NULL,
    signature  TEXT NOT NULL
);

CREATE TABLE transactions (
    rowid                   BIGINT GENERATED ALWAYS AS IDENTITY,
    signature               TEXT PRIMARY KEY,
    operation_id            BIGINT NOT NULL REFERENCES operations (id),
    bytes                   BYTEA NOT NULL,
    last_valid_block_height BIGINT NOT NULL,
    state                   TEXT NOT NULL,
    slot                    BIGINT,
    block_hash              TEXT,
    confirmations           BIGINT,
    error_code              TEXT,
    error                   TEXT,
    -- 1 once its operation was taken up again after it had come to nothing.
    retired                 BIGINT NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
);

CREATE INDEX transactions_by_operation ON transactions (operation_id);
CREATE INDEX payments_by_escrow ON payments (escrow);
CREATE INDEX payments_to_review ON payments (review_at) WHERE review_at IS NOT NULL;

-- The last nonce that was handed out. A session that is closed and opened again starts over: another incarnation.
CREATE TABLE nonces (
    session     TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    last        TEXT NOT NULL,
    PRIMARY KEY (session, incarnation)
);
