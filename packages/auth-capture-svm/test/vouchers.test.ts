import assert from "node:assert/strict";
import { test } from "node:test";

import { writeBase58, writeHex } from "../src/bytes.js";
import { checkDraft } from "../src/client/draft.js";
import { Vouchers } from "../src/client/vouchers.js";
import { sign } from "../src/ed25519.js";
import { captureSignedBytes, type Intent, intentDigest } from "../src/messages.js";
import { checkVoucher } from "../src/server.js";
import { AGENT_SEED, draft, NOW, offer, RESOURCE_HASH, session } from "./fixture.js";

const { sessionKey } = session();

/** A hold of 1,000 base units whose captures the session key signs. */
function channel(changes: Partial<Intent> = {}): { vouchers: Vouchers; paymentId: string } {
  const expected = { session: session(), resourceHash: RESOURCE_HASH, maximumAmount: 1000n, now: NOW };
  const offered = { ...offer(), extra: { ...offer().extra, captureAuthorizer: sessionKey } };
  const intent = { ...checkDraft(offered, draft(), expected), captureDeadline: 4_000_000_000n, ...changes };
  const vouchers = new Vouchers(session());
  const paymentId = writeHex(intentDigest(intent));
  vouchers.opened(paymentId, intent);
  return { vouchers, paymentId };
}

test("a thousand vouchers owe more and more, and each pays for its request", () => {
  const { vouchers, paymentId } = channel();
  for (const owed of [1n, 2n, 500n, 1000n]) {
    const voucher = vouchers.sign(paymentId, owed);
    assert.deepEqual(checkVoucher(voucher, { paymentId, sessionKey, hold: 1000n, owed }), voucher);
    assert.equal(voucher.amount, owed.toString());
  }
});

test("a voucher above the hold, or not above the last, is not signed", () => {
  const { vouchers, paymentId } = channel();
  vouchers.sign(paymentId, 400n);
  for (const owed of [1001n, 400n, 399n, 0n, -1n]) {
    const message = new RegExp(`a voucher of ${owed} base units, but must be above 400, at most 1000`);
    assert.throws(() => vouchers.sign(paymentId, owed), { name: "VoucherError", message });
  }
  assert.equal(vouchers.sign(paymentId, 401n).amount, "401");
});

test("a payment that is no channel, or whose time is over, gets none", () => {
  const merchants = channel({ captureAuthorizer: offer().payTo });
  assert.throws(() => merchants.vouchers.sign(merchants.paymentId, 1n), /is not one whose captures this session key/);
  const over = channel({ captureDeadline: BigInt(NOW) });
  assert.throws(() => over.vouchers.sign(over.paymentId, 1n), /can't be captured any more/);
});

/** A voucher of 400 with changes, signed as it then is. */
function signed(changes: Record<string, unknown>, seed = AGENT_SEED): Record<string, unknown> {
  const { paymentId } = channel();
  const voucher = { type: "capture", paymentId, amount: "400", fee: "0", last: false, ...changes };
  const fields = { amount: BigInt(voucher.amount), fee: BigInt(voucher.fee), last: voucher.last };
  const digest = Uint8Array.from(Buffer.from(voucher.paymentId, "hex"));
  const signature = sign(seed, captureSignedBytes({ intentDigest: digest, ...fields }));
  return { ...voucher, signature: writeBase58(signature) };
}

const refused: [string, unknown, RegExp][] = [
  ["another key's signature", signed({}, new Uint8Array(32).fill(9)), /voucher\.signature: is not by the session key/],
  ["an amount that was not signed", { ...signed({}), amount: "401" }, /voucher\.signature: is not by the session key/],
  ["a signature that is none", { ...signed({}), signature: "abc" }, /voucher\.signature: expected 64 bytes in base58/],
  ["less than is owed", signed({ amount: "399" }), /voucher\.amount: must be at least 400/],
  ["more than is held", signed({ amount: "1001" }), /voucher\.amount: is above the hold of 1000/],
  ["another payment's hold", signed({ paymentId: "00".repeat(32) }), /voucher\.paymentId: is another payment/],
  ["a fee", signed({ fee: "1" }), /voucher\.fee: must be 0/],
  ["a release of the rest", signed({ last: true }), /voucher\.last: must be false/],
  ["another type", { ...signed({}), type: "void" }, /voucher\.type: must be capture/],
  ["nothing", null, /voucher: expected an object/],
];
for (const [name, voucher, message] of refused) {
  test(`a voucher with ${name} is refused`, () => {
    const { paymentId } = channel();
    const expected = { paymentId, sessionKey, hold: 1000n, owed: 400n };
    assert.throws(() => checkVoucher(voucher, expected), { name: "FieldError", message });
  });
}
