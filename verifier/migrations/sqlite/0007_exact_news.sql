-- What clients call their purchases: ids of the key that signs, each bound to what was signed for it. A row is written
-- with the payment that it names, and forgotten after a day, or when the key has a thousand newer ones.
CREATE TABLE payment_identifiers (
    signer      TEXT NOT NULL,
    id          TEXT NOT NULL,
    signed      TEXT NOT NULL, -- SHA-256 of all that was signed, as hex
    amount      TEXT NOT NULL, -- what it pays
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (signer, id)
) STRICT;

CREATE INDEX payment_identifiers_by_age ON payment_identifiers (accepted_at);
CREATE INDEX payment_identifiers_by_signer ON payment_identifiers (signer, accepted_at);

-- News of payments of both schemes: no table has all of their ids.
DROP TRIGGER webhook_news;
ALTER TABLE webhook_deliveries RENAME TO old_webhook_deliveries;
DROP INDEX webhook_deliveries_due;

CREATE TABLE webhook_deliveries (
    payment_id TEXT PRIMARY KEY,
    version    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    due_at     INTEGER,
    failing_since INTEGER
) STRICT;

INSERT INTO webhook_deliveries SELECT payment_id, version, attempts, due_at, failing_since FROM old_webhook_deliveries;
DROP TABLE old_webhook_deliveries;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE due_at IS NOT NULL;

CREATE TRIGGER webhook_news AFTER UPDATE OF state ON operations
WHEN new.state <> old.state
    AND (new.state NOT IN ('queued', 'sent') OR old.state NOT IN ('queued', 'sent'))
    AND EXISTS (SELECT 1 FROM webhook)
BEGIN
    INSERT INTO webhook_deliveries (payment_id, version, attempts, due_at) VALUES (new.payment_id, 1, 0, 0)
    ON CONFLICT (payment_id) DO UPDATE SET version = version + 1, attempts = 0, due_at = 0, failing_since = NULL;
END;

-- A failed transfer has the state of its block; that it failed, error_code says.
CREATE TRIGGER webhook_exact_news AFTER UPDATE OF state ON exact_payments
WHEN (new.state <> old.state OR new.error_code IS DISTINCT FROM old.error_code)
    AND EXISTS (SELECT 1 FROM webhook)
BEGIN
    INSERT INTO webhook_deliveries (payment_id, version, attempts, due_at) VALUES (new.id, 1, 0, 0)
    ON CONFLICT (payment_id) DO UPDATE SET version = version + 1, attempts = 0, due_at = 0, failing_since = NULL;
END;
