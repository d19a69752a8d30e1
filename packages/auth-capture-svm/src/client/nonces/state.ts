/**
 * Which nonce an agent may sign next. No I/O. The Rust agent has the same rules, and the same JSON.
 */

import { Fields } from "../../fields.js";

/**
 * How far above the highest nonce seen the program accepts one, and how far behind it an unused
 * one.
 */
const WINDOW_NONCES = 1024n;

/**
 * How long an intent that was not held by its authorize-by time keeps its nonce, in seconds: clocks
 * differ.
 */
const MARGIN_SECONDS = 60;

/**
 * How long a nonce waits for the draft that it is for, in seconds: longer than a verifier may take.
 */
export const DRAFT_SECONDS = 120;

/** A draft that was asked for. Only the holder of the ticket may sign it. */
interface Asked {
  readonly asked: { readonly ticket: bigint; readonly until: number };
}

/** An intent that was signed. */
interface Signed {
  readonly signed: { readonly paymentId: string; readonly authorizeBy: number };
}

/** No nonce can be taken. */
export interface NoneLeft {
  /**
   * The first second in which an outstanding one is free again, unix; absent if none is
   * outstanding.
   */
  readonly freeAt?: number;
}

/**
 * The nonces of one session. Each is fresh, free again, outstanding, or gone for good; only the
 * first two can be taken.
 */
export class Nonces {
  /** The highest that an answer showed to be used on chain; 0 for none. */
  highestUsed = 0n;
  /** The highest that was ever taken; those above are fresh. */
  highestTaken = 0n;
  /** Taken once, and not used. */
  #free: bigint[] = [];
  /** Taken, and not known to be used. */
  readonly #outstanding = new Map<bigint, Asked | Signed>();

  /**
   * Reads what `toJSON` makes.
   *
   * @throws {FieldError} if it is anything else
   */
  static read(value: unknown, path: string): Nonces {
    const fields = new Fields(value, path);
    const nonces = new Nonces();
    nonces.highestUsed = fields.decimal("highestUsed");
    nonces.highestTaken = fields.decimal("highestTaken");
    nonces.#free = fields.items("free", (items, place) => items.decimal(place));
    const outstanding = fields.object("outstanding");
    for (const name of Object.keys(outstanding)) {
      const nonce = new Fields({ nonce: name }, path).decimal("nonce");
      const entry = new Fields(outstanding, `${path}.outstanding`).object(name);
      nonces.#outstanding.set(nonce, readOutstanding(entry, `${path}.outstanding.${name}`));
    }
    return nonces;
  }

  /** As the file has it: nonces and tickets are decimal strings. */
  toJSON(): Record<string, unknown> {
    const outstanding = [...this.#outstanding].map(([nonce, entry]) => [
      String(nonce),
      "asked" in entry ? { asked: { ...entry.asked, ticket: String(entry.asked.ticket) } } : entry,
    ]);
    return {
      highestUsed: String(this.highestUsed),
      highestTaken: String(this.highestTaken),
      free: this.#free.map(String),
      outstanding: Object.fromEntries(outstanding) as unknown,
    };
  }

  /** The highest that may be taken: the program accepts none further above those it has seen. */
  get bound(): bigint {
    return this.highestUsed + WINDOW_NONCES;
  }

  /** Takes the lowest nonce above `above` that is free or fresh, for the holder of `ticket`. */
  take(above: bigint, ticket: bigint, now: number): bigint | NoneLeft {
    for (const [nonce, entry] of this.#outstanding) {
      if (now > reservedUntil(entry)) {
        this.#outstanding.delete(nonce);
        this.#addFree(nonce);
      }
    }
    // The program refuses those that are further behind.
    this.#free = this.#free.filter((nonce) => nonce >= this.highestUsed - WINDOW_NONCES);

    const nonce = this.#free.find((free) => free > above) ?? this.#fresh(above);
    if (nonce > this.bound || nonce !== BigInt.asUintN(64, nonce)) {
      const reserved = [...this.#outstanding.values()].map(reservedUntil);
      return reserved.length === 0 ? {} : { freeAt: Math.min(...reserved) + 1 };
    }
    this.#free = this.#free.filter((free) => free !== nonce);
    this.highestTaken = nonce > this.highestTaken ? nonce : this.highestTaken;
    this.#outstanding.set(nonce, { asked: { ticket, until: now + DRAFT_SECONDS } });
    return nonce;
  }

  /**
   * Notes that an intent with the nonce is signed now. `false` if the nonce is not the ticket's any
   * more: then it must not be signed.
   */
  sign(nonce: bigint, ticket: bigint, paymentId: string, authorizeBy: number): boolean {
    const maySign = this.#isAskedBy(nonce, ticket);
    if (maySign) {
      this.#outstanding.set(nonce, { signed: { paymentId, authorizeBy } });
    }
    return maySign;
  }

  /** Frees a nonce for which nothing was signed. */
  release(nonce: bigint, ticket: bigint): void {
    if (this.#isAskedBy(nonce, ticket)) {
      this.#outstanding.delete(nonce);
      this.#addFree(nonce);
    }
  }

  /**
   * Drops a nonce that the verifier says is used. It does not count as used here: a verifier that
   * lies could otherwise lead the agent beyond what the program accepts.
   */
  refuse(nonce: bigint, ticket: bigint): void {
    if (this.#isAskedBy(nonce, ticket)) {
      this.#outstanding.delete(nonce);
    }
  }

  /**
   * Notes that a signed payment is held: its nonce is used for good. One that is not outstanding
   * changes nothing.
   */
  held(paymentId: string): void {
    for (const [nonce, entry] of this.#outstanding) {
      if ("signed" in entry && entry.signed.paymentId === paymentId) {
        this.#outstanding.delete(nonce);
        this.highestUsed = nonce > this.highestUsed ? nonce : this.highestUsed;
      }
    }
  }

  /**
   * The lowest fresh nonce above `above`. Some above the highest taken are outstanding where an
   * owner restarted them.
   */
  #fresh(above: bigint): bigint {
    let nonce = (above > this.highestTaken ? above : this.highestTaken) + 1n;
    while (this.#outstanding.has(nonce)) {
      nonce += 1n;
    }
    return nonce;
  }

  #isAskedBy(nonce: bigint, ticket: bigint): boolean {
    const entry = this.#outstanding.get(nonce);
    return entry !== undefined && "asked" in entry && entry.asked.ticket === ticket;
  }

  #addFree(nonce: bigint): void {
    this.#free = [...this.#free, nonce].sort((left, right) => Number(left - right));
  }
}

/** Last second in which nobody else may take the nonce, unix. */
function reservedUntil(entry: Asked | Signed): number {
  return "asked" in entry ? entry.asked.until : entry.signed.authorizeBy + MARGIN_SECONDS;
}

function readOutstanding(value: unknown, path: string): Asked | Signed {
  const entry = new Fields(value, path);
  if (entry.has("asked")) {
    const asked = new Fields(entry.object("asked"), `${path}.asked`);
    return { asked: { ticket: asked.decimal("ticket"), until: asked.integer("until") } };
  }
  const signed = new Fields(entry.object("signed"), `${path}.signed`);
  const paymentId = signed.text("paymentId");
  signed.hex32("paymentId");
  return { signed: { paymentId, authorizeBy: signed.integer("authorizeBy") } };
}
