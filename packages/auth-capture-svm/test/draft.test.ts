import assert from "node:assert/strict";
import { test } from "node:test";

import type { PaymentRequirements } from "@x402/core/types";

import { checkDraft, checkOffer, MAXIMUM_HOLD_SECONDS } from "../src/client/draft.js";
import { address, draft, NOW, offer, RESOURCE_HASH, session } from "./fixture.js";

const expected = { session: session(), resourceHash: RESOURCE_HASH, maximumAmount: 1000n, now: NOW };

test("an honest draft becomes the intent", () => {
  assert.deepEqual(checkDraft(offer(), draft(), expected), {
    program: session().program,
    incarnation: new Uint8Array(32).fill(3),
    escrow: address(1),
    sessionKey: session().sessionKey,
    receiver: address(5),
    captureAuthorizer: address(5),
    receiverAuthorizer: address(5),
    feeRecipient: address(5),
    resourceHash: RESOURCE_HASH,
    amount: 1000n,
    nonce: 1n,
    authorizeBy: BigInt(NOW + 60),
    captureDeadline: BigInt(NOW + 600),
    refundDeadline: 0n,
    maximumFeeBps: 0,
    flow: "escrow",
  });
});

test("what the offer may leave out has its default, what it has is taken", () => {
  const { paymentFlow: _flow, maxFeeBps: _bps, ...extra } = offer().extra;
  const intent = checkDraft({ ...offer(), extra: { ...extra, refundDeadline: null } }, draft(), expected);
  assert.deepEqual([intent.flow, intent.maximumFeeBps, intent.refundDeadline], ["escrow", 0, 0n]);
  const fee = { feeRecipient: address(8), maxFeeBps: 100, refundDeadline: NOW + 900 };
  const withFee = checkDraft({ ...offer(), extra: { ...extra, ...fee } }, draft(), expected);
  assert.deepEqual(
    [withFee.feeRecipient, withFee.maximumFeeBps, withFee.refundDeadline],
    [address(8), 100, BigInt(NOW + 900)],
  );
});

const refusedOffers: [string, Partial<PaymentRequirements>][] = [
  ["accepted.scheme", { scheme: "exact" }],
  ["accepted.network", { network: "solana:other" }],
  ["accepted.asset", { asset: address(9) }],
  ["accepted.amount", { amount: "1001" }],
  ["accepted.amount", { amount: "-1" }],
  ["accepted.amount", { amount: "1e3" }],
];
for (const [field, change] of refusedOffers) {
  test(`offer with ${JSON.stringify(change)}: refused for ${field}`, () => {
    assert.throws(() => checkOffer({ ...offer(), ...change }, expected), { name: "RefusedError", field });
  });
}

const refusedExtras: [string, Record<string, unknown>][] = [
  ["program", { program: address(9) }],
  ["program", { program: undefined }],
  ["paymentFlow", { paymentFlow: "authorization" }],
  ["resourceHash", { resourceHash: "00".repeat(32) }],
  ["resourceHash", { resourceHash: "0606" }],
  ["captureDeadline", { captureDeadline: NOW + MAXIMUM_HOLD_SECONDS + 1 }],
  ["captureDeadline", { captureDeadline: "soon" }],
  ["captureDeadline", { captureDeadline: -(2 ** 60) }],
  ["captureAuthorizer", { captureAuthorizer: "" }],
  ["receiverAuthorizer", { receiverAuthorizer: undefined }],
  ["maxFeeBps", { maxFeeBps: 0.5 }],
  ["feeRecipient", { feeRecipient: 5 }],
];
for (const [name, change] of refusedExtras) {
  test(`offer with extra ${JSON.stringify(change)}: refused for ${name}`, () => {
    const altered = { ...offer(), extra: { ...offer().extra, ...change } };
    assert.throws(() => checkOffer(altered, expected), { name: "RefusedError", field: `accepted.extra.${name}` });
  });
}

const refusedPayloads: [string, Record<string, unknown>][] = [
  ["escrow", { escrow: address(8) }],
  ["escrow", { escrow: undefined }],
  ["sessionKey", { sessionKey: address(8) }],
  ["incarnation", { incarnation: address(8) }],
  ["nonce", { nonce: "0" }],
  ["nonce", { nonce: 1 }],
  ["nonce", { nonce: "18446744073709551616" }],
  ["authorizeBy", { authorizeBy: NOW }],
  ["authorizeBy", { authorizeBy: NOW + 601 }],
];
for (const [name, change] of refusedPayloads) {
  test(`draft with ${JSON.stringify(change)}: refused for ${name}`, () => {
    assert.throws(() => checkDraft(offer(), { ...draft(), ...change }, expected), { field: `payload.${name}` });
  });
}

test("an intent may wait fifteen minutes at most, however long the hold", () => {
  const long = { ...offer(), extra: { ...offer().extra, captureDeadline: NOW + 3600 } };
  assert.ok(checkDraft(long, { ...draft(), authorizeBy: NOW + 900 }, expected));
  assert.throws(() => checkDraft(long, { ...draft(), authorizeBy: NOW + 901 }, expected), {
    field: "payload.authorizeBy",
  });
});
