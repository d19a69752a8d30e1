-- Payments of the scheme `exact`: one transaction each, the client's, in the row itself. A row is written before its
-- transaction is sent, and never deleted. How values are written: 0001_payments.sql.

CREATE TABLE exact_payments (
    rowid                   BIGINT GENERATED ALWAYS AS IDENTITY,
    id                      TEXT PRIMARY KEY, -- SHA-256 of the transaction's message
    payer                   TEXT NOT NULL,
    mint                    TEXT NOT NULL,
    receiver                TEXT NOT NULL,
    destination             TEXT NOT NULL,
    amount                  TEXT NOT NULL,
    signature               TEXT NOT NULL UNIQUE,
    bytes                   BYTEA NOT NULL,
    last_valid_block_height BIGINT NOT NULL,
    accepted_at             BIGINT NOT NULL,
    state                   TEXT NOT NULL,
    slot                    BIGINT,
    block_hash              TEXT,
    confirmations           BIGINT,
    error_code              TEXT,
    error                   TEXT,
    closed                  BIGINT NOT NULL CHECK (closed IN (0, 1)),
    claimed                 BIGINT NOT NULL CHECK (claimed IN (0, 1)) -- 1 once somebody was told that it is paid
);

CREATE INDEX exact_payments_open ON exact_payments (accepted_at) WHERE closed = 0;
