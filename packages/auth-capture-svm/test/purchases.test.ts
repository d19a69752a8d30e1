import assert from "node:assert/strict";
import { test } from "node:test";

import { readHex, writeBase58 } from "../src/bytes.js";
import { sign } from "../src/ed25519.js";
import { captureSignedBytes, intentSignedBytes } from "../src/messages.js";
import { paymentIdOf } from "../src/server/payment.js";
import { Purchases } from "../src/server/purchases.js";
import type { Accepted } from "../src/server/terms.js";
import { intentOf, readExtra, readIntentPayload } from "../src/wire.js";
import { AGENT_SEED, draft, NOW, offer, session } from "./fixture.js";

const SOMEBODY_ELSE = new Uint8Array(32);

/** A payment for one request. */
function single(nonce: number, seed = AGENT_SEED, captureDeadline = NOW + 600): Accepted {
  const accepted = { ...offer(), extra: { ...offer().extra, captureDeadline } };
  const payload = { ...draft(), nonce: String(nonce) };
  const signed = intentSignedBytes(intentOf(accepted, readExtra(accepted), readIntentPayload(payload)));
  const payment = { x402Version: 2, accepted, payload: { ...payload, signature: writeBase58(sign(seed, signed)) } };
  const { sessionKey } = session();
  return { payment, paymentId: paymentIdOf(payment), amount: 1000n, captureDeadline, sessionKey };
}

/** A voucher of a hold that is there already. */
function voucher(hold: string, amount: number, seed = AGENT_SEED): Accepted {
  const paymentId = hold.padStart(64, "0");
  const message = { intentDigest: readHex(paymentId, 32, "id"), amount: BigInt(amount), fee: 0n, last: false };
  const signature = writeBase58(sign(seed, captureSignedBytes(message)));
  const accepted = { ...offer(), extra: { ...offer().extra, requestPrice: "100" } };
  const payload = { type: "voucher", paymentId, amount: String(amount), fee: "0", signature };
  const payment = { x402Version: 2, accepted, payload };
  return { payment, paymentId, amount: BigInt(amount), captureDeadline: NOW + 600 };
}

/** The same of a hold that this server opened. */
function ownVoucher(hold: string, amount: number): Accepted {
  return { ...voucher(hold, amount), sessionKey: session().sessionKey };
}

test("a payment is remembered until its capture deadline, however many there are, and then forgotten", () => {
  const purchases = new Purchases();
  const early = single(1);
  const late = single(2, AGENT_SEED, NOW + 900);
  const serve = (accepted: Accepted, from: number, to: number, now: number): void => {
    for (let number = from; number < to; number += 1) {
      purchases.serve({ ...accepted, paymentId: String(number) }, now);
    }
  };
  serve(early, 0, 5000, NOW);
  serve(late, 5000, 20_000, NOW + 600);
  assert.equal(purchases.size, 20_000);
  serve(late, 20_000, 35_000, NOW + 601);
  const isServed = [0, 4999, 5000, 34_999].map((id) => purchases.isServed({ ...early, paymentId: String(id) }));
  assert.deepEqual([purchases.size, isServed], [30_000, [false, false, true, true]]);
});

test("what nobody signed takes no memory, nor the place of what is owed", () => {
  const purchases = new Purchases();
  purchases.doubt(single(1, SOMEBODY_ELSE), NOW);
  purchases.doubt(voucher("1", 100), NOW);
  assert.equal(purchases.size, 0, "who signs for a hold that another run opened is not known");

  purchases.serve(ownVoucher("1", 100), NOW);
  purchases.doubt(voucher("1", 200), NOW);
  purchases.doubt(voucher("1", 300, SOMEBODY_ELSE), NOW);
  assert.deepEqual([purchases.size, purchases.isOwed(voucher("1", 200))], [1, true]);
});

test("of what bought nothing and has no verdict the oldest is forgotten, and nothing else", () => {
  const purchases = new Purchases(2);
  purchases.serve(single(1), NOW);
  const unanswered = [single(2), single(3), single(4)];
  unanswered.forEach((accepted) => purchases.doubt(accepted, NOW));
  const isOwed = unanswered.map((accepted) => purchases.isOwed(accepted));
  assert.deepEqual([purchases.size, purchases.isServed(single(1)), isOwed], [3, true, [false, true, true]]);
});

test("nothing is served twice, whatever is answered, and in whatever order", () => {
  const vouchers = ["1", "2"].flatMap((hold) => [1, 2, 3, 4].map((amount) => ownVoucher(hold, amount)));
  for (let seed = 1; seed <= 100; seed += 1) {
    let state = seed;
    const below = (limit: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % limit;
    };
    const purchases = new Purchases();
    const asked: Accepted[] = [];
    const handled: Accepted[] = [];
    const served = new Map<Accepted, number>();
    const count = (one: Accepted, by: number): void => void served.set(one, (served.get(one) ?? 0) + by);
    for (let step = 0; step < 100; step += 1) {
      const [answered] = asked.splice(below(asked.length + 1), 1);
      if (answered === undefined) {
        const sent = vouchers[below(vouchers.length)] as Accepted;
        if (!purchases.isServed(sent) && purchases.claim(sent)) {
          asked.push(sent);
        }
      } else {
        const answer = ["none", "new", "repeated", "refused"][below(4)];
        if (answer === "none") {
          purchases.doubt(answered, NOW);
        } else if (answer === "new" || (answer === "repeated" && purchases.isOwed(answered))) {
          purchases.serve(answered, NOW);
          handled.push(answered);
          count(answered, 1);
        }
        purchases.release(answered);
      }
      const [failed] = below(4) === 0 ? handled.splice(below(handled.length + 1), 1) : [];
      if (failed !== undefined) {
        purchases.fail(failed);
        count(failed, -1);
      }
      assert.ok([...served.values()].every((times) => times <= 1), `seed ${seed}`);
    }
  }
});
