import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { Authorizer } from "../src/server/authorizer.js";
import { openFolder } from "../src/server/folder.js";
import type { Change } from "../src/server/hold.js";
import { Records } from "../src/server/records.js";
import { AUTHORIZER, freshFile, NOW, offer } from "./fixture.js";

const facts = { requirements: offer(), authorizeBy: NOW, captureDeadline: NOW + 600 };
const authorizer = new Authorizer(AUTHORIZER);

function idOf(number: number): string {
  return number.toString(16).padStart(64, "0");
}

/** A folder that nothing else uses. */
function freshFolder(): string {
  return `${freshFile()}.d`;
}

const fileOf = (folder: string): string => join(folder, "purchases.jsonl");

/** Does `work` with what is in a folder, as a run that ends like a crash. */
async function run<T>(folder: string, work: (records: Records) => T): Promise<T> {
  const [records, unlock] = await openFolder(folder);
  try {
    return work(records);
  } finally {
    unlock();
  }
}

const HELD: Change[] = [{ hold: ["asked"] }, { hold: ["held"], facts }];
const OPENED: Change[] = [
  { hold: ["asked"], voucher: [100n, "asked"] },
  { hold: ["opened"], voucher: [100n, "held"], facts },
];

function follow(records: Records, id: string, changes: Change[]): void {
  changes.forEach((change) => records.change(id, change));
}

test("each change is on disk when it returns, in a line of its own that only the owner can read", async () => {
  const folder = freshFolder();
  await run(folder, (records) => {
    let before = readFileSync(fileOf(folder), "utf8");
    assert.equal(before, `{"claim":"${records.claim}"}\n`);
    const payload = authorizer.end(idOf(1), 1000n);
    records.change(idOf(1), { hold: ["asked"] });
    for (const change of [{ hold: ["held"], facts }, { hold: ["served"], payload }, { hold: ["final"] }] as Change[]) {
      records.change(idOf(1), change);
      const after = readFileSync(fileOf(folder), "utf8");
      assert.ok(after.startsWith(before), "nothing is written twice");
      assert.match(after.slice(before.length), /^[^\n]+\n$/);
      before = after;
    }
  });
  const modes = [fileOf(folder), join(folder, "lock"), folder].map((path) => statSync(path).mode & 0o777);
  assert.deepEqual(modes, [0o600, 0o600, 0o700]);
});

