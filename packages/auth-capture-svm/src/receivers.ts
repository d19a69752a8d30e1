/**
 * Lists of the receivers that a session may pay, kept on chain as one hash: the root of a Merkle
 * tree. An intent comes with the proof that its receiver is in the list.
 *
 * Leaves and nodes are hashed under different prefixes, so that neither can be taken for the other:
 * `leaf = SHA-256(0x00 ‖ receiver)`, `node = SHA-256(0x01 ‖ lower ‖ higher)`, where the two
 * children are in the order of their bytes. Leaves are in the order of the receivers' bytes, each
 * once; an odd one at the end of a row goes up as it is. A list of one has its leaf as root and an
 * empty proof.
 */

import { sha256 } from "@noble/hashes/sha2.js";

import { type Address, readBase58, writeHex } from "./bytes.js";

/** The most receivers that a list can have. */
export const MAXIMUM_RECEIVERS = 4096;

/** The most hashes that a proof has: the height of a tree of `MAXIMUM_RECEIVERS`. */
export const MAXIMUM_PROOF_HASHES = 12;

/** A list of receivers, with its whole tree. */
export class ReceiverList {
  /** What a session stores of the list: 32 bytes. */
  readonly root: Uint8Array;
  /** Where each receiver's leaf is in the first row. */
  readonly #places: ReadonlyMap<Address, number>;
  /** The leaves, then each row above them. */
  readonly #rows: readonly (readonly Uint8Array[])[];

  /**
   * A list of these receivers, in any order.
   *
   * @throws if they are none, more than `MAXIMUM_RECEIVERS`, or not addresses
   */
  constructor(receivers: readonly Address[]) {
    const keys = new Map(receivers.map((receiver) => [receiver, readBase58(receiver, 32, "receivers")]));
    if (keys.size === 0 || keys.size > MAXIMUM_RECEIVERS) {
      throw new RangeError(`receivers: expected 1 to ${MAXIMUM_RECEIVERS} addresses, not ${keys.size}`);
    }
    const sorted = [...keys].sort(([, left], [, right]) => Buffer.compare(left, right));
    this.#places = new Map(sorted.map(([receiver], place) => [receiver, place]));
    let row = sorted.map(([, key]) => leaf(key));
    const rows = [row];
    while (row.length > 1) {
      row = rowAbove(row);
      rows.push(row);
    }
    this.#rows = rows;
    this.root = row[0] as Uint8Array;
  }

  /** Shows that `receiver` is in the list, in hexadecimal; `undefined` where it is not. */
  proof(receiver: Address): string[] | undefined {
    const place = this.#places.get(receiver);
    if (place === undefined) {
      return undefined;
    }
    const siblings = this.#rows.map((row, height) => row[(place >> height) ^ 1]);
    return siblings.filter((sibling) => sibling !== undefined).map(writeHex);
  }
}

function leaf(receiver: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0, ...receiver));
}

function rowAbove(row: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let place = 0; place < row.length; place += 2) {
    const [left, right] = row.slice(place, place + 2);
    if (left !== undefined) {
      above.push(right === undefined ? left : node(left, right));
    }
  }
  return above;
}

function node(one: Uint8Array, other: Uint8Array): Uint8Array {
  const [lower, higher] = Buffer.compare(one, other) <= 0 ? [one, other] : [other, one];
  return sha256(Uint8Array.of(1, ...lower, ...higher));
}
