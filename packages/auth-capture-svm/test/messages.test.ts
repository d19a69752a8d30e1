import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as messages from "@x402-escrow/svm/messages";

import { readBase58, readHex, writeBase58, writeHex } from "../src/bytes.js";
import { publicKey } from "../src/ed25519.js";

interface Steps {
  name: string;
  layout: string;
  digest: string;
  signed_bytes: string;
  signer: string;
  signature: string;
}

interface Vectors {
  keys: { name: string; seed: string; public_key: string }[];
  intents: (Steps & { fields: Record<string, string> & { maximum_fee_bps: number; flow: messages.Intent["flow"] } })[];
  captures: (Steps & { fields: { intent_digest: string; amount: string; fee: string; last: boolean } })[];
  releases: (Steps & { fields: { intent_digest: string; amount: string } })[];
  revokes: (Steps & {
    fields: {
      program: string;
      escrow: string;
      session_key: string;
      incarnation: string;
      opened_through_slot: string;
    };
  })[];
  resource_hashes: { method: string; url: string; body: string; hash: string }[];
  refused: { name: string; signed_bytes: string; public_key: string; signature: string }[];
}

const file = new URL("../../../../docs/messages-vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

const { sign, verify } = messages;

function bytes(hex: string): Uint8Array {
  return readHex(hex, hex.length / 2, "vector");
}

/** Holds what every step of signing makes against the vector, and verifies the signature. */
function checkSteps(vector: Steps, layout: Uint8Array, signedBytes: Uint8Array): void {
  const key = vectors.keys.find(({ name }) => name === vector.signer);
  assert.ok(key);
  assert.equal(writeHex(layout), vector.layout);
  assert.equal(writeHex(signedBytes), vector.signed_bytes);
  assert.equal(vector.signed_bytes.slice(30), vector.digest);
  assert.equal(writeHex(sign(bytes(key.seed), signedBytes)), vector.signature);
  assert.ok(verify(readBase58(key.public_key, 32, "key"), signedBytes, bytes(vector.signature)));
}

for (const { name, seed, public_key } of vectors.keys) {
  test(`key: ${name}`, () => assert.equal(writeBase58(publicKey(bytes(seed))), public_key));
}

for (const vector of vectors.intents) {
  test(`intent: ${vector.name}`, () => {
    const field = (name: string): string => vector.fields[name] ?? assert.fail(`${name} is missing`);
    const intent: messages.Intent = {
      program: field("program"),
      incarnation: bytes(field("incarnation")),
      escrow: field("escrow"),
      sessionKey: field("session_key"),
      receiver: field("receiver"),
      captureAuthorizer: field("capture_authorizer"),
      receiverAuthorizer: field("receiver_authorizer"),
      feeRecipient: field("fee_recipient"),
      resourceHash: bytes(field("resource_hash")),
      amount: BigInt(field("amount")),
      nonce: BigInt(field("nonce")),
      authorizeBy: BigInt(field("authorize_by")),
      captureDeadline: BigInt(field("capture_deadline")),
      refundDeadline: BigInt(field("refund_deadline")),
      maximumFeeBps: vector.fields.maximum_fee_bps,
      flow: vector.fields.flow,
    };
    checkSteps(vector, messages.intentLayout(intent), messages.intentSignedBytes(intent));
    assert.equal(writeHex(messages.intentDigest(intent)), vector.digest);
  });
}

for (const vector of vectors.captures) {
  test(`capture: ${vector.name}`, () => {
    const { intent_digest, amount, fee, last } = vector.fields;
    const capture = { intentDigest: bytes(intent_digest), amount: BigInt(amount), fee: BigInt(fee), last };
    checkSteps(vector, messages.captureLayout(capture), messages.captureSignedBytes(capture));
  });
}

for (const vector of vectors.releases) {
  test(`release: ${vector.name}`, () => {
    const release = { intentDigest: bytes(vector.fields.intent_digest), amount: BigInt(vector.fields.amount) };
    checkSteps(vector, messages.releaseLayout(release), messages.releaseSignedBytes(release));
  });
}

for (const vector of vectors.revokes) {
  test(`revoke: ${vector.name}`, () => {
    const { program, escrow, session_key, incarnation, opened_through_slot } = vector.fields;
    const sessions =
      session_key === "1".repeat(32)
        ? { openedThroughSlot: BigInt(opened_through_slot) }
        : { sessionKey: session_key, incarnation: bytes(incarnation) };
    const revoke: messages.Revoke = { program, escrow, sessions };
    checkSteps(vector, messages.revokeLayout(revoke), messages.revokeSignedBytes(revoke));
  });
}

for (const { method, url, body, hash } of vectors.resource_hashes) {
  test(`resource hash: ${method} ${url} ${body}`, () => {
    assert.equal(writeHex(messages.resourceHash(method, url, bytes(body))), hash);
  });
}

for (const { name, signed_bytes, public_key, signature } of vectors.refused) {
  test(`refused: ${name}`, () => {
    assert.equal(verify(readBase58(public_key, 32, "key"), bytes(signed_bytes), bytes(signature)), false);
  });
}

test("numbers outside their type are refused, not cut off", () => {
  const release = { intentDigest: new Uint8Array(32), amount: 2n ** 64n };
  assert.throws(() => messages.releaseLayout(release), /amount: 18446744073709551616 is not an integer from 0/);
  assert.throws(() => messages.releaseLayout({ ...release, amount: -1n }), RangeError);
  assert.throws(() => messages.releaseLayout({ intentDigest: new Uint8Array(31), amount: 0n }), /expected 32 bytes/);
});
