import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";

import { LineFile } from "../src/durable.js";
import { Authorizer } from "../src/server/authorizer.js";
import { Ender } from "../src/server/ender.js";
import { Endings } from "../src/server/endings.js";
import { Facilitator as Client } from "../src/server/facilitator.js";
import { paymentIdOf } from "../src/server/payment.js";
import { Records } from "../src/server/records.js";
import { AUTHORIZER, FEE_PAYER, offer } from "./fixture.js";
import { Ledger } from "./ledger.js";
import { Facilitator, opening, payment, send, shop } from "./shop.js";

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
    assert.equal(noted()[paymentIdOf(paid)], "capturing");
  }
  await scheme.settleLeftOver();
  assert.deepEqual(noted(), {});
  await scheme.settleLeftOver();
  const [, ...captures] = facilitator.asked.map(({ payload }) => payload);
  assert.equal(captures.length, 4);
  assert.ok(captures.every((capture) => capture["signature"] === captures[0]?.["signature"]));
});

test("what is not final is settled again in the background", async (context) => {
  const { base, facilitator, noted, on } = await shop();
  on((_request, response) => (facilitator.next.push(NOT_FINAL[0]), response.send("served")));
  let now = Date.now();
  context.mock.method(Date, "now", () => now);
  await send(`${base}/report`, await payment(`${base}/report`));
  mock.timers.tick(1_000);
  assert.deepEqual(facilitator.settled(), ["hold", "capture"], "it has just been asked for");
  now += 5_000;
  mock.timers.tick(1_000);
  while (Object.keys(noted()).length > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(facilitator.settled(), ["capture"]);
});

test("a release is kept until it is final, too", async () => {
  const { base, facilitator, noted, on, scheme } = await shop();
  const paid = await payment(`${base}/report`);
  on((_request, response) => (facilitator.next.push(NOT_FINAL[0]), response.status(500).send("failed")));
  assert.equal((await send(`${base}/report`, paid)).status, 500);
  assert.equal(noted()[paymentIdOf(paid)], "releasing");
  await scheme.settleLeftOver();
  assert.deepEqual([facilitator.settled(), noted()], [["hold", "void", "void"], {}]);
});

test("a release is never on disk: it is signed anew from what is, once the payment is closed there", async (context) => {
  context.mock.method(console, "warn", () => {});
  const first = await shop();
  const { base, facilitator, on, scheme, state } = first;
  on((_request, response) => response.status(500).send("failed"));
  facilitator.next.push(undefined, new Error("no answer"));
  const alone = await payment(`${base}/report`);
  await send(`${base}/report`, alone);
  on((_request, response) => response.send("served"));
  const streamed = await opening(`${base}/tick`);
  assert.equal((await send(`${base}/tick`, streamed)).status, 200);
  facilitator.next.push(new Error("no answer"));
  await scheme.closeStreams();
  const noted = { [paymentIdOf(alone)]: "releasing", [paymentIdOf(streamed)]: "releasing" };
  const isSigned = (): boolean => /"type":"(close|void)"/.test(readFileSync(join(state, "purchases.jsonl"), "utf8"));
  assert.deepEqual([first.noted(), isSigned()], [noted, false]);
  facilitator.asked.splice(0);
  const next = await first.restart();
  assert.deepEqual([next.noted(), isSigned()], [noted, false], "nor where the file is written anew");
  await next.scheme.settleLeftOver();
  const settled = facilitator.asked.map(({ payload }) => [payload["type"], payload["amount"]]);
  assert.deepEqual(
    [settled.sort(), next.noted()],
    [
      [
        ["close", "100"],
        ["void", "0"],
      ],
      {},
    ],
  );
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
    assert.equal(running.noted()[paymentIdOf(paid)], "capturing");
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
  ledger.books.isReserving = true;
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
function leftOver(facilitator: Facilitator, count: number): Endings {
  const authorizer = new Authorizer(AUTHORIZER);
  const captureDeadline = Math.floor(Date.now() / 1000) + 3600;
  const lines = Array.from({ length: count }, (_, number) => {
    const hold = number.toString(16).padStart(64, "0");
    const payload = authorizer.end(hold, 1000n);
    return { hold, state: "capturing", requirements: offer(), authorizeBy: 1, captureDeadline, payload };
  });
  const records = new Records({ append: () => {}, rewrite: () => {} }, "00".repeat(16), lines);
  const client = new Client(facilitator.url, (url, init) => facilitator.fetch(url, init));
  return new Endings(new Ender(client, authorizer, records, FEE_PAYER), records, undefined);
}

test("what is not final is asked for ever less often", async (context) => {
  const facilitator = new Facilitator();
  const endings = leftOver(facilitator, 1);
  context.mock.timers.enable({ apis: ["Date"], now: Date.now() });
  const asked: number[] = [];
  for (let seconds = 0; seconds <= 1200; seconds += 5) {
    facilitator.next.push(NOT_FINAL[0]);
    await endings.settleDue();
    facilitator.next.length = 0;
    asked.push(...facilitator.settled().map(() => seconds));
    context.mock.timers.tick(5000);
  }
  assert.deepEqual(asked, [0, 5, 15, 35, 75, 155, 315, 615, 915]);
  endings.close();
});

test("a hold whose check could not be written down is checked again", async (context) => {
  context.mock.method(console, "error", () => {});
  const { base, facilitator, noted, scheme } = await shop();
  const paid = await payment(`${base}/report`);
  facilitator.next.push(new Error("no answer"));
  await send(`${base}/report`, paid);
  const authorizeBy = Number(paid.payload["authorizeBy"]);
  context.mock.method(Date, "now", () => (authorizeBy + 31) * 1000);
  const full = context.mock.method(LineFile.prototype, "append", () => {
    throw new Error("the disk is full");
  });
  await scheme.settleLeftOver();
  assert.equal(noted()[paymentIdOf(paid)], "unknown");
  full.mock.restore();
  facilitator.next.push({ extra: { status: "confirmed", alreadySettled: true, claimed: true } });
  await scheme.settleLeftOver();
  assert.equal(noted()[paymentIdOf(paid)], "releasing");
});

test("sixteen are settled again at once, and all of them", async () => {
  const facilitator = new Facilitator();
  const endings = leftOver(facilitator, 40);
  const settle = facilitator.settle.bind(facilitator);
  let atOnce = 0;
  let most = 0;
  let go = (): void => {};
  const sixteen = new Promise<void>((resolve) => (go = resolve));
  facilitator.settle = async (...asked) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    if (atOnce === 16) {
      go();
    }
    await sixteen;
    await new Promise((resolve) => setTimeout(resolve, 5));
    atOnce -= 1;
    return settle(...asked);
  };
  await endings.settleLeftOver();
  assert.deepEqual([most, facilitator.asked.length], [16, 40]);
  endings.close();
});

test("a facilitator that takes its time is asked sixteen times at once, however often it is time again", async () => {
  const facilitator = new Facilitator();
  const endings = leftOver(facilitator, 40);
  let go = (): void => {};
  const waiting = new Promise<void>((resolve) => (go = resolve));
  const settle = facilitator.settle.bind(facilitator);
  facilitator.settle = async (payment) => {
    facilitator.asked.push(payment);
    await waiting;
    facilitator.asked.pop();
    return settle(payment);
  };
  const rounds = Array.from({ length: 10 }, () => endings.settleDue());
  while (facilitator.asked.length < 16) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(facilitator.asked.length, 16);
  go();
  await Promise.all(rounds);
  endings.close();
});
