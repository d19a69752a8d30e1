import assert from "node:assert/strict";
import { test } from "node:test";

import type { PaymentPayload } from "@x402/core/types";

import { readBase58, readHex, writeHex } from "../src/bytes.js";
import { publicKey, verify } from "../src/ed25519.js";
import { releaseSignedBytes, streamResourceHash } from "../src/messages.js";
import { paymentIdOf } from "../src/server/payment.js";
import { address, AUTHORIZER, AUTHORIZER_ADDRESS } from "./fixture.js";
import { Ledger } from "./ledger.js";
import { opening, payment, send, shop, voucher } from "./shop.js";

const REPEATED = { success: false, errorReason: "invalid_auth_capture_svm_voucher_repeated" };
/** The facilitator's answer to a voucher over the price, and the same again. */
const VOUCHED = { amount: "100", extra: { status: "confirmed" } };
const AGAIN = { amount: "100", extra: { status: "confirmed", alreadySettled: true, claimed: true } };

test("the challenge asks for a hold that is bound to the origin, and tells each request's price", async () => {
  const { base } = await shop();
  const { accepted } = await payment(`${base}/tick?now`);
  const { captureAuthorizer, receiverAuthorizer, requestPrice, resourceHash } = accepted.extra;
  assert.deepEqual(
    [accepted.amount, captureAuthorizer, receiverAuthorizer, requestPrice, resourceHash],
    ["1000", "sessionKey", AUTHORIZER_ADDRESS, "100", writeHex(streamResourceHash(base))],
  );
});

test("a hold is opened once, vouchers pay, and closing it is signed for the last that was served", async () => {
  const { base, facilitator, scheme, noted, served } = await shop();
  const opens = await opening(`${base}/tick`);
  const paymentId = paymentIdOf(opens);
  assert.equal((await send(`${base}/tick`, opens)).status, 200);
  for (const amount of [200, 300]) {
    facilitator.next.push(VOUCHED);
    const { status, settlement } = await send(`${base}/tick`, { ...opens, payload: voucher(paymentId, amount) });
    assert.deepEqual([status, settlement?.amount], [200, "100"]);
  }
  assert.deepEqual(facilitator.settled(), ["hold", "voucher", "voucher"], "nothing is captured request by request");
  assert.deepEqual([served(), noted()], [3, { [paymentId]: "open" }]);

  await scheme.closeStreams();
  const { signature, ...rest } = facilitator.asked[0]?.payload ?? {};
  assert.deepEqual(rest, { type: "close", paymentId, amount: "300" });
  const message = releaseSignedBytes({ intentDigest: readHex(paymentId, 32, "id"), amount: 300n });
  assert.ok(verify(publicKey(AUTHORIZER), message, readBase58(signature, 64, "signature")));
  facilitator.settled();
  await scheme.closeStreams();
  assert.deepEqual(facilitator.settled(), [], "it is closed once");
});

for (const served of [0, 1, 2]) {
  test(`a hold of which ${served} of 3 vouchers were served is closed at what they paid`, async () => {
    const ledger = await Ledger.start();
    const { base, on, noted, restart } = await shop(ledger);
    const opens = await opening(`${base}/tick`);
    const paymentId = paymentIdOf(opens);
    for (const [index, payload] of [opens.payload, voucher(paymentId, 200), voucher(paymentId, 300)].entries()) {
      const status = index < served ? 200 : 500;
      on((_request, response) => response.status(status).send());
      assert.equal((await send(`${base}/tick`, { ...opens, payload })).status, status);
    }
    const { scheme } = await restart();
    await scheme.closeStreams();
    assert.equal(ledger.books.payments.get(paymentId)?.captured, BigInt(100 * served));
    assert.notEqual(ledger.books.payments.get(paymentId)?.state, "authorized");
    assert.deepEqual(noted(), {});
  });
}

test("a hold that can't be closed now is closed later, ever less often, and sells nothing more", async (context) => {
  const { base, facilitator, noted, scheme } = await shop();
  const opens = await opening(`${base}/tick`);
  await send(`${base}/tick`, opens);
  const start = Date.now();
  let now = start;
  context.mock.method(Date, "now", () => now);
  const asked: number[] = [];
  for (; now <= start + 300_000; now += 1_000) {
    facilitator.next.push(new Error("no answer"));
    await scheme.closeStreams();
    facilitator.next.length = 0;
    asked.push(...facilitator.settled().map(() => (now - start) / 1000));
  }
  assert.deepEqual(asked, [0, 0, 5, 15, 35, 75, 155], "the hold, and then its closing");
  const late = await send(`${base}/tick`, { ...opens, payload: voucher(paymentIdOf(opens), 200) });
  assert.equal(late.reason, "invalid_auth_capture_svm_voucher_hold_closed");
  await scheme.settleLeftOver();
  assert.deepEqual([facilitator.settled(), noted()], [["close"], {}]);
});

