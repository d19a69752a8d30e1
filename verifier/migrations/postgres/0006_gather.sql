-- A transaction carries several operations: one row for each, each with the transaction's bytes.

ALTER TABLE transactions DROP CONSTRAINT transactions_pkey;
ALTER TABLE transactions ADD PRIMARY KEY (signature, operation_id);
-- Which of the transaction's operations it is; NULL if it is the only one.
ALTER TABLE transactions ADD COLUMN position BIGINT;
-- 1 if it failed in its block, and not for this operation's instruction.
ALTER TABLE transactions ADD COLUMN is_blameless BIGINT NOT NULL DEFAULT 0 CHECK (is_blameless IN (0, 1));
