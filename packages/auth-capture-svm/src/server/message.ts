/** The message of a legacy transaction of Solana, as its signers sign it. */

import { type Address, writeBase58 } from "../bytes.js";

/** What a message does, and who signs it. */
export interface Message {
  /** Who must sign, the fee payer first. */
  readonly signers: readonly Address[];
  readonly instructions: readonly Instruction[];
}

export interface Instruction {
  readonly program: Address;
  readonly accounts: readonly Address[];
  readonly data: Uint8Array;
}

/**
 * Reads a message.
 *
 * @throws if the bytes are anything else, or are written in another way than Solana does
 */
export function readMessage(bytes: Uint8Array): Message {
  const reader = new Reader(bytes);
  const signers = reader.byte();
  // A first bit that is set is a version's. How many of the accounts can't be written to says
  // nothing of the signers.
  reader.take(2);
  const keys = reader.list(() => writeBase58(reader.take(32)));
  reader.take(32); // the recent block's hash
  const key = (): Address => {
    const address = keys[reader.byte()];
    return address ?? unreadable("names an account that it does not list");
  };
  const instructions = reader.list(() => ({
    program: key(),
    accounts: reader.list(key),
    data: reader.take(reader.length()),
  }));
  if (!reader.isAtEnd || signers > keys.length) {
    unreadable("has more bytes, or fewer accounts, than it says");
  }
  return { signers: keys.slice(0, signers), instructions };
}

class Reader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#offset) {
      unreadable("ends too early");
    }
    this.#offset += length;
    return this.#bytes.slice(this.#offset - length, this.#offset);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  /** Solana's `compact-u16`: seven bits a byte, the lowest first, in as few bytes as will do. */
  length(): number {
    let length = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.byte();
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return (byte === 0 && shift > 0) || length > 0xffff ? unreadable("has a length that is not minimal") : length;
      }
    }
    return unreadable("has a length above 65535");
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.length() }, read);
  }
}

function unreadable(problem: string): never {
  throw new Error(`it is no legacy message of Solana: it ${problem}`);
}
