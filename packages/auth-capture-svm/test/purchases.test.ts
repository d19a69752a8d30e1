/** What an agent has on disk of its purchases, how they go on, and what it tells its caller. */

import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { decodePaymentSignatureHeader } from "@x402/core/http";

import { writeHex } from "../src/bytes.js";
import type { Outcome } from "../src/client.js";
import { resourceHash } from "../src/messages.js";
import { paymentIdOf } from "../src/server/payment.js";
import { session } from "./fixture.js";
import { agentOf, answering, now, offerFor, type Received, serve, shop, verifier } from "./peers.js";

const lines = (files: string): Record<string, unknown>[] =>
  readFileSync(`${files}.journal`, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("a payment is in the journal before it is signed, without its signature and the URL", async () => {
  const opened = session({ verifier: await verifier() });
  let before: Record<string, unknown>[] = [];
  const url = await answering([200]);
  const agent = await agentOf("", {}, opened, {
    fetch: (input, init) => {
      if (input instanceof Request && input.headers.has("payment-signature")) {
        before = lines(opened.files);
      }
      return fetch(input, init);
    },
  });
  const outcome = await agent.buy(`${url}/report?secret=1`, undefined, { key: "order-1" });
  assert.equal(outcome.kind, "served");
  const [line] = before;
  assert.ok(line !== undefined && before.length === 1);
  const { payment, at, purchase, authorizeBy, captureDeadline, ...rest } = line;
  assert.deepEqual(rest, {
    state: "signed",
    key: "order-1",
    origin: url,
    resourceHash: writeHex(resourceHash("GET", `${url}/report?secret=1`, new Uint8Array())),
    payTo: offerFor("GET", url, "").payTo,
    amount: "1000",
  });
  assert.equal(purchase, outcome.payment?.paymentId);
  assert.ok([at, authorizeBy, captureDeadline].every(Number.isInteger));
  assert.ok(!JSON.stringify(payment).includes("signature") && !JSON.stringify(line).includes("secret"));
  assert.deepEqual(lines(opened.files).slice(1), [{ purchase, state: "served" }]);
  for (const extension of ["journal", "spent", "nonces", "journal.lock", "spent.lock"]) {
    assert.equal(statSync(`${opened.files}.${extension}`).mode & 0o777, 0o600, extension);
  }
});

test("without a journal nothing is signed", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const opened = session({ verifier: await verifier() });
  writeFileSync(`${opened.files}.journal`, "garbage\n");
  const agent = await agentOf("", {}, opened);
  await assert.rejects(agent.fetch(base), { name: "JournalError", message: /is damaged: line 1/ });
  assert.equal(agent.signedFor, 0n);
  assert.ok(received.every(({ payment }) => payment === undefined));
});

test("a key buys once, over restarts, and is found again", async () => {
  const payments: string[] = [];
  const url = await answering([0, 0, 0, 200], payments);
  let report: unknown;
  const opened = session({ verifier: await verifier({}, [], () => report) });
  const first = await agentOf("", {}, opened);
  const outcome = await first.buy(url, { method: "POST", body: "hello" }, { key: "order-1" });
  assert.equal(outcome.kind, "unknown");
  const { payment, maySettleUntil } = outcome as Extract<Outcome, { kind: "unknown" }>;
  const restarted = await agentOf("", {}, opened);
  await assert.rejects(restarted.buy(url, undefined, { key: "order-1" }), { name: "KeyUsedError" });
  const open = { ...payment, state: "unknown", maySettleUntil };
  // The verifier knows no such payment: nobody gets a hold for it later than this.
  const unheld = { ...open, maySettleUntil: maySettleUntil - 540 };
  assert.deepEqual(await restarted.lookup("order-1"), unheld);
  assert.deepEqual(await restarted.lookup(payment.paymentId), unheld);
  assert.equal(await restarted.lookup("order-2"), undefined);
  report = { state: "authorized", captured: "0" };
  assert.deepEqual(await restarted.lookup("order-1"), open);

  await assert.rejects(
    restarted.resume("order-1", url, { method: "POST", body: "other" }),
    /another method, URL or body/,
  );
  const resumed = await restarted.resume("order-1", url, { method: "POST", body: "hello" });
  assert.deepEqual([resumed.kind, new Set(payments).size, payments.length], ["served", 1, 4]);
  assert.equal(paymentIdOf(decodePaymentSignatureHeader(payments[3] ?? "")), payment.paymentId);
  assert.deepEqual(await restarted.lookup("order-1"), { ...payment, state: "served" });
  await assert.rejects(restarted.resume("order-1", url), { name: "KeyUsedError" });
  await assert.rejects(restarted.buy(url, undefined, { key: "order-1" }), { name: "KeyUsedError" });
});

