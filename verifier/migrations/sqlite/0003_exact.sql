-- Payments of the scheme `exact`: one transaction each, the client's, in the row itself. A row is written before its
-- transaction is sent, and never deleted. How values are written: 0001_payments.sql.

CREATE TABLE exact_payments (
    id                      TEXT PRIMARY KEY, -- SHA-256 of the transaction's message
    payer                   TEXT NOT NULL,
    mint                    TEXT NOT NULL,
    receiver                TEXT NOT NULL,
    destination             TEXT NOT NULL,
    amount                  TEXT NOT NULL,
    signature               TEXT NOT NULL UNIQUE,
    bytes                   BLOB NOT NULL,
    last_valid_block_height INTEGER NOT NULL,
    accepted_at             INTEGER NOT NULL,
    state                   TEXT NOT NULL,
    slot                    INTEGER,
    block_hash              TEXT,
    confirmations           INTEGER,
    error_code              TEXT,
    error                   TEXT,
    closed                  INTEGER NOT NULL CHECK (closed IN (0, 1)),
    claimed                 INTEGER NOT NULL CHECK (claimed IN (0, 1)) -- 1 once somebody was told that it is paid
) STRICT;

CREATE INDEX exact_payments_open ON exact_payments (accepted_at) WHERE closed = 0;
