import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { CHARGE } from "../src/purchase/charge.js";
import { HOLD, type HoldState, VOUCHER } from "../src/purchase/seller.js";
import { type Nature, World } from "./proof.js";

/** For a longer run. */
const STEPS = Number(process.env["X402_PROOF_STEPS"] ?? 4_000);

/** How many steps one world takes. */
const STEPS_EACH = 2_000;

/** Runs a world, and looks at what became of everybody's money. */
async function prove(seed: number, nature: Nature): Promise<World> {
  const quiet = ["error", "warn"].map((name) => mock.method(console, name as "error", () => {}));
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_700_000_000_000 });
  const tick = (milliseconds: number): void => mock.timers.tick(milliseconds);
  try {
    const world = new World(seed, nature);
    for (let step = 0; step < STEPS_EACH && world.failures.length === 0; step += 1) {
      await world.step(tick);
    }
    await world.finish(tick);
    for (const failure of world.failures) {
      throw failure;
    }
    world.check();
    return world;
  } finally {
    mock.timers.reset();
    quiet.forEach((mocked) => mocked.mock.restore());
  }
}

const WORLDS = Math.ceil(STEPS / STEPS_EACH / 2);

for (const [name, nature] of [
  ["nothing is served twice or unpaid, and nobody charged for nothing", { full: 2, lies: false }],
  ["nothing is served twice by the word of a verifier that lies", { full: 2, lies: true }],
] as const) {
  test(`${name}, in ${WORLDS * STEPS_EACH} steps`, async () => {
    let served = 0;
    for (let seed = 1; seed <= WORLDS; seed += 1) {
      served += (await prove(seed, nature)).served.size;
    }
    assert.ok(served > (WORLDS * STEPS_EACH) / 200, `${served} purchases were served`);
  });
}

/** Runs worlds in which a state has another way on, until one goes wrong. */
async function findsOut(change: () => () => void): Promise<void> {
  const restore = change();
  try {
    await assert.rejects(async () => {
      for (let seed = 1; seed <= 10; seed += 1) {
        await prove(seed, { full: 0, lies: seed % 2 === 0 });
      }
    }, /served twice|not paid for|was paid|can't happen/);
  } finally {
    restore();
  }
}

function altering<T extends object>(row: T, change: Partial<T>): () => () => void {
  return () => {
    const before = { ...row };
    Object.assign(row, change);
    return () => {
      Object.keys(row).forEach((key) => delete (row as Record<string, unknown>)[key]);
      Object.assign(row, before);
    };
  };
}

test("it finds out a voucher that was served and may come again", () =>
  findsOut(altering(VOUCHER.served, { asked: "sent" })));

for (const state of ["serving", "capturing", "captured"] satisfies HoldState[]) {
  test(`it finds out a payment that is ${state} and may come again`, () =>
    findsOut(altering(HOLD[state], { asked: "sent" })));
}

test("it finds out a charge that was served and may come again", () =>
  findsOut(altering(CHARGE.served, { asked: "verifying" })));

test("it finds out a crash that makes a merchant forget what a charge bought", () =>
  findsOut(altering(CHARGE.served, { crashed: "unknown" })));

test("it finds out a crash that makes a merchant forget what it captures", () =>
  findsOut(altering(HOLD.capturing, { crashed: "offered" })));
