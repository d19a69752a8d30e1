import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  AgentError,
  InDoubtError,
  JournalError,
  KeyUsedError,
  NoAnswerError,
  NoncesError,
  PlainHttpError,
  RefusedError,
  SessionExpiredError,
  SpendingError,
  TooManyHoldsError,
} from "../src/client/errors.js";
import { type Session, SessionError } from "../src/client/session.js";
import { NoDraftError } from "../src/client/verifier.js";
import { FieldError } from "../src/fields.js";

type Listed = Readonly<Record<string, { readonly retry: boolean }>>;
const list = JSON.parse(readFileSync(new URL("../../../../docs/agent-errors.json", import.meta.url), "utf8")) as {
  readonly fetch: Listed;
  readonly other: Listed;
};

const SESSION = { verifier: "https://verifier.test", decimals: 6 };

const ERRORS: readonly AgentError[] = [
  new RefusedError(new FieldError("accepted.amount", "is too much")),
  new RefusedError(new FieldError("accepted.payTo", "is not listed")),
  new SpendingError("spending_limit", "spent", { field: "spendingLimit" }),
  new SpendingError("spending_file", "broken"),
  new SpendingError("locked_limit", "locked", { retry: true }),
  new NoncesError("none"),
  new JournalError("broken"),
  new SessionError("broken"),
  new SessionExpiredError(1_900_000_000),
  new KeyUsedError("already_bought", "bought"),
  new KeyUsedError("key_conflict", "another"),
  new KeyUsedError("no_such_key", "none"),
  new PlainHttpError("plain", "url"),
  new TooManyHoldsError("https://shop.test", 1_900_000_000),
  new InDoubtError("ab", "https://verifier.test"),
  new NoAnswerError("ab", 250_000n, "https://shop.test", SESSION, undefined),
  new NoDraftError(SESSION as Session, "no"),
];

/** What only the Rust agent says. */
const RUST = [
  "another_session",
  "invalid_request",
  "no_offer",
  "not_streamed",
  "not_x402",
  "setup",
  "streams_file",
  "unreachable",
];

test("both agents have the same codes", () => {
  const listed: Listed = { ...list.fetch, ...list.other };
  for (const { code, retry, name } of ERRORS) {
    assert.equal(retry, listed[code]?.retry, `${name} ${code}`);
  }
  const codes = [...new Set(ERRORS.map(({ code }) => code as string)), ...RUST].sort();
  assert.deepEqual(codes, Object.keys(listed).sort());
});

test("an error is an object as the command line prints it", () => {
  const [refused, , , , , , , , expired] = ERRORS;
  assert.deepEqual(JSON.parse(JSON.stringify(refused)), {
    code: "draft_refused",
    message: "the payment is not what was asked for, so it was not signed: accepted.amount: is too much",
    field: "accepted.amount",
    remedy: "raise maximumAmount, if it is worth that to you",
    retry: false,
  });
  assert.match(expired?.message ?? "", /2030-03-17T17:46:40/);
  assert.match(expired?.remedy ?? "", /--expires/);
  assert.match(new NoAnswerError("ab", 250_000n, "u", SESSION, undefined).message, /of 0\.25 was sent/);
});