test("what a verifier found out about a purchase is kept, and a key whose purchase is over buys again", async () => {
  for (const [report, state, buysAgain] of [
    [{ state: "captured", captured: "1000" }, "charged", false],
    [{ state: "ended", captured: "0" }, "over", true],
  ] as const) {
    const url = await answering(["insufficient_funds", 200]);
    const opened = session({ verifier: await verifier({}, [], () => report) });
    const agent = await agentOf("", {}, opened);
    assert.equal((await agent.buy(url, undefined, { key: "one" })).kind, "refused");
    assert.equal((await agent.lookup("one"))?.state, state);
    assert.equal(lines(opened.files).at(-1)?.["state"], state);
    const again = agent.buy(url, undefined, { key: "one" });
    await (buysAgain ? again : assert.rejects(again, { name: "KeyUsedError" }));
  }
});

test("a purchase that its verifier refused is over only when it can't be held any more", async (context) => {
  for (const state of ["refused", "failed"]) {
    const url = await answering(["insufficient_funds", 200]);
    const report = { state, captured: "0" };
    const agent = await agentOf("", {}, session({ verifier: await verifier({}, [], () => report) }));
    const stateAfter = async (seconds: number): Promise<string | undefined> => {
      const at = Date.now() + seconds * 1000;
      const clock = context.mock.method(Date, "now", () => at);
      const found = await agent.lookup("one");
      clock.mock.restore();
      return found?.state;
    };
    assert.equal((await agent.buy(url, undefined, { key: "one" })).kind, "refused");
    assert.deepEqual([await stateAfter(90), await stateAfter(125)], ["refused", "over"]);
    assert.equal((await agent.buy(url, undefined, { key: "one" })).kind, "served");
  }
});

test("a purchase that was signed by a process that is gone is unknown", async () => {
  const opened = session({ verifier: await verifier() });
  const url = await answering([200]);
  await (await agentOf("", {}, opened)).buy(url, undefined, { key: "one" });
  const [signed] = lines(opened.files);
  writeFileSync(`${opened.files}.journal`, `${JSON.stringify(signed)}\n`);
  appendFileSync(`${opened.files}.journal`, '{"purchase":"half');
  assert.equal((await (await agentOf("", {}, opened)).lookup("one"))?.state, "unknown");
});

test("an outcome says what came, and until when money can be taken", async () => {
  for (const [answer, kind, reason] of [
    [200, "served", undefined],
    ["insufficient_funds", "refused", "insufficient_funds"],
    ["duplicate_settlement", "unknown", "duplicate_settlement"],
    [404, "unknown", "no answer came"],
    ["bad\u001b[2Jreason", "refused", "bad\\u{1b}[2Jreason"],
  ] as const) {
    const outcome = await (await agentOf(await verifier())).buy(await answering([answer]));
    assert.equal(outcome.kind, kind);
    assert.equal("reason" in outcome ? outcome.reason : undefined, reason);
    const until = "maySettleUntil" in outcome ? outcome.maySettleUntil : undefined;
    assert.ok(kind === "served" ? until === undefined : Math.abs((until ?? 0) - now() - 600) < 60);
  }
  const free = await serve((_request, response) => response.end("free"));
  const outcome = await (await agentOf(await verifier())).buy(free);
  assert.deepEqual([outcome.kind, outcome.payment], ["served", undefined]);
});
