import assert from "node:assert/strict";
import { test } from "node:test";

import { DRAFT_SECONDS, Nonces } from "../src/client/nonces/state.js";

const NOW = 1_700_000_000;
const TICKET = 77n;
/** An intent that was not held keeps its nonce for a minute longer. */
const FREE_AT = NOW + 61;

function idOf(nonce: bigint): string {
  return nonce.toString(16).padStart(64, "0");
}

/** Takes and signs a nonce that can be held until `NOW`. */
function sign(nonces: Nonces): bigint {
  const nonce = take(nonces, NOW);
  assert.ok(nonces.sign(nonce, TICKET, idOf(nonce), NOW));
  return nonce;
}

function take(nonces: Nonces, now: number, above = 0n): bigint {
  const nonce = nonces.take(above, TICKET, now);
  assert.ok(typeof nonce === "bigint", "none is left");
  return nonce;
}

function written(nonces: Nonces): Record<string, unknown> {
  return JSON.parse(JSON.stringify(nonces)) as Record<string, unknown>;
}

/** Nonces of which all below `next` count as used, and `free` are free again. */
function restartedAt(next: bigint, free: bigint[] = []): Nonces {
  const used = String(next - 1n);
  return Nonces.read({ highestUsed: used, highestTaken: used, free: free.map(String), outstanding: {} }, "");
}

test("nonces start at 1 and none is handed out twice", () => {
  const nonces = new Nonces();
  assert.deepEqual(
    Array.from({ length: 5 }, () => take(nonces, NOW)),
    [1n, 2n, 3n, 4n, 5n],
  );
});

test("a nonce for which nothing was signed is free at once", () => {
  const nonces = new Nonces();
  Array.from({ length: 3 }, () => take(nonces, NOW));
  nonces.release(2n, TICKET);
  assert.deepEqual([take(nonces, NOW), take(nonces, NOW)], [2n, 4n]);
});

test("a signed nonce is free again a minute after it can be held", () => {
  const nonces = new Nonces();
  sign(nonces);
  nonces.release(1n, TICKET);
  assert.equal(take(nonces, FREE_AT - 1), 2n, "a signed nonce is not released");
  assert.equal(take(nonces, FREE_AT), 1n);
});

test("a held nonce is used for good", () => {
  const nonces = new Nonces();
  sign(nonces);
  sign(nonces);
  nonces.held(idOf(1n));
  nonces.held(idOf(9n));
  assert.equal(nonces.highestUsed, 1n);
  assert.deepEqual([take(nonces, NOW + 3600), take(nonces, NOW + 3600)], [2n, 3n]);
});

test("a refused nonce is dropped and raises no bound", () => {
  const nonces = new Nonces();
  take(nonces, NOW);
  nonces.refuse(1n, TICKET);
  assert.equal(take(nonces, NOW + 3600), 2n);
  assert.equal(nonces.bound, 1024n);
  assert.equal(take(nonces, NOW, 9n), 10n, "a search skips some");
});

test("of a nonce whose draft never came only the next holder may sign", () => {
  const nonces = new Nonces();
  take(nonces, NOW);
  assert.equal(take(nonces, NOW + DRAFT_SECONDS), 2n);
  const other = 78n;
  assert.equal(nonces.take(0n, other, NOW + DRAFT_SECONDS + 1), 1n);
  assert.ok(!nonces.sign(1n, TICKET, idOf(1n), NOW + 300), "its time has passed");
  nonces.release(1n, TICKET);
  nonces.refuse(1n, TICKET);
  assert.ok(nonces.sign(1n, other, idOf(1n), NOW + 300));
  assert.ok(!nonces.sign(1n, other, idOf(2n), NOW + 300), "a nonce is signed once");
});

test("no nonce is more than 1,024 above the highest used", () => {
  const nonces = new Nonces();
  const signed = Array.from({ length: 1024 }, () => sign(nonces));
  assert.equal(signed.at(-1), 1024n);
  assert.deepEqual(nonces.take(0n, TICKET, NOW), { freeAt: FREE_AT });
  nonces.held(idOf(3n));
  assert.deepEqual([nonces.bound, take(nonces, NOW)], [1027n, 1025n]);
  assert.equal(take(nonces, FREE_AT), 1n);

  const refused = new Nonces();
  Array.from({ length: 1024 }, () => refused.refuse(take(refused, NOW), TICKET));
  assert.deepEqual(refused.take(0n, TICKET, NOW), {});
});

test("nonces that the program finds too old are not used again", () => {
  assert.equal(take(restartedAt(1026n, [1n, 2n]), NOW), 1n, "after 1,025 the program accepts nonces from 1 on");
  assert.equal(take(restartedAt(1027n, [1n, 2n]), NOW), 2n, "after 1,026 from 2 on");
});

test("nonces that are outstanding above the highest taken are passed over", () => {
  const outstanding = { 2: { asked: { ticket: "1", until: NOW } }, 3: { asked: { ticket: "2", until: NOW } } };
  const nonces = Nonces.read({ highestUsed: "1", highestTaken: "1", free: [], outstanding }, "");
  assert.equal(take(nonces, NOW), 4n);
});

test("the largest nonces end without overflow", () => {
  const largest = 2n ** 64n - 1n;
  const nonces = restartedAt(largest);
  assert.equal(take(nonces, NOW), largest);
  assert.ok(typeof nonces.take(0n, TICKET, NOW) === "object");
});

test("nonces are read as they were written, in strings", () => {
  const nonces = new Nonces();
  sign(nonces);
  nonces.held(idOf(1n));
  sign(nonces);
  take(nonces, NOW);
  take(nonces, NOW);
  nonces.release(3n, TICKET);
  assert.deepEqual(written(nonces), {
    highestUsed: "1",
    highestTaken: "4",
    free: ["3"],
    outstanding: {
      2: { signed: { paymentId: idOf(2n), authorizeBy: NOW } },
      4: { asked: { ticket: "77", until: NOW + DRAFT_SECONDS } },
    },
  });
  assert.deepEqual(written(Nonces.read(written(nonces), "")), written(nonces));
});

test("a damaged record is refused", () => {
  const whole = written(new Nonces());
  const damages = [
    { highestUsed: 1 },
    { highestTaken: undefined },
    { free: ["x"] },
    { free: {} },
    { outstanding: { x: { asked: { ticket: "1", until: 1 } } } },
    { outstanding: { 1: {} } },
    { outstanding: { 1: { signed: { paymentId: "ab", authorizeBy: 1 } } } },
  ];
  for (const damage of damages) {
    assert.throws(() => Nonces.read({ ...whole, ...damage }, ""), { name: "FieldError" }, JSON.stringify(damage));
  }
});
