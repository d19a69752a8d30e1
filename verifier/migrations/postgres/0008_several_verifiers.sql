-- Which of several verifiers follows, sends and delivers: whoever takes over counts on, and what one of an earlier term
-- would write is refused.
CREATE TABLE leader (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    term BIGINT NOT NULL
);

INSERT INTO leader (id, term) VALUES (1, 0);

-- Tells every verifier, once for each transaction that commits: there is something to send, or something got further.
CREATE FUNCTION tell_verifiers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END
$$;

CREATE TRIGGER operations_added AFTER INSERT ON operations
FOR EACH STATEMENT EXECUTE FUNCTION tell_verifiers('x402_escrow_work');
CREATE TRIGGER operations_taken_up AFTER UPDATE OF closed ON operations FOR EACH ROW WHEN (new.closed < old.closed)
EXECUTE FUNCTION tell_verifiers('x402_escrow_work');
CREATE TRIGGER operations_got_further AFTER UPDATE ON operations
FOR EACH STATEMENT EXECUTE FUNCTION tell_verifiers('x402_escrow_progress');

CREATE TRIGGER exact_payments_added AFTER INSERT ON exact_payments
FOR EACH STATEMENT EXECUTE FUNCTION tell_verifiers('x402_escrow_work');
CREATE TRIGGER exact_payments_got_further AFTER UPDATE ON exact_payments
FOR EACH STATEMENT EXECUTE FUNCTION tell_verifiers('x402_escrow_progress');