test("a hold that another closed before is closed", async () => {
  const { base, facilitator, noted, scheme } = await shop();
  await send(`${base}/tick`, await opening(`${base}/tick`));
  facilitator.next.push({ success: false, errorReason: "invalid_auth_capture_svm_release" });
  await scheme.closeStreams();
  await scheme.settleLeftOver();
  assert.deepEqual([facilitator.settled(), noted()], [["hold", "close"], {}]);
});

test("holds are closed after a restart, and not at all where another instance sells out of them", async () => {
  for (const closesStreams of [true, false]) {
    const first = await shop(undefined, undefined, { closesStreams });
    await send(`${first.base}/tick`, await opening(`${first.base}/tick`));
    const next = await first.restart();
    await next.scheme.closeStreams();
    assert.deepEqual(next.facilitator.settled(), closesStreams ? ["hold", "close"] : ["hold"]);
  }
});

test("a voucher that the facilitator refuses, or has seen, buys nothing", async () => {
  const { base, facilitator, served } = await shop();
  const opens = await opening(`${base}/tick`);
  await send(`${base}/tick`, opens);
  for (const answer of [REPEATED, { success: false, errorReason: "invalid_auth_capture_svm_voucher_too_late" }]) {
    facilitator.next.push(answer);
    const { status, reason } = await send(`${base}/tick`, { ...opens, payload: voucher(paymentIdOf(opens), 200) });
    assert.deepEqual([status, reason], [402, answer.errorReason]);
  }
  assert.equal(served(), 1);
  const again = await send(`${base}/tick`, opens);
  assert.deepEqual([again.status, again.reason, served()], [402, "duplicate_settlement", 1]);
});

test("a voucher whose request was not served pays for another, once", async () => {
  const { base, facilitator, on, served } = await shop();
  const opens = await opening(`${base}/tick`);
  await send(`${base}/tick`, opens);
  const second = { ...opens, payload: voucher(paymentIdOf(opens), 200) };
  on((_request, response) => response.status(500).send("failed"));
  facilitator.next.push(VOUCHED);
  assert.equal((await send(`${base}/tick`, second)).status, 500);
  on((_request, response) => response.send("served"));
  const answers: number[] = [];
  for (let count = 0; count < 2; count += 1) {
    facilitator.next.push(AGAIN);
    answers.push((await send(`${base}/tick`, second)).status);
  }
  assert.deepEqual([answers, served()], [[200, 402], 3]);
});

test("a voucher without a verdict buys nothing, and the same voucher buys later", async () => {
  const { base, facilitator, served } = await shop();
  const opens = await opening(`${base}/tick`);
  await send(`${base}/tick`, opens);
  const second = { ...opens, payload: voucher(paymentIdOf(opens), 200) };
  facilitator.next.push(new Error("no answer"), AGAIN);
  assert.equal((await send(`${base}/tick`, second)).status, 402);
  assert.equal((await send(`${base}/tick`, second)).status, 200);
  assert.equal(served(), 2);
});

test("a yes to a voucher below the price is not believed", async () => {
  const { base, facilitator, served } = await shop();
  const opens = await opening(`${base}/tick`);
  await send(`${base}/tick`, opens);
  for (const answer of [{ ...VOUCHED, amount: "99" }, { extra: {} }]) {
    facilitator.next.push(answer);
    const { status } = await send(`${base}/tick`, { ...opens, payload: voucher(paymentIdOf(opens), 199) });
    assert.equal(status, 402);
  }
  assert.equal(served(), 1);
});

const refusals: [string, (paid: PaymentPayload) => void][] = [
  ["payload.voucher", ({ payload }) => void delete payload["voucher"]],
  ["payload.voucher.paymentId", ({ payload }) => void (payload["voucher"] = { amount: "100" })],
  ["payload.voucher.amount", ({ payload }) => void Object.assign(payload["voucher"] as object, { amount: 100 })],
  ["extra.requestPrice", ({ accepted }) => void (accepted.extra["requestPrice"] = "1")],
  ["extra.captureAuthorizer", ({ accepted }) => void (accepted.extra["captureAuthorizer"] = address(9))],
  ["amount", ({ accepted }) => void (accepted.amount = "100")],
];
for (const [field, change] of refusals) {
  test(`an opening with another ${field} is refused before the facilitator is asked`, async () => {
    const { base, facilitator, served } = await shop();
    const paid = await opening(`${base}/tick`);
    change(paid);
    const { status, settlement } = await send(`${base}/tick`, paid);
    assert.deepEqual([status, facilitator.settled(), served()], [402, [], 0]);
    // The core compares some fields itself, and says less.
    assert.ok(settlement === undefined || settlement.errorMessage?.includes(field), settlement?.errorMessage);
  });
}

test("a route that is not streamed takes no voucher", async () => {
  const { base, facilitator, served } = await shop();
  const paid = await payment(`${base}/report`);
  const { status, settlement } = await send(`${base}/report`, { ...paid, payload: voucher("00".repeat(32), 1000) });
  assert.deepEqual([status, facilitator.settled(), served()], [402, [], 0]);
  assert.match(settlement?.errorMessage ?? "", /payload\.type: a client's payload has none, or is a voucher/);
});
