import assert from "node:assert/strict";
import { test } from "node:test";

import type { PaymentRequirements } from "@x402/core/types";

import { checkDraft, checkOffer, MAXIMUM_HOLD_SECONDS, receiverProof } from "../src/client/draft.js";
import { address, draft, NOW, offer, RESOURCE_HASH, session } from "./fixture.js";

const expected = { session: session(), resourceHash: RESOURCE_HASH, maximumAmount: 1000n, now: NOW };
const own = { nonce: 1n, receiverProof: [] };

test("an honest draft becomes the intent", () => {
  assert.deepEqual(checkDraft(offer(), draft(), own, expected), {
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
  const intent = checkDraft({ ...offer(), extra: { ...extra, refundDeadline: null } }, draft(), own, expected);
  assert.deepEqual([intent.flow, intent.maximumFeeBps, intent.refundDeadline], ["escrow", 0, 0n]);
  const fee = { feeRecipient: address(8), maxFeeBps: 100, refundDeadline: NOW + 900 };
  const withFee = checkDraft({ ...offer(), extra: { ...extra, ...fee } }, draft(), own, expected);
  assert.deepEqual(
    [withFee.feeRecipient, withFee.maximumFeeBps, withFee.refundDeadline],
    [address(8), 100, BigInt(NOW + 900)],
  );
});

test("a charge is signed as one, and a hold that is captured later as any other", () => {
  const flow = (extra: Record<string, unknown>) =>
    checkDraft({ ...offer(), extra: { ...offer().extra, ...extra } }, draft(), own, expected).flow;
  assert.equal(flow({ paymentFlow: "authorization" }), "authorization");
  assert.equal(flow({ captureMode: "deferred" }), "escrow");
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
  ["paymentFlow", { paymentFlow: "upfront" }],
  ["captureMode", { captureMode: "later" }],
  ["captureMode", { paymentFlow: "authorization", captureMode: "deferred" }],
  ["captureAuthorizer", { paymentFlow: "authorization", captureAuthorizer: "sessionKey" }],
  ["resourceHash", { resourceHash: "00".repeat(32) }],
  ["resourceHash", { resourceHash: "0606" }],
  ["captureDeadline", { captureDeadline: NOW + MAXIMUM_HOLD_SECONDS + 1 }],
  ["captureDeadline", { captureDeadline: "soon" }],
  ["captureDeadline", { captureDeadline: -(2 ** 60) }],
  ["captureAuthorizer", { captureAuthorizer: "" }],
  ["receiverAuthorizer", { receiverAuthorizer: undefined }],
  ["maxFeeBps", { maxFeeBps: 0.5 }],
  ["feeRecipient", { feeRecipient: 5 }],
  ["feeRecipient", { maxFeeBps: 1 }],
  ["feeRecipient", { maxFeeBps: 1, feeRecipient: offer().payTo }],
  ["feeRecipient", { maxFeeBps: 1, feeRecipient: session().escrow }],
  ["maxFeeBps", { maxFeeBps: 10_001, feeRecipient: address(8) }],
  ["maxFeeBps", { maxFeeBps: -1, feeRecipient: address(8) }],
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
  ["nonce", { nonce: "2" }],
  ["nonce", { nonce: 1 }],
  ["nonce", { nonce: "18446744073709551616" }],
  ["receiverProof", { receiverProof: ["01".repeat(32)] }],
  ["authorizeBy", { authorizeBy: NOW }],
  ["authorizeBy", { authorizeBy: NOW + 601 }],
];
for (const [name, change] of refusedPayloads) {
  test(`draft with ${JSON.stringify(change)}: refused for ${name}`, () => {
    assert.throws(() => checkDraft(offer(), { ...draft(), ...change }, own, expected), { field: `payload.${name}` });
  });
}

test("an intent may wait fifteen minutes at most, however long the hold", () => {
  const long = { ...offer(), extra: { ...offer().extra, captureDeadline: NOW + 3600 } };
  assert.ok(checkDraft(long, { ...draft(), authorizeBy: NOW + 900 }, own, expected));
  assert.throws(() => checkDraft(long, { ...draft(), authorizeBy: NOW + 901 }, own, expected), {
    field: "payload.authorizeBy",
  });
});

test("a fee recipient may be named where there is no fee", () => {
  for (const feeRecipient of [offer().payTo, session().escrow, address(8), null]) {
    checkOffer({ ...offer(), extra: { ...offer().extra, feeRecipient } }, expected);
  }
});

test("a session with a list pays its receivers, with a proof and without a fee, and nobody else", () => {
  const listed = session({ receivers: [address(5), address(8)] });
  const proof = receiverProof(offer(), listed);
  assert.equal(proof.length, 1);
  const drafted = { ...draft(), receiverProof: proof };
  const theirs = { ...expected, session: listed };
  const ours = { nonce: 1n, receiverProof: proof };
  assert.equal(checkDraft(offer(), drafted, ours, theirs).receiver, address(5));
  for (const receiverProof of [undefined, [], ["01".repeat(32)], [...proof, ...proof], Array(13).fill(proof[0]), "x"]) {
    const field = /^payload.receiverProof/;
    assert.throws(() => checkDraft(offer(), { ...drafted, receiverProof }, ours, theirs), { field });
  }
  assert.throws(() => checkOffer({ ...offer(), payTo: address(9) }, theirs), { field: "accepted.payTo" });
  const withFee = { ...offer(), extra: { ...offer().extra, maxFeeBps: 1, feeRecipient: address(9) } };
  assert.throws(() => checkOffer(withFee, theirs), { field: "accepted.extra.maxFeeBps" });
  checkOffer(withFee, expected);
});

test("a session with a list of one needs no proof", () => {
  const listed = session({ receivers: [address(5)] });
  assert.deepEqual(receiverProof(offer(), listed), []);
  assert.ok(checkDraft(offer(), draft(), own, { ...expected, session: listed }));
});
