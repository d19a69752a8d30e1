-- As ../sqlite/0001_schema.sql has it: ids are lower-case hex, keys and signatures base58, amounts decimal, times unix
-- seconds. `rowid` counts rows in the order of writing, as SQLite does of itself.

-- Payments of both schemes: those that are held first or charged by an intent, and those by a client's transaction.
CREATE TABLE payments (
    id          TEXT PRIMARY KEY, -- SHA-256 of what the payer signed: the intent, or the transaction's message
    scheme      TEXT NOT NULL CHECK (scheme IN ('auth-capture', 'exact')),
    payer       TEXT NOT NULL,
    mint        TEXT NOT NULL,
    receiver    TEXT NOT NULL,
    amount      TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    -- When to look whether something is left that nobody ended; NULL once nothing is.
    review_at   BIGINT,
    receiver_authorizer TEXT NOT NULL, -- who may sign for the receiver; in the scheme exact the receiver
    -- What the client says that it is for: nobody signed it.
    resource_url TEXT,
    product     TEXT,
    -- What it came to: follows from its operations, and is written soon after them (payments_to_book).
    outcome     TEXT NOT NULL DEFAULT 'unsettled' CHECK (outcome IN (
        'unsettled', 'held', 'paid', 'partly_paid', 'refunded', 'partly_refunded', 'void', 'failed'
    )),
    captured    TEXT NOT NULL DEFAULT '0', -- the fee included
    fee         TEXT NOT NULL DEFAULT '0',
    refunded    TEXT NOT NULL DEFAULT '0',
    held        TEXT NOT NULL DEFAULT '0', -- in a block, and neither captured nor released
    paid_by     TEXT, -- the transaction's signature
    -- Of those that are held or charged.
    resource_hash TEXT,
    escrow      TEXT,
    intent      BYTEA, -- laid out as docs/messages.md has it
    signature   TEXT,
    receiver_proof BYTEA, -- shows that the receiver is in the session's list: hashes of 32 bytes, one after another
    claim       TEXT, -- which installation of a merchant settled it first, as hex
    capture_deadline BIGINT,
    -- The slot before which a view of the chain may lack what the intent takes: 2^63 - 1 while it is in no block; NULL where
    -- it came to nothing. Triggers keep it.
    promised_until BIGINT,
    locked_rent BIGINT NOT NULL DEFAULT 0, -- lamports that its budgets get back once nothing is held
    -- 1 from when nothing is left to do until what was captured is compared with what the chain says.
    to_compare  BIGINT NOT NULL DEFAULT 0 CHECK (to_compare IN (0, 1)),
    -- Of those by a transaction.
    destination TEXT, -- the receiver's token account
    told        BIGINT NOT NULL DEFAULT 0 CHECK (told IN (0, 1)), -- 1 once somebody was told that it is paid
    CHECK ((scheme = 'auth-capture') = (intent IS NOT NULL)),
    CHECK ((scheme = 'auth-capture') = (capture_deadline IS NOT NULL)),
    CHECK ((scheme = 'exact') = (destination IS NOT NULL))
);

CREATE INDEX payments_promised ON payments (escrow, promised_until);
CREATE INDEX payments_open_by_escrow ON payments (escrow, promised_until) WHERE review_at IS NOT NULL;
-- Both have all that the choice of the next review needs: thousands may be due at once. What is to be captured is due before
-- its deadline, and has an index of its own: finding it must not take longer the more is only to go back.
CREATE INDEX payments_to_capture ON payments (review_at, capture_deadline, id) WHERE review_at < capture_deadline;
CREATE INDEX payments_to_review ON payments (review_at, capture_deadline, id)
    WHERE review_at >= coalesce(capture_deadline, 0);
CREATE INDEX payments_to_compare ON payments (id) WHERE to_compare = 1;
CREATE INDEX payments_newest ON payments (accepted_at, id);
CREATE INDEX payments_by_receiver ON payments (receiver, accepted_at, id);
CREATE INDEX payments_by_authorizer ON payments (receiver, receiver_authorizer, accepted_at, id);
CREATE INDEX payments_by_outcome ON payments (receiver, outcome, accepted_at, id);

