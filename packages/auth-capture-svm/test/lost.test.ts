/** Answers that get lost, are late, or too long, and what a merchant makes of them. */

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";

import type { PaymentPayload } from "@x402/core/types";

import { Facilitator as Client, FacilitatorError } from "../src/server.js";
import { paymentIdOf } from "../src/server/payment.js";
import { address, NETWORK } from "./fixture.js";
import { serve } from "./peers.js";
import { Ledger } from "./ledger.js";
import { Facilitator, opening, payment, send, shop, voucher } from "./shop.js";

test("a payment without a verdict is released once its authorize-by time has passed", async (context) => {
  const { base, facilitator, noted, scheme } = await shop();
  const paid = await payment(`${base}/report`);
  const id = paymentIdOf(paid);
  facilitator.next.push(new Error("no answer"));
  await send(`${base}/report`, paid);
  const authorizeBy = Number(paid.payload["authorizeBy"]);
  for (const [after, state, settled] of [
    [30, "unknown", ["hold"]],
    [31, "releasing", ["hold"]],
    [32, undefined, ["void"]],
  ] as const) {
    context.mock.method(Date, "now", () => (authorizeBy + after) * 1000);
    await scheme.settleLeftOver();
    assert.deepEqual([noted()[id], facilitator.settled()], [state, settled]);
  }
  assert.equal((await send(`${base}/report`, paid)).status, 402);
});

/** A shop that got no answer to a payment, and what it does seconds after the authorize-by time. */
async function lost(path: string, init: RequestInit = {}) {
  const market = await shop();
  const { base, facilitator, noted, scheme } = market;
  const extensions = { "payment-identifier": { info: { required: true, id: "pay_0123456789abcdef" } } };
  const paid = { ...(await payment(`${base}${path}`, init)), extensions };
  facilitator.next.push(new Error("no answer"));
  await send(`${base}${path}`, paid, init);
  assert.deepEqual(facilitator.settled(), ["hold"]);
  const authorizeBy = Number(paid.payload["authorizeBy"]);
  const settleLeftOver = async (context: TestContext, seconds: number): Promise<unknown[]> => {
    context.mock.method(Date, "now", () => (authorizeBy + seconds) * 1000);
    await scheme.settleLeftOver();
    // It may be asking who pays fees.
    await setImmediate();
    return [noted()[paymentIdOf(paid)], facilitator.settled()];
  };
  return { ...market, settleLeftOver };
}

test("a payment without a verdict is released where purchases must have ids", async (context) => {
  const { settleLeftOver } = await lost("/must-be-named", { method: "POST" });
  assert.deepEqual(await settleLeftOver(context, 31), ["releasing", ["hold"]]);
  assert.deepEqual(await settleLeftOver(context, 32), [undefined, ["void"]]);
});

test("a payment without a verdict is released though another pays fees by then", async (context) => {
  const { facilitator, settleLeftOver } = await lost("/report");
  facilitator.feePayer = address(9);
  assert.deepEqual(await settleLeftOver(context, 31), ["unknown", ["hold"]], "the old one is asked with");
  assert.deepEqual(await settleLeftOver(context, 32), ["releasing", ["hold"]]);
  assert.deepEqual(await settleLeftOver(context, 33), [undefined, ["void"]]);
});

test("a hold that is being asked about takes no voucher", async (context) => {
  const { base, facilitator, scheme, served } = await shop();
  const opens = await opening(`${base}/tick`);
  facilitator.next.push(new Error("no answer"));
  await send(`${base}/tick`, opens);
  facilitator.settled();
  let meanwhile: Awaited<ReturnType<typeof send>> | undefined;
  const honest = facilitator.fetch;
  facilitator.fetch = async (url, init) => {
    if (String(init?.body).includes('"nonce"')) {
      const payload = voucher(paymentIdOf(opens), 200);
      meanwhile = await send(`${base}/tick`, { ...opens, payload });
    }
    return honest(url, init);
  };
  context.mock.method(Date, "now", () => (Number(opens.payload["authorizeBy"]) + 31) * 1000);
  await scheme.settleLeftOver();
  assert.deepEqual(
    [meanwhile?.reason, facilitator.settled(), served()],
    ["invalid_auth_capture_svm_voucher_hold_closed", ["hold"], 0],
  );
});

test("nobody's junk is written down", async () => {
  const { base, facilitator, noted } = await shop();
  const paid = await payment(`${base}/report`);
  const forged = { ...paid, payload: { ...paid.payload, signature: "1".repeat(64) } };
  facilitator.next.push(new Error("no answer"), new Error("no answer"));
  await send(`${base}/report`, forged);
  assert.deepEqual(noted(), {});
  await send(`${base}/report`, paid);
  assert.deepEqual(noted(), { [paymentIdOf(paid)]: "unknown" });
});

