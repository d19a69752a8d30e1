-- What clients call their purchases: ids of the key that signs, each bound to what was signed for it. A row is written
-- with the payment that it names, and forgotten after a day, or when the key has a thousand newer ones.
CREATE TABLE payment_identifiers (
    signer      TEXT NOT NULL,
    id          TEXT NOT NULL,
    signed      TEXT NOT NULL, -- SHA-256 of all that was signed, as hex
    amount      TEXT NOT NULL, -- what it pays
    accepted_at BIGINT NOT NULL,
    PRIMARY KEY (signer, id)
);

CREATE INDEX payment_identifiers_by_age ON payment_identifiers (accepted_at);
CREATE INDEX payment_identifiers_by_signer ON payment_identifiers (signer, accepted_at);

-- News of payments of both schemes: no table has all of their ids.
ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_payment_id_fkey;

CREATE FUNCTION note_webhook_exact_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM webhook) THEN
        INSERT INTO webhook_deliveries (payment_id, version, attempts, due_at) VALUES (new.id, 1, 0, 0)
        ON CONFLICT (payment_id) DO UPDATE
        SET version = webhook_deliveries.version + 1, attempts = 0, due_at = 0, failing_since = NULL;
    END IF;
    RETURN NULL;
END
$$;

-- A failed transfer has the state of its block; that it failed, error_code says.
CREATE TRIGGER webhook_exact_news AFTER UPDATE OF state ON exact_payments FOR EACH ROW
WHEN (new.state <> old.state OR new.error_code IS DISTINCT FROM old.error_code)
EXECUTE FUNCTION note_webhook_exact_news();