CREATE TABLE operations (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  TEXT NOT NULL REFERENCES payments (id),
    kind        TEXT NOT NULL CHECK (kind IN ('authorize', 'charge', 'transfer', 'capture', 'close', 'void', 'refund', 'reclaim')),
    amount      TEXT NOT NULL,
    fee         TEXT NOT NULL,
    last        BIGINT NOT NULL CHECK (last IN (0, 1)),
    returns     TEXT NOT NULL, -- of a refund: what it adds to those before it
    signature   TEXT, -- NULL where the action needs none
    release_signature TEXT, -- of a close, which needs two
    bound       TEXT, -- of a close: the amount of the voucher that it captures out of
    commitment  TEXT NOT NULL,
    accepted_at BIGINT NOT NULL,
    state       TEXT NOT NULL,
    closed      BIGINT NOT NULL CHECK (closed IN (0, 1)),
    error_code  TEXT,
    error       TEXT,
    UNIQUE (payment_id, kind, amount, fee, last, returns)
);

CREATE INDEX operations_open ON operations (id) WHERE closed = 0;
CREATE INDEX operations_awaited ON operations (id) WHERE closed = 0 AND (state <> 'confirmed' OR commitment = 'finalized');
CREATE INDEX operations_queued ON operations (id) WHERE closed = 0 AND state = 'queued';
CREATE INDEX operations_fruitless ON operations (accepted_at) WHERE state IN ('failed', 'refused');

-- Payments whose operations changed since their books were written. Triggers write it, with the change.
CREATE TABLE payments_to_book (payment_id TEXT PRIMARY KEY REFERENCES payments (id));

-- What the payments that were accepted on a day of UTC came to: of a receiver and one of its authorizers; of a receiver,
-- where `receiver_authorizer` is empty; of all, where both are.
CREATE TABLE day_totals (
    receiver    TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    day         BIGINT NOT NULL, -- counted from 1970-01-01
    mint        TEXT NOT NULL,
    payments    BIGINT NOT NULL, -- of which something was captured
    captured    TEXT NOT NULL, -- the fees included
    fee         TEXT NOT NULL,
    refunded    TEXT NOT NULL,
    PRIMARY KEY (receiver, receiver_authorizer, day, mint)
);

-- Sums of what is held now: for each receiver; for all payments, where `receiver` is empty; and for all that were accepted
-- in the same minute. Written in the same transaction as `payments.held`. A sum of 0 has no row.
CREATE TABLE held_sums (
    receiver    TEXT NOT NULL,
    minute      BIGINT NOT NULL, -- counted from 1970-01-01; -1 for payments of any minute
    mint        TEXT NOT NULL,
    held        TEXT NOT NULL,
    PRIMARY KEY (receiver, minute, mint)
);

-- The last voucher of each streamed hold: a capture that the session key signed. It is money until it is captured.
-- Numbers are 64 bits without a sign, kept as the signed integer of the same bits.
CREATE TABLE vouchers (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    amount     BIGINT NOT NULL,
    fee        BIGINT NOT NULL,
    signature  BYTEA NOT NULL,
    -- Counts what was done with the payment: a voucher that was judged without reading is kept only if this is as it was.
    -- Triggers count. Whatever else can change what a voucher is worth must count too.
    version    BIGINT NOT NULL DEFAULT 0
);

-- Who may be told yes again to the newest vouchers of a hold.
CREATE TABLE voucher_claims (
    payment_id TEXT NOT NULL REFERENCES payments (id),
    amount     BIGINT NOT NULL,
    increment  BIGINT NOT NULL, -- what the voucher added to those before it
    claim      BYTEA NOT NULL,
    PRIMARY KEY (payment_id, amount)
);

-- A transaction carries several operations: one row for each.
CREATE TABLE transactions (
    rowid                   BIGINT GENERATED ALWAYS AS IDENTITY,
    signature               TEXT NOT NULL,
    operation_id            BIGINT NOT NULL REFERENCES operations (id),
    -- Which of the transaction's operations it is; NULL if it is the only one.
    position                BIGINT,
    layout                  BYTEA NOT NULL, -- the transaction's first byte; empty if somebody else made it
    last_valid_block_height BIGINT NOT NULL,
    state                   TEXT NOT NULL,
    slot                    BIGINT,
    block_hash              TEXT,
    error_code              TEXT,
    error                   TEXT,
    -- 1 if it failed in its block, and not for this operation's instruction.
    is_blameless            BIGINT NOT NULL DEFAULT 0 CHECK (is_blameless IN (0, 1)),
    -- 1 once its operation was taken up again after it had come to nothing.
    retired                 BIGINT NOT NULL DEFAULT 0 CHECK (retired IN (0, 1)),
    PRIMARY KEY (signature, operation_id)
);

CREATE INDEX transactions_by_operation ON transactions (operation_id);

-- Transactions that may have to be sent again. A trigger deletes each once all its operations are closed.
CREATE TABLE transaction_bytes (
    signature TEXT PRIMARY KEY,
    bytes     BYTEA NOT NULL
);

