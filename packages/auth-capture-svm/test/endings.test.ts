import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Endings } from "../src/server/endings.js";
import { Authorizer } from "../src/server/lifecycle.js";
import { paymentIdOf } from "../src/server/payment.js";
import { Unsettled } from "../src/server/unsettled.js";
import { freshFile, offer } from "./fixture.js";
import { Ledger } from "./ledger.js";
import { AUTHORIZER, Facilitator, payment, send, shop } from "./shop.js";

/** A yes to a capture that is not on chain as finally as can be. */
const NOT_FINAL = ["unsettled", "processed", "confirmed"].map((status) => ({ extra: { state: "captured", status } }));

test("a capture is kept and sent again until the facilitator reports it final", async () => {
  const { base, facilitator, noted, on, scheme } = await shop();
  const paid = await payment(`${base}/report`);
  const [first, ...more] = NOT_FINAL;
  on((_request, response) => (facilitator.next.push(first), response.send("served")));
  const { status, settlement } = await send(`${base}/report`, paid);
  assert.deepEqual([status, settlement?.extra], [200, first?.extra], "the client waits for nothing more");
  for (const answer of more) {
    facilitator.next.push(answer);
    await scheme.settleLeftOver();
    assert.equal(noted()[paymentIdOf(paid)]?.payload.type, "capture");
  }
  await scheme.settleLeftOver();
  assert.deepEqual(noted(), {});
  await scheme.settleLeftOver();
  const [, ...captures] = facilitator.asked.map(({ payload }) => payload);
  assert.equal(captures.length, 4);
  assert.ok(captures.every((capture) => capture["signature"] === captures[0]?.["signature"]));
});

test("what is not final is settled again in the background", async () => {
  const { base, facilitator, noted, on } = await shop();
  on((_request, response) => (facilitator.next.push(NOT_FINAL[0]), response.send("served")));
  await send(`${base}/report`, await payment(`${base}/report`));
  mock.timers.tick(4_999);
  assert.deepEqual(facilitator.settled(), ["hold", "capture"]);
  mock.timers.tick(1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([facilitator.settled(), noted()], [["capture"], {}]);
});

test("a release is kept until it is final, too", async () => {
  const { base, facilitator, noted, on, scheme } = await shop();
  const paid = await payment(`${base}/report`);
  on((_request, response) => (facilitator.next.push(NOT_FINAL[0]), response.status(500).send("failed")));
  assert.equal((await send(`${base}/report`, paid)).status, 500);
  assert.equal(noted()[paymentIdOf(paid)]?.payload.type, "void");
  await scheme.settleLeftOver();
  assert.deepEqual([facilitator.settled(), noted()], [["hold", "void", "void"], {}]);
});

test("no answer but that it is final makes a merchant forget a capture, over restarts", async () => {
  const first = await shop();
  const { base, facilitator, on } = first;
  const paid = await payment(`${base}/report`);
  on((_request, response) => (facilitator.next.push(NOT_FINAL[0]), response.send("served")));
  await send(`${base}/report`, paid);
  let running = first;
  for (const answer of [
    { success: false, errorReason: "invalid_auth_capture_svm_payment_not_found" }, // restored from a backup
    { success: false, errorReason: "invalid_auth_capture_svm_capture" },
    { extra: { status: "failed" } },
    { extra: {} },
    new Error("no answer"),
  ]) {
    running = await running.restart();
    facilitator.next.push(answer);
    await running.scheme.settleLeftOver();
    assert.equal(running.noted()[paymentIdOf(paid)]?.payload.type, "capture");
  }
  running = await running.restart();
  await running.scheme.settleLeftOver();
  assert.deepEqual(running.noted(), {});
});

test("an ending is forgotten an hour after its deadline", async (context) => {
  context.mock.method(console, "error", () => {});
  const { base, facilitator, noted, on, scheme } = await shop();
  const paid = await payment(`${base}/report`);
  on((_request, response) => (facilitator.next.push(NOT_FINAL[0]), response.send("served")));
  await send(`${base}/report`, paid);
  const deadline = Number(paid.accepted.extra["captureDeadline"]);
  for (const [after, isKept] of [
    [3600, true],
    [3602, false],
  ] as const) {
    context.mock.timers.enable({ apis: ["Date"], now: (deadline + after) * 1000 });
    facilitator.next.push(NOT_FINAL[0]);
    await scheme.settleLeftOver();
    assert.equal(paymentIdOf(paid) in noted(), isKept);
    context.mock.timers.reset();
  }
});

test("a payment whose capture is not final yet buys nothing from the next run either", async () => {
  const ledger = await Ledger.start();
  ledger.isReserving = true;
  const first = await shop(ledger);
  const paid = await payment(`${first.base}/report`);
  assert.equal((await send(`${first.base}/report`, paid)).status, 200);
  const next = await first.restart();
  for (const failure of [{ status: 503 }, { status: 429 }, {}, undefined]) {
    ledger.failures.push(failure);
    assert.equal((await send(`${next.base}/report`, paid)).reason, "duplicate_settlement");
    ledger.failures.length = 0;
  }
  assert.equal(next.served(), 0);
});

/** Endings of as many payments as an earlier run left over. */
async function leftOver(facilitator: Facilitator, count: number): Promise<Endings> {
  const unsettled = await Unsettled.open(freshFile());
  for (let number = 0; number < count; number += 1) {
    const paymentId = number.toString(16).padStart(64, "0");
    const payload = new Authorizer(AUTHORIZER).end(paymentId, 1000n);
    unsettled.add(paymentId, { requirements: offer(), payload, captureDeadline: Date.now() / 1000 + 3600 });
  }
  return new Endings(facilitator, unsettled);
}

test("what is not final is asked for ever less often", async (context) => {
  const facilitator = new Facilitator();
  const endings = await leftOver(facilitator, 1);
  context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const asked: number[] = [];
  for (let seconds = 0; seconds <= 1200; seconds += 5) {
    facilitator.next.push(NOT_FINAL[0]);
    await endings.settleDue(Date.now());
    facilitator.next.length = 0;
    asked.push(...facilitator.settled().map(() => seconds));
    context.mock.timers.tick(5000);
  }
  assert.deepEqual(asked, [0, 10, 30, 70, 150, 310, 610, 910]);
  endings.close();
});

test("sixteen are settled again at once, and all of them", async () => {
  const facilitator = new Facilitator();
  const endings = await leftOver(facilitator, 40);
  const settle = facilitator.settle.bind(facilitator);
  let atOnce = 0;
  let most = 0;
  facilitator.settle = async (...asked) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await new Promise((resolve) => setTimeout(resolve, 5));
    atOnce -= 1;
    return settle(...asked);
  };
  await endings.settleLeftOver();
  assert.deepEqual([most, facilitator.asked.length], [16, 40]);
  endings.close();
});
