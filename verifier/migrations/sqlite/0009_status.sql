-- What the status page lists: payments from the newest on, of all receivers or of one (byte 128 of the intent, laid out
-- as docs/messages.md has it), and what came to nothing.
CREATE INDEX payments_newest ON payments (accepted_at, id);
CREATE INDEX payments_by_receiver ON payments (substr(intent, 129, 32), accepted_at, id);
CREATE INDEX exact_payments_newest ON exact_payments (accepted_at, id);
CREATE INDEX exact_payments_by_receiver ON exact_payments (receiver, accepted_at, id);
CREATE INDEX operations_fruitless ON operations (accepted_at) WHERE state IN ('failed', 'refused');