-- What clients call their payments: ids of the key that signs, each bound to what was signed for it. A row is written
-- with the payment that it names, and forgotten after a day, or when the key has a thousand newer ones.
CREATE TABLE payment_identifiers (
    signer      TEXT NOT NULL,
    id          TEXT NOT NULL,
    signed_hash TEXT NOT NULL, -- SHA-256 of all that was signed, as hex
    amount      TEXT NOT NULL, -- what it pays
    accepted_at BIGINT NOT NULL,
    PRIMARY KEY (signer, id)
);

CREATE INDEX payment_identifiers_by_age ON payment_identifiers (accepted_at);
CREATE INDEX payment_identifiers_by_signer ON payment_identifiers (signer, accepted_at);

-- Which payment a memo of a receiver pays for, where it pays once.
CREATE TABLE exact_memos (
    receiver   TEXT NOT NULL,
    memo_hash  TEXT NOT NULL, -- SHA-256, as hex
    payment_id TEXT NOT NULL REFERENCES payments (id),
    PRIMARY KEY (receiver, memo_hash)
);

-- What is sold, as servers declare it: offered by a payment, and listed once that is paid. Each of the two is NULL where
-- there is none.
CREATE TABLE resources (
    key        TEXT PRIMARY KEY, -- SHA-256 of receiver, kind, URL and method or tool, as hex
    receiver   TEXT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('http', 'mcp')),
    scheme     TEXT NOT NULL,
    entry      TEXT, -- JSON
    listed_at  BIGINT, -- when somebody last paid for it
    offered    TEXT, -- JSON
    offered_by TEXT, -- the payment's id
    offered_at BIGINT
);

CREATE INDEX resources_by_receiver ON resources (receiver);
CREATE INDEX resources_newest ON resources (listed_at, key);
CREATE INDEX resources_offered ON resources (key) WHERE offered IS NOT NULL;

-- What is given out of each budget of lamports in the period that ends then: processes take slices and spend them in
-- memory. A row is forgotten once its period is over.
CREATE TABLE budgets (
    kind    TEXT NOT NULL CHECK (kind IN ('fees', 'rent')),
    owner   TEXT NOT NULL CHECK (owner IN ('payer', 'receiver', 'overall')),
    address TEXT NOT NULL, -- the payer's or the receiver's; '' for everybody
    period  TEXT NOT NULL CHECK (period IN ('hour', 'day')),
    ends_at BIGINT NOT NULL,
    leased  BIGINT NOT NULL, -- lamports
    PRIMARY KEY (kind, owner, address, period, ends_at)
);

CREATE INDEX budgets_by_end ON budgets (ends_at);

