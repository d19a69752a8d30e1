import assert from "node:assert/strict";
import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { Authorizer } from "../src/server/lifecycle.js";
import { type Ending, Unsettled } from "../src/server/unsettled.js";
import { freshFile, NOW, offer } from "./fixture.js";
import { AUTHORIZER } from "./shop.js";

function idOf(number: number): string {
  return number.toString(16).padStart(64, "0");
}

function ending(amount = 0n): Ending {
  return { requirements: offer(), payload: new Authorizer(AUTHORIZER).end(idOf(1), amount), captureDeadline: NOW };
}

/** What a next run finds, by payment. */
async function found(file: string): Promise<Record<string, Ending | undefined>> {
  const unsettled = await Unsettled.open(file);
  unsettled.close();
  return Object.fromEntries(unsettled.paymentIds.map((paymentId) => [paymentId, unsettled.get(paymentId)]));
}

test("each change is on disk when it returns, in a line of its own that only the owner can read", async () => {
  const file = freshFile();
  const unsettled = await Unsettled.open(file);
  const release = ending();
  const capture = ending(1000n);
  let before = "";
  for (const change of [
    () => unsettled.add(idOf(1), release),
    () => unsettled.add(idOf(2), release),
    () => unsettled.add(idOf(1), capture),
    () => unsettled.remove(idOf(2)),
  ]) {
    change();
    const after = readFileSync(file, "utf8");
    assert.ok(after.startsWith(before) && after.length > before.length, "nothing is written twice");
    assert.match(after.slice(before.length), /^[^\n]+\n$/);
    before = after;
  }
  assert.equal(statSync(file).mode & 0o777, 0o600);
  unsettled.close();
  assert.deepEqual(await found(file), { [idOf(1)]: capture });
});

test("a line that a crash broke off is dropped, and nothing else", async () => {
  const file = freshFile();
  const first = await Unsettled.open(file);
  first.add(idOf(1), ending());
  first.close();
  appendFileSync(file, `{"paymentId":"${idOf(2)}","end`);
  const next = await Unsettled.open(file);
  next.add(idOf(3), ending());
  // As a write leaves it that the disk had no room for.
  appendFileSync(file, '{"paymentId":');
  next.add(idOf(4), ending());
  next.close();
  assert.deepEqual(Object.keys(await found(file)), [idOf(1), idOf(3), idOf(4)]);
});

test("a file that is damaged is left as it is, and nothing is sold", async () => {
  for (const text of ["{}\n", '{"paymentId":5}\n', "garbage\n", "null\n", '{"paymentId":"00","ending":7}\n']) {
    const file = freshFile();
    writeFileSync(file, text);
    await assert.rejects(Unsettled.open(file), /is damaged: line 1/);
    assert.equal(readFileSync(file, "utf8"), text);
  }
});

test("the file does not grow with the payments that are over", async () => {
  const file = freshFile();
  const unsettled = await Unsettled.open(file);
  unsettled.add(idOf(0), ending());
  for (let number = 1; number <= 300; number += 1) {
    unsettled.add(idOf(number), ending());
    unsettled.remove(idOf(number));
  }
  const lines = readFileSync(file, "utf8").split("\n").length;
  assert.ok(lines < 300, `${lines}`);
  unsettled.close();
  assert.deepEqual(Object.keys(await found(file)), [idOf(0)]);
});
