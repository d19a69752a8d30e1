/** The scheme's fields on the wire, and the intent that requirements and a client's payload make together. */

import type { PaymentRequirements } from "@x402/core/types";

import { type Address, readBase58, readHex, shown } from "./bytes.js";
import type { Intent } from "./messages.js";

/** The scheme's name. */
export const SCHEME = "auth-capture";

/** The escrow program. */
export const PROGRAM: Address = "EscCGhKaoAfdc5duTCF8ofGLLP11LfXnV5AZdontFE3T";

/** `extra` of the requirements. Times are unix seconds. */
export interface Extra {
  paymentFlow: string;
  program: Address;
  feePayer: Address;
  captureAuthorizer: Address;
  receiverAuthorizer: Address;
  captureDeadline: number;
  /** 0 for no refunds. */
  refundDeadline: number;
  /** Absent: nobody but the receiver. */
  feeRecipient?: Address;
  maxFeeBps: number;
  resourceHash: Uint8Array;
}

/** What a client adds to the requirements. */
export interface IntentPayload {
  escrow: Address;
  sessionKey: Address;
  incarnation: Address;
  nonce: bigint;
  /** Unix seconds. */
  authorizeBy: number;
}

/** A field that is missing or can't be read, or is not what it must be. */
export class FieldError extends Error {
  override readonly name = "FieldError";

  /** @param field its path in the JSON */
  constructor(
    readonly field: string,
    readonly problem: string,
  ) {
    super(`${field}: ${problem}`);
  }
}

/**
 * Reads the requirements' `extra`.
 *
 * @throws {FieldError} if a field is missing or can't be read
 */
export function readExtra(requirements: PaymentRequirements): Extra {
  const extra = new Fields(requirements.extra, "accepted.extra");
  const feeRecipient = extra.has("feeRecipient") ? extra.address("feeRecipient") : undefined;
  return {
    paymentFlow: extra.has("paymentFlow") ? extra.text("paymentFlow") : "escrow",
    program: extra.address("program"),
    feePayer: extra.address("feePayer"),
    captureAuthorizer: extra.address("captureAuthorizer"),
    receiverAuthorizer: extra.address("receiverAuthorizer"),
    captureDeadline: extra.integer("captureDeadline"),
    refundDeadline: extra.has("refundDeadline") ? extra.integer("refundDeadline") : 0,
    ...(feeRecipient === undefined ? {} : { feeRecipient }),
    maxFeeBps: extra.has("maxFeeBps") ? extra.integer("maxFeeBps") : 0,
    resourceHash: extra.hex32("resourceHash"),
  };
}

/**
 * Reads a client's payload. The signature is not part of the intent and not looked at.
 *
 * @throws {FieldError} if a field is missing or can't be read
 */
export function readIntentPayload(payload: unknown): IntentPayload {
  const fields = new Fields(payload, "payload");
  return {
    escrow: fields.address("escrow"),
    sessionKey: fields.address("sessionKey"),
    incarnation: fields.address("incarnation"),
    nonce: fields.decimal("nonce"),
    authorizeBy: fields.integer("authorizeBy"),
  };
}

/** The intent that the session key signs and the program rebuilds. */
export function intentOf(requirements: PaymentRequirements, extra: Extra, payload: IntentPayload): Intent {
  const accepted = new Fields(requirements, "accepted");
  const receiver = accepted.address("payTo");
  return {
    program: extra.program,
    incarnation: readBase58(payload.incarnation, 32, "payload.incarnation"),
    escrow: payload.escrow,
    sessionKey: payload.sessionKey,
    receiver,
    captureAuthorizer: extra.captureAuthorizer,
    receiverAuthorizer: extra.receiverAuthorizer,
    feeRecipient: extra.feeRecipient ?? receiver,
    resourceHash: extra.resourceHash,
    amount: accepted.decimal("amount"),
    nonce: payload.nonce,
    authorizeBy: BigInt(payload.authorizeBy),
    captureDeadline: BigInt(extra.captureDeadline),
    refundDeadline: BigInt(extra.refundDeadline),
    maximumFeeBps: extra.maxFeeBps,
    flow: "escrow",
  };
}

/** Reads the members of a JSON object that came from others. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /** @param path where `value` is, for messages; empty for the whole document */
  constructor(value: unknown, path: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FieldError(path || "the document", `expected an object, not ${shown(value)}`);
    }
    this.#object = value as Record<string, unknown>;
    this.#path = path;
  }

  /** Whether the member is there and not `null`. */
  has(name: string): boolean {
    return this.#get(name) !== undefined && this.#get(name) !== null;
  }

  text(name: string): string {
    const value = this.#get(name);
    return typeof value === "string" ? value : this.#wrong(name, "a string");
  }

  object(name: string): Record<string, unknown> {
    const value = this.#get(name);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : this.#wrong(name, "an object");
  }

  address(name: string): Address {
    const text = this.text(name);
    return isReadable(() => readBase58(text, 32, name)) ? text : this.#wrong(name, "32 bytes in base58");
  }

  hex32(name: string): Uint8Array {
    const text = this.text(name);
    return isReadable(() => readHex(text, 32, name)) ? readHex(text, 32, name) : this.#wrong(name, "64 hex digits");
  }

  /** A number that JSON can carry exactly. */
  integer(name: string): number {
    const value = this.#get(name);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : this.#wrong(name, "an integer");
  }

  /** A u64 as a decimal string. */
  decimal(name: string): bigint {
    const value = this.#get(name);
    const number = typeof value === "string" && /^[0-9]{1,20}$/.test(value) ? BigInt(value) : -1n;
    return number === BigInt.asUintN(64, number)
      ? number
      : this.#wrong(name, "an integer from 0 to 2^64 - 1 as a string");
  }

  #get(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  #wrong(name: string, expected: string): never {
    const value = this.#get(name);
    const path = this.#path === "" ? name : `${this.#path}.${name}`;
    throw new FieldError(
      path,
      value === undefined ? `is missing: expected ${expected}` : `expected ${expected}, not ${shown(value)}`,
    );
  }
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