-- The newest news of each payment, and whether a webhook has it. Triggers write it, so that it is on
-- disk with the news.
CREATE TABLE webhook_deliveries (
    payment_id TEXT PRIMARY KEY,
    -- Counts the news: part of the message's id, and one that came while another was sent is not lost.
    version    BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    -- NULL once it is delivered.
    due_at     BIGINT,
    -- When the first of the attempts failed; NULL if none did.
    failing_since BIGINT
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE due_at IS NOT NULL;

-- Where merchants want to hear of their payments: one row for each key that may see them. An empty authorizer is the
-- receiver, who hears of all.
CREATE TABLE merchant_webhooks (
    receiver      TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    url           TEXT, -- NULL once it is taken back
    secret        BYTEA,
    signed_until  BIGINT NOT NULL, -- of the newest request; one that expires no later changes nothing
    has_news      BIGINT NOT NULL DEFAULT 0 CHECK (has_news IN (0, 1)),
    due_at        BIGINT NOT NULL DEFAULT 0, -- later than now after a failure
    attempts      BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT,
    PRIMARY KEY (receiver, receiver_authorizer)
);

CREATE INDEX merchant_webhooks_due ON merchant_webhooks (due_at) WHERE has_news = 1;

-- The newest news of each payment for a merchant's webhook. Triggers write it, with the news.
CREATE TABLE merchant_news (
    receiver   TEXT NOT NULL,
    receiver_authorizer TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    version    BIGINT NOT NULL, -- counts the news
    is_due     BIGINT NOT NULL CHECK (is_due IN (0, 1)),
    PRIMARY KEY (receiver, receiver_authorizer, payment_id)
);

CREATE INDEX merchant_news_due ON merchant_news (receiver, receiver_authorizer, payment_id) WHERE is_due = 1;

-- Lookup tables that leaders made or are making, until the chain has them no more: their rent comes back.
CREATE TABLE lookup_tables (
    address    TEXT PRIMARY KEY,
    authority  TEXT NOT NULL, -- the fee payer that made it: nobody else can close it
    created_at BIGINT NOT NULL,
    last_valid_block_height BIGINT NOT NULL -- of the transaction that makes it
);

-- One row while nothing new is accepted.
CREATE TABLE pause (id BIGINT PRIMARY KEY CHECK (id = 1));

-- One row while there is a webhook.
CREATE TABLE webhook (id BIGINT PRIMARY KEY CHECK (id = 1));

CREATE FUNCTION note_to_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_to_book (payment_id) VALUES (new.payment_id) ON CONFLICT (payment_id) DO NOTHING;
    RETURN NULL;
END
$$;

-- How sure it is that something is in a block changes nothing in the books.
CREATE TRIGGER operations_to_book AFTER UPDATE OF state, amount, fee ON operations FOR EACH ROW
WHEN ((new.state IN ('queued', 'sent')) <> (old.state IN ('queued', 'sent'))
    OR (new.state IN ('failed', 'refused')) <> (old.state IN ('failed', 'refused'))
    OR (new.amount, new.fee) <> (old.amount, old.fee))
EXECUTE FUNCTION note_to_book();

-- Another transaction than the one that is in the books may have paid.
CREATE FUNCTION note_transaction_to_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO payments_to_book (payment_id)
    SELECT payment_id FROM operations WHERE id = new.operation_id AND state IN ('processed', 'confirmed', 'finalized')
    ON CONFLICT (payment_id) DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER transactions_to_book AFTER UPDATE OF slot, error_code ON transactions FOR EACH ROW
WHEN (new.slot IS DISTINCT FROM old.slot OR new.error_code IS DISTINCT FROM old.error_code)
EXECUTE FUNCTION note_transaction_to_book();

CREATE FUNCTION note_webhook_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM webhook) THEN
        INSERT INTO webhook_deliveries (payment_id, version, attempts, due_at)
        VALUES (new.payment_id, 1, 0, 0)
        ON CONFLICT (payment_id) DO UPDATE
        SET version = webhook_deliveries.version + 1, attempts = 0, due_at = 0, failing_since = NULL;
    END IF;
    RETURN NULL;
END
$$;

-- What is queued or sent is no news, unless it was in a block before.
CREATE TRIGGER webhook_news AFTER UPDATE OF state ON operations FOR EACH ROW
WHEN (new.state <> old.state
    AND (new.state NOT IN ('queued', 'sent') OR old.state NOT IN ('queued', 'sent')))
EXECUTE FUNCTION note_webhook_news();

CREATE FUNCTION note_merchants_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM merchant_webhooks) THEN
        RETURN NULL;
    END IF;
    INSERT INTO merchant_news (receiver, receiver_authorizer, payment_id, version, is_due)
    SELECT merchant_webhooks.receiver, merchant_webhooks.receiver_authorizer, payments.id, 1, 1
    FROM payments JOIN merchant_webhooks ON merchant_webhooks.receiver = payments.receiver
        AND merchant_webhooks.receiver_authorizer IN ('', payments.receiver_authorizer)
    WHERE payments.id = new.payment_id AND url IS NOT NULL
    ON CONFLICT (receiver, receiver_authorizer, payment_id) DO UPDATE SET version = merchant_news.version + 1, is_due = 1;
    UPDATE merchant_webhooks SET has_news = 1
    WHERE has_news = 0 AND url IS NOT NULL
    AND receiver = (SELECT payments.receiver FROM payments WHERE payments.id = new.payment_id)
    AND receiver_authorizer IN ('', (SELECT payments.receiver_authorizer FROM payments WHERE payments.id = new.payment_id));
    RETURN NULL;
END
$$;

CREATE TRIGGER merchants_news AFTER UPDATE OF state ON operations FOR EACH ROW
WHEN (new.state <> old.state
    AND (new.state NOT IN ('queued', 'sent') OR old.state NOT IN ('queued', 'sent')))
EXECUTE FUNCTION note_merchants_news();

-- An array and a count: PostgreSQL turns IN and NOT EXISTS into joins that read all transactions under way.
CREATE FUNCTION forget_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM transaction_bytes
    WHERE signature = ANY (ARRAY(SELECT signature FROM transactions WHERE operation_id = new.id))
    AND (
        SELECT count(*) FROM transactions CROSS JOIN operations
        WHERE transactions.signature = transaction_bytes.signature AND operations.id = operation_id AND closed = 0
    ) = 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER operation_closed AFTER UPDATE OF closed ON operations FOR EACH ROW WHEN (new.closed > old.closed)
