import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { sha256 } from "@noble/hashes/sha2.js";

import { writeBase58, writeHex } from "../src/bytes.js";
import { ReceiverList } from "../src/receivers.js";
import { address } from "./fixture.js";

interface Expected {
  name: string;
  root: string;
  proofs: { receiver: string; proof: string[] }[];
}

interface Vectors {
  receiver_lists: (Expected & { receivers: string[] })[];
  long_receiver_list: Expected & { prefix: string; count: number };
}

const file = new URL("../../../../docs/messages-vectors.json", import.meta.url);
const vectors = JSON.parse(readFileSync(file, "utf8")) as Vectors;

const { prefix, count, ...long } = vectors.long_receiver_list;
const numbered = (number: number): string => writeBase58(sha256(new TextEncoder().encode(`${prefix}${number}`)));
const lists = [...vectors.receiver_lists, { ...long, receivers: Array.from({ length: count }, (_, n) => numbered(n)) }];

for (const { name, receivers, root, proofs } of lists) {
  test(`root and proofs of ${name}`, () => {
    const list = new ReceiverList(receivers);
    assert.equal(writeHex(list.root), root);
    for (const { receiver, proof } of proofs) {
      assert.deepEqual(list.proof(receiver), proof);
    }
    assert.equal(list.proof(address(250)), undefined);
  });
}

test("order and repeats don't change the root", () => {
  const receivers = Array.from({ length: 7 }, (_, number) => numbered(number));
  const repeated = [...receivers, ...receivers].reverse();
  assert.deepEqual(new ReceiverList(repeated).root, new ReceiverList(receivers).root);
});

test("an empty list, one too long, and what is no address are refused", () => {
  assert.throws(() => new ReceiverList([]), /receivers: expected 1 to 4096 addresses, not 0/);
  assert.throws(() => new ReceiverList(Array.from({ length: 4097 }, (_, n) => numbered(n))), /not 4097/);
  assert.throws(() => new ReceiverList(["x"]), /receivers: expected 32 bytes in base58, not "x"/);
});
