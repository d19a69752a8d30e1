import assert from "node:assert/strict";
import { test } from "node:test";

import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../src/bytes.js";
import { checkOffer } from "../src/client/draft.js";
import { Streams } from "../src/client/streams.js";
import { streamResourceHash } from "../src/messages.js";
import { NOW, offer, session } from "./fixture.js";
import { agentOf, payWith, verifier } from "./peers.js";
import { amounts, type Bought, opened, streamedOffer, streamingShop } from "./streaming_shop.js";

test("the first request opens a hold and is paid for, the next bring vouchers of it", async () => {
  const bought: Bought[] = [];
  const drafts: unknown[] = [];
  const base = await streamingShop(bought);
  const pay = payWith(await verifier({}, drafts), { maximumAmount: 100n, maximumHold: 1000n, spendingLimit: 1000n });
  for (const path of ["/a", "/b", "/a"]) {
    assert.equal((await pay(`${base}${path}`)).status, 200);
  }
  assert.deepEqual(amounts(bought), [100, 200, 300]);
  assert.deepEqual(opened(bought), [true, false, false]);
  assert.equal(drafts.length, 1);
  assert.equal((drafts[0] as { maximumAmount: string }).maximumAmount, "1000");
});

test("requests at once take turns", async () => {
  const bought: Bought[] = [];
  const base = await streamingShop(bought);
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  await Promise.all(Array.from({ length: 5 }, () => pay(base)));
  assert.deepEqual(amounts(bought), [100, 200, 300, 400, 500]);
});

test("a server that takes its time holds up no other's requests", async () => {
  const slow = await streamingShop([], () => 200);
  const fast = await streamingShop([]);
  const agent = await agentOf(
    await verifier(),
    { maximumHold: 1000n },
    {},
    { fetch: (input, init) => (new Request(input).url.startsWith(slow) ? hanging(input, init) : fetch(input, init)) },
  );
  let go = (): void => {};
  const opened = new Promise<void>((resolve) => (go = resolve));
  const hanging: typeof fetch = async (input, init) => {
    const isPaid = input instanceof Request && input.headers.has("payment-signature");
    await (isPaid ? opened : undefined);
    return fetch(input, init);
  };
  const waiting = agent.fetch(slow);
  assert.equal((await agent.fetch(fast)).status, 200);
  assert.equal((await agent.fetch(fast)).status, 200);
  go();
  assert.equal((await waiting).status, 200);
});

test("a voucher that bought nothing is used again", async () => {
  const bought: Bought[] = [];
  const base = await streamingShop(bought, (count) => (count === 2 ? 500 : 200));
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  for (const status of [200, 500, 200, 200]) {
    assert.equal((await pay(base)).status, status);
  }
  assert.deepEqual(amounts(bought), [100, 200, 200, 300]);
});

test("a voucher that turns out to be used is followed by the next", async () => {
  const bought: Bought[] = [];
  const repeated = "invalid_auth_capture_svm_voucher_repeated";
  const base = await streamingShop(bought, (count) => [200, 500, repeated][count - 1] ?? 200);
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  for (const status of [200, 500, 200]) {
    assert.equal((await pay(base)).status, status);
  }
  assert.deepEqual(amounts(bought), [100, 200, 200, 300]);
});

test("a hold that is over or used up is followed by another", async () => {
  const bought: Bought[] = [];
  const closed = "invalid_auth_capture_svm_voucher_hold_closed";
  const base = await streamingShop(bought, (count) => (count === 2 ? closed : 200));
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  for (let count = 0; count < 12; count += 1) {
    assert.equal((await pay(base)).status, 200);
  }
  assert.deepEqual(amounts(bought), [100, 200, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 100]);
  assert.equal(opened(bought).filter(Boolean).length, 3);
});

const NOT_FINAL = "invalid_auth_capture_svm_voucher_hold_not_final";

test("a hold that is not final yet is asked again, and kept", async () => {
  const bought: Bought[] = [];
  const base = await streamingShop(bought, (count) => (count === 2 || count === 3 ? NOT_FINAL : 200));
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await pay(base)).status, 200);
  }
  assert.deepEqual(amounts(bought), [100, 200, 200, 200, 300]);
  assert.equal(opened(bought).filter(Boolean).length, 1);
});

test("a hold that takes its time to be final is kept over requests, from the first on", async () => {
  const bought: Bought[] = [];
  const base = await streamingShop(bought, (count) =>
    count === 1 ? "settlement_pending" : count <= 7 ? NOT_FINAL : 200,
  );
  const pay = payWith(await verifier(), { maximumHold: 1000n, spendingLimit: 1000n });
  for (const status of [402, 200, 200]) {
    assert.equal((await pay(base)).status, status);
  }
  assert.deepEqual(amounts(bought), [...Array<number>(8).fill(100), 200]);
  assert.equal(opened(bought).filter(Boolean).length, 1);
});

test("a server that says that a voucher was early, and then used, gets the price for each request", async () => {
  const bought: Bought[] = [];
  const repeated = "invalid_auth_capture_svm_voucher_repeated";
  const base = await streamingShop(bought, (count) => [200, NOT_FINAL, repeated][count - 1] ?? repeated);
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  assert.equal((await pay(base)).status, 200);
  // Once it was sent twice, a refusal is no answer.
  await assert.rejects(pay(base), { name: "NoAnswerError" });
  assert.equal((await pay(base)).status, 402);
  assert.deepEqual(amounts(bought), [100, 200, 200, 200, 300]);
});

