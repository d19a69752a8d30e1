-- A transaction carries several operations: one row for each, each with the transaction's bytes. How values are written:
-- 0001_payments.sql.

CREATE TABLE gathered (
    signature               TEXT NOT NULL,
    operation_id            INTEGER NOT NULL REFERENCES operations (id),
    -- Which of the transaction's operations it is; NULL if it is the only one.
    position                INTEGER,
    bytes                   BLOB NOT NULL,
    last_valid_block_height INTEGER NOT NULL,
    state                   TEXT NOT NULL,
    slot                    INTEGER,
    block_hash              TEXT,
    confirmations           INTEGER,
    error_code              TEXT,
    error                   TEXT,
    -- 1 if it failed in its block, and not for this operation's instruction.
    is_blameless            INTEGER NOT NULL DEFAULT 0 CHECK (is_blameless IN (0, 1)),
    -- 1 once its operation was taken up again after it had come to nothing.
    retired                 INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1)),
    PRIMARY KEY (signature, operation_id)
) STRICT;

INSERT INTO gathered (signature, operation_id, bytes, last_valid_block_height, state, slot, block_hash, confirmations,
                      error_code, error, retired)
SELECT signature, operation_id, bytes, last_valid_block_height, state, slot, block_hash, confirmations, error_code, error,
       retired
FROM transactions ORDER BY rowid;

DROP TABLE transactions;
ALTER TABLE gathered RENAME TO transactions;
CREATE INDEX transactions_by_operation ON transactions (operation_id);