EXECUTE FUNCTION forget_bytes();

-- The first operation of a payment begins it, and `kind` is what its intent is settled by.
CREATE FUNCTION keep_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET promised_until = CASE
        WHEN new.state IN ('failed', 'refused') THEN NULL
        WHEN new.state NOT IN ('processed', 'confirmed', 'finalized') THEN 9223372036854775807
        ELSE coalesce((
            SELECT max(slot) FROM transactions
            WHERE operation_id = new.id AND retired = 0 AND error_code IS NULL
        ), CASE new.closed WHEN 1 THEN 0 ELSE 9223372036854775807 END)
    END WHERE id = new.payment_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER promised AFTER INSERT ON operations FOR EACH ROW
WHEN (new.kind IN ('authorize', 'charge')) EXECUTE FUNCTION keep_promise();
CREATE TRIGGER promise_changed AFTER UPDATE OF state, closed ON operations FOR EACH ROW
WHEN (new.kind IN ('authorize', 'charge') AND (new.state <> old.state OR new.closed <> old.closed))
EXECUTE FUNCTION keep_promise();

-- A fork that won may have it in another block.
CREATE FUNCTION move_promise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE payments SET promised_until = coalesce((
        SELECT max(slot) FROM transactions
        WHERE operation_id = new.operation_id AND retired = 0 AND error_code IS NULL
    ), 9223372036854775807) WHERE id = (
        SELECT payment_id FROM operations WHERE id = new.operation_id AND kind IN ('authorize', 'charge')
        AND state IN ('processed', 'confirmed', 'finalized')
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER promise_moved AFTER UPDATE OF slot ON transactions FOR EACH ROW
WHEN (new.slot IS DISTINCT FROM old.slot) EXECUTE FUNCTION move_promise();

-- Which of several verifiers follows, sends and delivers, as long as it gets further: whoever takes over counts on, and
-- what one of an earlier term would write is refused.
CREATE TABLE leader (
    id          BIGINT PRIMARY KEY CHECK (id = 1),
    term        BIGINT NOT NULL,
    leads_until TIMESTAMPTZ NOT NULL -- by the clock of this database; before that, nobody else leads
);

INSERT INTO leader (id, term, leads_until) VALUES (1, 0, '-infinity');

-- Tells every verifier, once for each transaction that commits: there is something to send, or which payments got further.
CREATE FUNCTION tell_verifiers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END
$$;

CREATE FUNCTION tell_of_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('x402_escrow_progress', new.payment_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER operations_added AFTER INSERT ON operations
FOR EACH STATEMENT EXECUTE FUNCTION tell_verifiers('x402_escrow_to_send');
CREATE TRIGGER operations_taken_up AFTER UPDATE OF closed ON operations FOR EACH ROW WHEN (new.closed < old.closed)
EXECUTE FUNCTION tell_verifiers('x402_escrow_to_send');
CREATE TRIGGER operations_got_further AFTER UPDATE ON operations
FOR EACH ROW EXECUTE FUNCTION tell_of_payment();

-- What a voucher is judged by follows from its payment's operations and transactions.
CREATE FUNCTION count_for_vouchers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vouchers SET version = version + 1 WHERE payment_id = new.payment_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION count_transaction_for_vouchers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE vouchers SET version = version + 1
    WHERE payment_id = (SELECT payment_id FROM operations WHERE id = coalesce(new.operation_id, old.operation_id));
    RETURN NULL;
END
$$;

CREATE TRIGGER operation_added AFTER INSERT ON operations
FOR EACH ROW EXECUTE FUNCTION count_for_vouchers();
CREATE TRIGGER operation_changed AFTER UPDATE ON operations FOR EACH ROW
WHEN ((new.kind, new.amount, new.fee, new.last, new.state, new.error_code)
    IS DISTINCT FROM (old.kind, old.amount, old.fee, old.last, old.state, old.error_code))
EXECUTE FUNCTION count_for_vouchers();
CREATE TRIGGER transaction_added AFTER INSERT ON transactions
FOR EACH ROW EXECUTE FUNCTION count_transaction_for_vouchers();
CREATE TRIGGER transaction_changed AFTER UPDATE ON transactions FOR EACH ROW
WHEN ((new.state, new.slot, new.error_code) IS DISTINCT FROM (old.state, old.slot, old.error_code))
EXECUTE FUNCTION count_transaction_for_vouchers();
CREATE TRIGGER transaction_removed AFTER DELETE ON transactions
FOR EACH ROW EXECUTE FUNCTION count_transaction_for_vouchers();
