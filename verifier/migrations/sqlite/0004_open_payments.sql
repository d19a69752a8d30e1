-- How many payments of an escrow are not over.
CREATE INDEX payments_open_by_escrow ON payments (escrow) WHERE review_at IS NOT NULL;