test("a challenge of an instance whose clock is ahead is taken, up to half a minute", async () => {
  const { base } = await shop();
  for (const [ahead, status] of [
    [25, 200],
    [40, 402],
  ] as const) {
    const { now } = Date;
    Date.now = () => now() + ahead * 1000;
    const paid = await payment(`${base}/report`).finally(() => void (Date.now = now));
    assert.equal((await send(`${base}/report`, paid)).status, status);
  }
});

test("what a facilitator sends without end is not read", async () => {
  let sent = 0;
  const url = await serve((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = (): void => {
      while (!response.destroyed && response.write(" ".repeat(65_536))) {
        sent += 65_536;
      }
      response.once("drain", more);
    };
    more();
  });
  await assert.rejects(new Client(url).getSupported(), (error: FacilitatorError) => {
    return error instanceof FacilitatorError && /longer than 1048576 bytes/.test(error.message);
  });
  assert.ok(sent < 64 * 1_048_576);
});

test("an answer that is no verdict is none", async () => {
  const { base, facilitator, served } = await shop();
  const answers: unknown[] = [{}, [], null, "yes", { success: 1, network: NETWORK }, { success: true }];
  for (const answer of answers) {
    const paid = await payment(`${base}/report`);
    const honest = facilitator.fetch;
    facilitator.fetch = () => Promise.resolve(Response.json(answer));
    const { reason } = await send(`${base}/report`, paid).finally(() => void (facilitator.fetch = honest));
    assert.equal(reason, "unexpected_settle_error", JSON.stringify(answer));
  }
  assert.equal(served(), 0);
});

test("of two instances one serves a payment, and the same one again if the answer was lost", async () => {
  const ledger = await Ledger.start();
  const publicUrl = "https://shop.example";
  const [first, second] = await Promise.all([1, 2].map(() => shop(ledger, undefined, { publicUrl })));
  assert.ok(first !== undefined && second !== undefined);
  for (const [path, pay] of [
    ["/report", payment],
    ["/tick", opening],
  ] as const) {
    const paid: PaymentPayload = await pay(`${first.base}${path}`);
    ledger.failures.push({ isAccepted: true });
    assert.equal((await send(`${first.base}${path}`, paid)).reason, "unexpected_settle_error");
    const elsewhere = await send(`${second.base}${path}`, paid);
    assert.match(elsewhere.reason ?? "", /duplicate_settlement|voucher_repeated/);
    assert.equal((await send(`${first.base}${path}`, paid)).status, 200);
    assert.equal((await send(`${second.base}${path}`, paid)).status, 402);
  }
  assert.deepEqual([first.served(), second.served()], [2, 0]);
});

test("instances sell out of one hold in turns, each voucher once", async () => {
  const ledger = await Ledger.start();
  const terms = { publicUrl: "https://shop.example", closesStreams: false };
  const [first, second] = await Promise.all([1, 2].map(() => shop(ledger, undefined, terms)));
  assert.ok(first !== undefined && second !== undefined);
  const opens = await opening(`${first.base}/tick`);
  assert.equal((await send(`${first.base}/tick`, opens)).status, 200);
  for (const [amount, { base }, other] of [
    [200, second, first],
    [300, first, second],
    [400, second, first],
  ] as const) {
    const paid: PaymentPayload = { ...opens, payload: voucher(paymentIdOf(opens), amount) };
    assert.equal((await send(`${base}/tick`, paid)).status, 200);
    assert.equal((await send(`${base}/tick`, paid)).status, 402);
    assert.equal((await send(`${other.base}/tick`, paid)).status, 402);
  }
  assert.deepEqual([first.served(), second.served()], [2, 2]);
});

test("a merchant says who asks, always the same, and never the same as another", async () => {
  const facilitator = new Facilitator();
  const claims: unknown[] = [];
  const honest = facilitator.fetch;
  facilitator.fetch = (url, init) => {
    const { claim } = JSON.parse(String(init?.body ?? "{}")) as { claim?: unknown };
    claims.push(...(claim === undefined ? [] : [claim]));
    return honest(url, init);
  };
  const first = await shop(facilitator);
  await send(`${first.base}/report`, await payment(`${first.base}/report`));
  const next = await first.restart();
  await send(`${next.base}/report`, await payment(`${next.base}/report`));
  const other = await shop(facilitator);
  await send(`${other.base}/report`, await payment(`${other.base}/report`));
  const [one, again, another] = claims;
  assert.match(String(one), /^[0-9a-f]{32}$/);
  assert.deepEqual([again === one, another === one, claims.length], [true, false, 3]);
});