test("who gives up waits for no hold", async () => {
  const giveUp = new AbortController();
  const bought: Bought[] = [];
  const base = await streamingShop(bought, (count) => (count === 1 ? 200 : NOT_FINAL));
  let paid = 0;
  const giving: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!(input instanceof Request && input.headers.has("payment-signature"))) {
      return response;
    }
    // As a whole: who gives up before an answer is there gets another error.
    const whole = new Response(await response.text(), response);
    paid += 1;
    if (paid > 1) {
      setTimeout(() => giveUp.abort(), 200);
    }
    return whole;
  };
  const agent = await agentOf(await verifier(), { maximumHold: 1000n }, {}, { fetch: giving });
  assert.equal((await agent.fetch(base)).status, 200);
  await assert.rejects(agent.fetch(base, { signal: giveUp.signal }), { name: "AbortError" });
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.deepEqual(amounts(bought), [100, 200]);
});

test("a server that always says that a voucher is used gets no more than the price for each request", async () => {
  const bought: Bought[] = [];
  const repeated = "invalid_auth_capture_svm_voucher_repeated";
  const base = await streamingShop(bought, (count) => (count === 1 ? 200 : repeated));
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  for (const status of [200, 402, 402, 402]) {
    assert.equal((await pay(base)).status, status);
  }
  assert.deepEqual(amounts(bought), [100, 200, 200, 300, 300, 400]);
});

test("a server that says that each hold is refused, or over, gets two of them, and no more until they are over", async () => {
  const closed = "invalid_auth_capture_svm_voucher_hold_closed";
  for (const reason of ["insufficient_funds", closed]) {
    const bought: Bought[] = [];
    const base = await streamingShop(bought, (count) => (reason === closed && count % 2 === 1 ? 200 : reason));
    let report: unknown = { state: "authorized", captured: "0" };
    const url = await verifier({}, [], () => report);
    const file = session({ verifier: url });
    const agent = await agentOf("", { maximumAmount: 100n, maximumHold: 1000n }, file);
    for (let count = 0; count < 3; count += 1) {
      await agent.buy(base).catch(() => undefined);
    }
    const refused = { name: "TooManyHoldsError", origin: new URL(base).origin };
    for (let count = 0; count < 17; count += 1) {
      await assert.rejects(agent.buy(base), refused);
    }
    await assert.rejects((await agentOf("", { maximumHold: 1000n }, file)).buy(base), refused, "after a restart");
    assert.deepEqual([opened(bought).filter(Boolean).length, agent.signedFor], [2, 2000n]);
    report = { state: "ended", captured: "0" };
    await agent.buy(base);
    assert.equal(opened(bought).filter(Boolean).length, 3);
  }
});

test("a hold pays until its capture deadline", () => {
  const streams = new Streams();
  const stream = {
    paymentId: "",
    hold: 1000n,
    authorizeBy: NOW,
    captureDeadline: NOW,
    signed: 100n,
    served: 100n,
    isFresh: false,
  };
  streams.open("shop", stream);
  assert.equal(streams.next("shop", 100n, NOW - 1)?.signed, 200n);
  assert.equal(streams.next("shop", 100n, NOW), undefined);
});

test("a spending limit counts holds in full", async () => {
  const base = await streamingShop([], () => "insufficient_funds");
  const pay = payWith(await verifier(), { maximumHold: 1000n, spendingLimit: 1999n });
  await pay(base);
  await assert.rejects(pay(base), { name: "SpendingError" });
});

test("a streamed hold is not taken by an agent that didn't ask for one", async () => {
  const bought: Bought[] = [];
  const pay = payWith(await verifier());
  await assert.rejects(pay(await streamingShop(bought)), /is a streamed hold, and none was asked for: set maximumHold/);
  assert.deepEqual(bought, []);
});

const origin = "https://shop.example";
const expected = {
  session: session(),
  resourceHash: streamResourceHash(origin),
  maximumAmount: 1000n,
  maximumRequestPrice: 100n,
  now: NOW,
};
const refusals: [string, Partial<PaymentRequirements>, Record<string, unknown>][] = [
  ["accepted.amount", { amount: "1001" }, {}],
  ["accepted.extra.requestPrice", {}, { requestPrice: "101" }],
  ["accepted.extra.requestPrice", {}, { requestPrice: undefined }],
  ["accepted.extra.requestPrice", {}, { requestPrice: 100 }],
  ["accepted.extra.captureAuthorizer", {}, { captureAuthorizer: offer().payTo }],
  ["accepted.extra.resourceHash", {}, { resourceHash: writeHex(streamResourceHash("https://else.example")) }],
];
for (const [field, change, extraChange] of refusals) {
  test(`a streamed offer with ${JSON.stringify({ ...change, ...extraChange })} is refused for ${field}`, () => {
    const honest = streamedOffer(origin, NOW + 600);
    checkOffer(honest, expected);
    const altered = { ...honest, ...change, extra: { ...honest.extra, ...extraChange } };
    assert.throws(() => checkOffer(altered, expected), { name: "RefusedError", field });
  });
}

test("a price for each request without a streamed hold is refused", () => {
  const { maximumRequestPrice: _price, ...single } = expected;
  const altered = { ...streamedOffer(origin, NOW + 600), amount: "1000" };
  altered.extra["captureAuthorizer"] = offer().payTo;
  assert.throws(() => checkOffer(altered, single), { field: "accepted.extra.requestPrice" });
});
