import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { Journal, type Purchase } from "../src/client/journal.js";
import { freshFile, NOW, offer } from "./fixture.js";

/** A purchase that was signed at `NOW`. */
function purchase(number: number, more: Partial<Purchase> = {}): Purchase {
  return {
    purchase: number.toString(16).padStart(64, "0"),
    state: "signed",
    at: NOW,
    origin: "https://shop.example",
    resourceHash: "06".repeat(32),
    payTo: offer().payTo,
    amount: 1000n,
    authorizeBy: NOW + 60,
    captureDeadline: NOW + 600,
    payment: { x402Version: 2, accepted: offer(), payload: { nonce: String(number) } },
    ...more,
  };
}

const streamed = { ...offer(), extra: { ...offer().extra, requestPrice: "100" } };

test("what is needed no more is left out once the file is long, and nothing else", async () => {
  const path = freshFile();
  const journal = new Journal(path);
  const begin = async (one: Purchase, ...then: Purchase["state"][]): Promise<void> => {
    await journal.begin(one, () => {});
    for (const state of then) {
      await journal.note(one.purchase, state);
    }
  };
  await begin(purchase(1, { key: "kept" }), "served");
  await begin(purchase(2), "unknown");
  await begin(purchase(3, { payment: { ...purchase(3).payment, accepted: streamed } }), "served");
  await begin(purchase(4), "served");
  await begin(purchase(5, { key: "old", captureDeadline: NOW - 86_401 }), "served");
  const again = JSON.stringify({ purchase: purchase(2).purchase, state: "unknown" });
  appendFileSync(path, `${again}\n`.repeat(1_000));
  await begin(purchase(6));
  assert.ok(readFileSync(path, "utf8").split("\n").length < 10);
  const known = (await journal.all()).map(({ purchase: id, state }) => [Number.parseInt(id, 16), state]);
  assert.deepEqual(known, [
    [1, "served"],
    [2, "unknown"],
    [3, "served"],
    [6, "unknown"],
  ]);
});

test("many that write at once lose nothing", async () => {
  const path = freshFile();
  const journals = [1, 2, 3].map(() => new Journal(path));
  const numbers = Array.from({ length: 30 }, (_, number) => number);
  await Promise.all(numbers.map((number) => journals[number % 3]?.begin(purchase(number), () => {})));
  assert.equal((await new Journal(path).all()).length, 30);
});

test("a purchase that another run noted under another key goes on under that", async () => {
  const journal = new Journal(freshFile());
  await journal.begin(purchase(1, { key: "first" }), () => {});
  await journal.begin(purchase(1, { key: "second", state: "unknown" }), () => {});
  assert.equal(await journal.find("first"), undefined);
  assert.equal((await journal.find("second"))?.state, "unknown");
});

test("what is begun again under a key is the key's last purchase", async () => {
  const journal = new Journal(freshFile());
  await journal.begin(purchase(1), () => {});
  await journal.begin(purchase(2, { key: "one" }), () => {});
  await journal.note(purchase(2).purchase, "over");
  await journal.begin(purchase(1, { key: "one", state: "unknown" }), () => {});
  assert.equal((await journal.find("one"))?.purchase, purchase(1).purchase);
});
