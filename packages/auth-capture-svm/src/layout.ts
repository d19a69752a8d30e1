/** Fixed layouts, as Borsh writes them. */

import { type Address, readBase58 } from "./bytes.js";

/** Writes fields one after the other, integers little-endian. */
export class Layout {
  readonly #view: DataView;
  #offset = 0;

  constructor(length: number) {
    this.#view = new DataView(new ArrayBuffer(length));
  }

  address(text: Address, field: string): void {
    this.bytes32(readBase58(text, 32, field), field);
  }

  bytes32(bytes: Uint8Array, field: string): void {
    if (bytes.length !== 32) {
      throw new RangeError(`${field}: expected 32 bytes, not ${bytes.length}`);
    }
    new Uint8Array(this.#view.buffer).set(bytes, this.#advance(32));
  }

  unsigned64(value: bigint, field: string): void {
    ensure(value === BigInt.asUintN(64, value), field, value, "0 to 2^64 - 1");
    this.#view.setBigUint64(this.#advance(8), value, true);
  }

  signed64(value: bigint, field: string): void {
    ensure(value === BigInt.asIntN(64, value), field, value, "-2^63 to 2^63 - 1");
    this.#view.setBigInt64(this.#advance(8), value, true);
  }

  unsigned16(value: number, field: string): void {
    ensure(Number.isInteger(value) && value >= 0 && value <= 0xffff, field, value, "0 to 65535");
    this.#view.setUint16(this.#advance(2), value, true);
  }

  byte(value: number): void {
    this.#view.setUint8(this.#advance(1), value);
  }

  whole(): Uint8Array {
    if (this.#offset !== this.#view.byteLength) {
      throw new RangeError(`the layout has ${this.#offset} of ${this.#view.byteLength} bytes`);
    }
    return new Uint8Array(this.#view.buffer);
  }

  #advance(length: number): number {
    const offset = this.#offset;
    this.#offset += length;
    return offset;
  }
}

function ensure(holds: boolean, field: string, value: bigint | number, bounds: string): void {
  if (!holds) {
    throw new RangeError(`${field}: ${value} is not an integer from ${bounds}`);
  }
}
