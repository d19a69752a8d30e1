import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { PURCHASE } from "../src/purchase/buyer.js";
import { CHARGE } from "../src/purchase/charge.js";
import { nextOf, type Table } from "../src/purchase/machine.js";
import { HOLD, type HoldState, takesVouchers, VOUCHER } from "../src/purchase/seller.js";

interface Vector {
  readonly side: string;
  readonly state: string;
  readonly event: string;
  readonly next?: string;
  readonly refused?: true;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../../../docs/purchase-vectors.json", import.meta.url), "utf8"),
) as Vector[];

/** What a voucher makes of its hold that comes without the hold's intent: it goes on as it is, or takes none. */
const LONE_VOUCHER: Table<string, string> = Object.fromEntries(
  Object.keys(HOLD).map((state) => [state, takesVouchers(state as HoldState) ? { asked: state } : {}]),
);

const TABLES: Record<string, Table<string, string>> = {
  seller_hold: HOLD,
  seller_voucher: VOUCHER,
  seller_lone_voucher: LONE_VOUCHER,
  seller_charge: CHARGE,
  buyer: PURCHASE,
};

for (const [side, table] of Object.entries(TABLES)) {
  const ours = vectors.filter((vector) => vector.side === side);

  test(`${side} has every state of the vectors, and no other`, () => {
    assert.deepEqual(new Set(ours.map(({ state }) => state)), new Set(Object.keys(table)));
  });

  test(`${side} goes on as the vectors do, and refuses what they refuse`, () => {
    assert.ok(ours.length > 0);
    for (const { state, event, next } of ours) {
      if (next === undefined) {
        assert.throws(() => nextOf(table, state, event), { name: "IllegalError" }, `${state} ${event}`);
      } else {
        assert.equal(nextOf(table, state, event), next, `${state} ${event}`);
      }
    }
    const events = new Set(ours.map(({ event }) => event));
    const known = Object.values(table).flatMap((row) => Object.keys(row));
    assert.ok(known.every((event) => events.has(event)));
  });
}

test("the vectors have no other side", () => {
  assert.deepEqual(new Set(vectors.map(({ side }) => side)), new Set(Object.keys(TABLES)));
});
