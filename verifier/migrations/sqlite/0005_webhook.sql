-- The newest news of each payment, and whether a webhook has it. A trigger writes it, so that it is on disk with the news.
CREATE TABLE webhook_deliveries (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    -- Counts the news: part of the message's id, and one that came while another was sent is not lost.
    version    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    -- NULL once it is delivered.
    due_at     INTEGER,
    -- When the first of the attempts failed; NULL if none did.
    failing_since INTEGER
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE due_at IS NOT NULL;

-- One row while there is a webhook.
CREATE TABLE webhook (id INTEGER PRIMARY KEY CHECK (id = 1)) STRICT;

-- What is queued or sent is no news, unless it was in a block before.
CREATE TRIGGER webhook_news AFTER UPDATE OF state ON operations
WHEN new.state <> old.state
    AND (new.state NOT IN ('queued', 'sent') OR old.state NOT IN ('queued', 'sent'))
    AND EXISTS (SELECT 1 FROM webhook)
BEGIN
    INSERT INTO webhook_deliveries (payment_id, version, attempts, due_at) VALUES (new.payment_id, 1, 0, 0)
    ON CONFLICT (payment_id) DO UPDATE SET version = version + 1, attempts = 0, due_at = 0, failing_since = NULL;
END;