test("a folder that others could read is closed to them", async () => {
  const folder = freshFolder();
  mkdirSync(folder, { mode: 0o755 });
  await run(folder, () => {});
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test("what was being served in a crash is released, and what was captured still is", async () => {
  const folder = freshFolder();
  const payload = authorizer.end(idOf(2), 1000n);
  const claim = await run(folder, (records) => {
    follow(records, idOf(1), HELD);
    follow(records, idOf(2), [...HELD, { hold: ["served"], payload }]);
    follow(records, idOf(3), [{ hold: ["asked"] }]);
    follow(records, idOf(4), [{ hold: ["asked"] }, { hold: ["no_answer"], facts }]);
    return records.claim;
  });
  for (let runs = 0; runs < 2; runs += 1) {
    await run(folder, (records) => {
      const states = [1, 2, 3, 4].map((number) => records.get(idOf(number)).state);
      assert.deepEqual(states, ["releasing", "capturing", "offered", "unknown"]);
      assert.deepEqual([records.get(idOf(2)).payload, records.get(idOf(4)).facts], [payload, facts]);
      assert.deepEqual([records.claim, records.unknown], [claim, 1]);
    });
  }
});

test("of a stream a crash loses no voucher that bought something, and no other", async () => {
  const folder = freshFolder();
  await run(folder, (records) => {
    follow(records, idOf(1), [...OPENED, { voucher: [100n, "served"] }]);
    for (const amount of [200n, 300n, 400n]) {
      follow(records, idOf(1), [{ voucher: [amount, "asked"] }, { voucher: [amount, "held"] }]);
    }
    follow(records, idOf(1), [{ voucher: [200n, "failed"] }, { voucher: [300n, "served"] }]);
  });
  for (let runs = 0; runs < 2; runs += 1) {
    await run(folder, (records) => {
      const { state, accepted, served, underWay } = records.get(idOf(1));
      assert.deepEqual([state, accepted, [...served], underWay.size], ["open", 400n, [100n, 300n], 0]);
    });
  }
});

test("a line that a crash broke off is dropped, and nothing else", async () => {
  const folder = freshFolder();
  await run(folder, (records) => follow(records, idOf(1), HELD));
  appendFileSync(fileOf(folder), `{"hold":"${idOf(2)}","sta`);
  await run(folder, (records) => {
    follow(records, idOf(3), HELD);
    // As a write leaves it that the disk had no room for.
    appendFileSync(fileOf(folder), '{"hold":');
    follow(records, idOf(4), HELD);
  });
  const known = await run(folder, (records) => records.all().map(([id]) => id));
  assert.deepEqual(known, [idOf(1), idOf(3), idOf(4)]);
});

test("a file that is damaged is left as it is, and nothing is sold", async () => {
  const claim = `{"claim":"${"0a".repeat(16)}"}\n`;
  for (const [text, problem] of [
    ["{}\n", /claim: is missing/],
    ['{"claim":"00"}\n', /claim: must be 32/],
    ["garbage\n", /line 1 can't be read/],
    [`${claim}garbage\n`, /line 2 can't be read/],
    [`${claim}{"hold":5}\n`, /line 2: hold: expected a string/],
    [`${claim}{"hold":"${idOf(1)}","state":"constructor"}\n`, /line 2: state: there is no constructor/],
    [`${claim}{"hold":"${idOf(1)}","served":[7]}\n`, /line 2: served\.0/],
  ] as const) {
    const folder = freshFolder();
    mkdirSync(folder);
    writeFileSync(fileOf(folder), text);
    await assert.rejects(openFolder(folder), problem);
    await assert.rejects(openFolder(folder), problem, "the lock is given back");
    assert.equal(readFileSync(fileOf(folder), "utf8"), text);
  }
});

test("the file does not grow with the payments that are over", async () => {
  const folder = freshFolder();
  await run(folder, (records) => {
    follow(records, idOf(0), HELD);
    for (let number = 1; number <= 100; number += 1) {
      const payload = authorizer.end(idOf(number), 1000n);
      const ended: Change[] = [{ hold: ["served"], payload }, { hold: ["final"] }, { hold: ["over"] }];
      follow(records, idOf(number), [...HELD, ...ended]);
    }
    const lines = readFileSync(fileOf(folder), "utf8").split("\n").length;
    assert.ok(lines < 300, `${lines}`);
    assert.equal(records.size, 1);
  });
});

test("what can't be written did not happen", () => {
  let isFull = false;
  const write = (): void => {
    if (isFull) {
      throw new Error("the disk is full");
    }
  };
  const records = new Records({ append: write, rewrite: write }, "00".repeat(16), []);
  follow(records, idOf(1), [{ hold: ["asked"] }]);
  isFull = true;
  assert.throws(() => records.change(idOf(1), { hold: ["held"], facts }), /the disk is full/);
  assert.equal(records.get(idOf(1)).state, "sent");
});

test("what only memory knows is on disk with the next change", () => {
  let isFull = false;
  let lines: readonly unknown[] = [];
  const write = (all: readonly unknown[]): void => {
    if (isFull) {
      throw new Error("the disk is full");
    }
    lines = all;
  };
  const log = { append: (line: unknown) => write([...lines, line]), rewrite: write };
  const records = new Records(log, "00".repeat(16), []);
  const unanswered: Change = { hold: ["no_answer"], facts, payload: { nonce: "1" } };
  follow(records, idOf(1), [{ hold: ["asked"] }]);
  isFull = true;
  assert.throws(() => records.change(idOf(1), unanswered), /the disk is full/);
  records.remember(idOf(1), unanswered);
  isFull = false;
  follow(records, idOf(2), HELD);
  const { state, facts: known, payload } = new Records(log, records.claim, lines.slice(1)).get(idOf(1));
  assert.deepEqual([state, known, payload], ["unknown", facts, unanswered.payload]);
});

test("two can't use one folder at once", async () => {
  const folder = freshFolder();
  await run(folder, () => {});
  const [, unlock] = await openFolder(folder);
  await assert.rejects(openFolder(folder), /another merchant uses it; give each a folder of its own/);
  unlock();
  await run(folder, () => {});
});
