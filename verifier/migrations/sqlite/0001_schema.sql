-- Ids are lower-case hex, keys and signatures base58, amounts decimal (SQLite's integers end at 2^63 - 1), times unix
-- seconds: readable as they are.

-- Payments of both schemes: those that are held first, and those that are paid at once.
CREATE TABLE payments (
    id          TEXT PRIMARY KEY, -- SHA-256 of what the payer signed: the intent, or the transaction's message
    scheme      TEXT NOT NULL CHECK (scheme IN ('auth-capture', 'exact')),
    payer       TEXT NOT NULL,
    mint        TEXT NOT NULL,
    receiver    TEXT NOT NULL,
    amount      TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    -- When to look whether something is left that nobody ended; NULL once nothing is.
    review_at   INTEGER,
    -- Of those that are held first.
    escrow      TEXT,
    intent      BLOB, -- laid out as docs/messages.md has it
    signature   TEXT,
    receiver_proof BLOB, -- shows that the receiver is in the session's list: hashes of 32 bytes, one after another
    claim       TEXT, -- which installation of a merchant settled it first, as hex
    capture_deadline INTEGER,
    locked_rent INTEGER NOT NULL DEFAULT 0, -- lamports that its budgets get back once nothing is held
    -- Of those that are paid at once.
    destination TEXT, -- the receiver's token account
    told        INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)), -- 1 once somebody was told that it is paid
    CHECK ((scheme = 'auth-capture') = (intent IS NOT NULL)),
    CHECK ((scheme = 'auth-capture') = (capture_deadline IS NOT NULL)),
    CHECK ((scheme = 'exact') = (destination IS NOT NULL))
) STRICT;

CREATE INDEX payments_by_escrow ON payments (escrow);
CREATE INDEX payments_open_by_escrow ON payments (escrow) WHERE review_at IS NOT NULL;
CREATE INDEX payments_to_review ON payments (review_at) WHERE review_at IS NOT NULL;
CREATE INDEX payments_by_deadline ON payments (capture_deadline, review_at) WHERE review_at IS NOT NULL;
CREATE INDEX payments_newest ON payments (accepted_at, id);
CREATE INDEX payments_by_receiver ON payments (receiver, accepted_at, id);

CREATE TABLE operations (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    payment_id  TEXT NOT NULL REFERENCES payments (id),
    kind        TEXT NOT NULL CHECK (kind IN ('authorize', 'transfer', 'capture', 'close', 'void', 'refund', 'reclaim')),
    amount      TEXT NOT NULL,
    fee         TEXT NOT NULL,
    last        INTEGER NOT NULL CHECK (last IN (0, 1)),
    returns     TEXT NOT NULL, -- of a refund: what it adds to those before it
    signature   TEXT, -- NULL where the action needs none
    release_signature TEXT, -- of a close, which needs two
    bound       TEXT, -- of a close: the amount of the voucher that it captures out of
    commitment  TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    state       TEXT NOT NULL,
    closed      INTEGER NOT NULL CHECK (closed IN (0, 1)),
    error_code  TEXT,
    error       TEXT,
    UNIQUE (payment_id, kind, amount, fee, last, returns)
) STRICT;

CREATE INDEX operations_open ON operations (id) WHERE closed = 0;
CREATE INDEX operations_fruitless ON operations (accepted_at) WHERE state IN ('failed', 'refused');

-- The last voucher of each streamed hold: a capture that the session key signed. It is money until it is captured.
CREATE TABLE vouchers (
    payment_id TEXT PRIMARY KEY REFERENCES payments (id),
    amount     TEXT NOT NULL,
    fee        TEXT NOT NULL,
    signature  TEXT NOT NULL
) STRICT;

-- Who may be told yes again to the newest vouchers of a hold, in the order in which they were accepted.
CREATE TABLE voucher_claims (
    payment_id TEXT NOT NULL REFERENCES payments (id),
    number     INTEGER NOT NULL,
    amount     TEXT NOT NULL,
    increment  TEXT NOT NULL, -- what the voucher added to those before it
    claim      TEXT NOT NULL,
    PRIMARY KEY (payment_id, number)
) STRICT;

-- A transaction carries several operations: one row for each, each with the transaction's bytes.
CREATE TABLE transactions (
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

CREATE INDEX transactions_by_operation ON transactions (operation_id);

-- What clients call their payments: ids of the key that signs, each bound to what was signed for it. A row is written
-- with the payment that it names, and forgotten after a day, or when the key has a thousand newer ones.
CREATE TABLE payment_identifiers (
    signer      TEXT NOT NULL,
    id          TEXT NOT NULL,
    signed_hash TEXT NOT NULL, -- SHA-256 of all that was signed, as hex
    amount      TEXT NOT NULL, -- what it pays
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (signer, id)
) STRICT;

CREATE INDEX payment_identifiers_by_age ON payment_identifiers (accepted_at);
CREATE INDEX payment_identifiers_by_signer ON payment_identifiers (signer, accepted_at);

-- What is given out of each budget of lamports in the period that ends then: processes take slices and spend them in
-- memory. A row is forgotten once its period is over.
CREATE TABLE budgets (
    kind    TEXT NOT NULL CHECK (kind IN ('fees', 'rent')),
    owner   TEXT NOT NULL CHECK (owner IN ('payer', 'receiver', 'overall')),
    address TEXT NOT NULL, -- the payer's or the receiver's; '' for everybody
    period  TEXT NOT NULL CHECK (period IN ('hour', 'day')),
    ends_at INTEGER NOT NULL,
    leased  INTEGER NOT NULL, -- lamports
    PRIMARY KEY (kind, owner, address, period, ends_at)
) STRICT;

CREATE INDEX budgets_by_end ON budgets (ends_at);

-- The newest news of each payment, and whether a webhook has it. Triggers write it, so that it is on
-- disk with the news.
CREATE TABLE webhook_deliveries (
    payment_id TEXT PRIMARY KEY,
    -- Counts the news: part of the message's id, and one that came while another was sent is not lost.
    version    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    -- NULL once it is delivered.
    due_at     INTEGER,
    -- When the first of the attempts failed; NULL if none did.
    failing_since INTEGER
) STRICT;

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at) WHERE due_at IS NOT NULL;

-- One row while nothing new is accepted.
CREATE TABLE pause (id INTEGER PRIMARY KEY CHECK (id = 1)) STRICT;

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
