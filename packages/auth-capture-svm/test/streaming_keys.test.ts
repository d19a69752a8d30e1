/** Purchases under a key out of a hold for many requests, and what becomes of those that got no answer. */

import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { test } from "node:test";

import { session } from "./fixture.js";
import { agentOf, verifier } from "./peers.js";
import { amounts, type Bought, opened, streamingShop } from "./streaming_shop.js";

/** An agent, a server that answers its payments as told, and a verifier that says `report` of them. */
async function market(...answers: (number | string)[]) {
  const bought: Bought[] = [];
  const base = await streamingShop(bought, (count) => answers[count - 1] ?? 200);
  const market = { bought, base, report: undefined as unknown };
  const url = await verifier({}, [], () => market.report);
  const file = session({ verifier: url });
  const agent = await agentOf("", { maximumAmount: 150n, maximumHold: 1000n }, file);
  const buy = async (key?: string, path = "/a"): Promise<string> => {
    const outcome = await agent.buy(`${base}${path}`, undefined, key === undefined ? {} : { key });
    return outcome.kind;
  };
  return Object.assign(market, { agent, file, buy });
}

test("a hold of which a part is captured still pays: its voucher in doubt is not over", async () => {
  const shop = await market(200, 0);
  assert.deepEqual([await shop.buy(), await shop.buy("k")], ["served", "unknown"]);
  shop.report = { state: "captured", captured: "100" };
  assert.equal((await shop.agent.lookup("k"))?.state, "unknown");
  assert.equal(await shop.buy("k"), "served");
  assert.deepEqual(amounts(shop.bought), [100, 200, 200]);
});

test("a server has no third hold while parts of two are captured", async () => {
  const closed = "invalid_auth_capture_svm_voucher_hold_closed";
  const shop = await market(200, closed, 200, closed, 200);
  shop.report = { state: "captured", captured: "100" };
  assert.deepEqual([await shop.buy(), await shop.buy()], ["served", "served"]);
  await shop.buy();
  await assert.rejects(shop.buy(), { name: "TooManyHoldsError" });
  assert.equal(opened(shop.bought).filter(Boolean).length, 2);
});

const NOT_FOUND = "invalid_auth_capture_svm_payment_not_found";

test("what opened a hold and never arrived is sent again, though its own purchase is over", async () => {
  const shop = await market(0, NOT_FOUND, 200, 200);
  assert.equal(await shop.buy("k"), "unknown");
  shop.report = { state: "ended", captured: "0" };
  assert.equal((await shop.agent.lookup("k"))?.state, "over");
  assert.equal(await shop.buy(), "served");
  assert.deepEqual([amounts(shop.bought), opened(shop.bought)], [[100, 100, 100], [true, false, true]]);
  assert.equal((await shop.agent.lookup(shop.bought[0]?.paymentId ?? ""))?.state, "served");
});

test("a voucher that a resumed opening paid with pays for no other purchase", async () => {
  const shop = await market(0);
  assert.equal(await shop.buy("k"), "unknown");
  assert.equal((await shop.agent.resume("k", `${shop.base}/a`)).kind, "served");
  assert.equal(await shop.buy("m"), "served");
  assert.deepEqual(amounts(shop.bought), [100, 100, 200]);
});

test("a voucher in doubt goes to another purchase only if the verifier has not accepted it", async () => {
  for (const [vouched, paid, states] of [
    ["200", [100, 200, 300], ["unknown", "served", "unknown"]],
    // Where the other purchase has a key too, it has the voucher's place in the journal.
    ["100", [100, 200, 200], ["over", "served", undefined]],
  ] as const) {
    for (const [index, [first, second]] of [["k"], [undefined, "k"], ["k", "m"]].entries()) {
      const shop = await market(200, 0);
      assert.deepEqual([await shop.buy(), await shop.buy(first)], ["served", "unknown"]);
      shop.report = { state: "authorized", captured: "0", vouched };
      assert.equal(await shop.buy(second), "served");
      assert.deepEqual(amounts(shop.bought), paid);
      assert.equal((await shop.agent.lookup("k"))?.state, states[index]);
    }
  }
});

test("of two purchases in doubt each is decided by its own amount", async () => {
  const shop = await market(0, 0);
  assert.equal(await shop.buy("k"), "unknown");
  shop.report = { state: "authorized", captured: "0", vouched: "100" };
  assert.deepEqual([await shop.buy("m"), await shop.buy()], ["unknown", "served"]);
  const states = ["k", "m"].map(async (key) => (await shop.agent.lookup(key))?.state);
  assert.deepEqual(await Promise.all(states), ["unknown", "over"]);
  assert.deepEqual(amounts(shop.bought), [100, 200, 200]);
});

test("where the verifier does not say whether a voucher under a key was accepted, nothing is signed", async () => {
  const shop = await market(200, 0);
  assert.deepEqual([await shop.buy(), await shop.buy("k")], ["served", "unknown"]);
  shop.report = "not a report";
  await assert.rejects(shop.buy(), { name: "InDoubtError" });
  await assert.rejects(shop.buy("m"), { name: "InDoubtError" });
  assert.equal(await shop.agent.lookup("m"), undefined);
  shop.report = { state: "authorized", captured: "200" };
  assert.equal(await shop.buy(), "served");
  assert.deepEqual(amounts(shop.bought), [100, 200, 300]);
});

test("a voucher without a key of a hold that is known to be held takes no lock", async () => {
  const shop = await market();
  await shop.buy();
  const locks = ["journal", "nonces", "spent"].map((name) => `${shop.file.files}.${name}.lock`);
  locks.forEach((lock) => rmSync(lock));
  await shop.buy();
  await shop.buy();
  assert.deepEqual(locks.filter(existsSync), []);
  await shop.buy("k");
  assert.deepEqual(locks.filter(existsSync), locks.slice(0, 1));
  assert.deepEqual(amounts(shop.bought), [100, 200, 300, 400]);
});
