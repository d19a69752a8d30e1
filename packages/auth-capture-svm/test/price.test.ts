import assert from "node:assert/strict";
import { test } from "node:test";

import type { Price } from "@x402/core/types";

import { parsePrice } from "../src/server/price.js";
import { address } from "./fixture.js";

const token = { mint: address(2), decimals: 6 };

const prices: [Price, string][] = [
  ["$0.10", "100000"],
  ["0.000001", "1"],
  [1.5, "1500000"],
  ["$1000000", "1000000000000"],
  [{ asset: address(2), amount: "42" }, "42"],
];
for (const [price, amount] of prices) {
  test(`${JSON.stringify(price)} is ${amount} base units`, () => {
    assert.deepEqual(parsePrice(price, token), { asset: address(2), amount });
  });
}

const refused: [Price, RegExp][] = [
  ["$0.0000001", /has more than the token's 6 decimals/],
  [1e-7, /is not an amount/],
  ["€1", /is not an amount/],
  ["-1", /is not an amount/],
  [".5", /is not an amount/],
  ["0", /must be above 0/],
  ["$18446744073709.551616", /more than a token account can hold/],
  [{ asset: address(9), amount: "42" }, /is not the merchant's token/],
  [{ asset: address(2), amount: "1.5" }, /more than the token's 0 decimals/],
];
for (const [price, message] of refused) {
  test(`${JSON.stringify(price)} is no price`, () => assert.throws(() => parsePrice(price, token), message));
}
