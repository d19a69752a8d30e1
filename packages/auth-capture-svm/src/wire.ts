/**
 * The scheme's fields on the wire, and the intent that requirements and a client's payload make
 * together.
 */

import type { PaymentRequirements } from "@x402/core/types";

import { type Address, readBase58, writeHex } from "./bytes.js";
import { FieldError, Fields } from "./fields.js";
import type { Intent } from "./messages.js";
import { MAXIMUM_PROOF_HASHES } from "./receivers.js";

/** The scheme's name. */
export const SCHEME = "auth-capture";

/** `extra.captureAuthorizer` where it is the key that signs the intent: the hold is streamed. */
export const SESSION_KEY = "sessionKey";

/** `extra.paymentFlow` of a payment that is held first. */
export const ESCROW_FLOW = "escrow";

/** `extra.paymentFlow` of a payment that is charged at once, after the resource ran and before it leaves. */
export const AUTHORIZATION_FLOW = "authorization";

/** `extra` of the requirements. Times are unix seconds. */
export interface Extra {
  paymentFlow: string;
  /** When a hold is captured, if the server says so. */
  captureMode?: string;
  program: Address;
  feePayer: Address;
  /** An address, or `SESSION_KEY`. */
  captureAuthorizer: string;
  /** What each request costs, in base units, where the hold is streamed. */
  requestPrice?: bigint;
  receiverAuthorizer: Address;
  captureDeadline: number;
  /** Until when the receiver promises refunds; 0 for no promise. Nothing on chain enforces it. */
  refundDeadline: number;
  /** Absent: nobody takes a fee. */
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
  /**
   * Shows that the receiver is in the session's list: hashes of 64 hex digits. Empty for a list of
   * one and where the session may pay anyone. The intent does not cover it: the program checks it
   * against the session.
   */
  receiverProof: string[];
}

/** A capture: pays the receiver. */
export type ChargeCapture = {
  /** The most that may be captured so far, in base units. The facilitator captures all of it. */
  amount: string;
  /** The most of `amount` that goes to the fee recipient, in base units. */
  fee: string;
  /** Whether the payment ends at `amount`. */
  last: boolean;
  signature: string;
};

/** Pays the receiver out of a hold. */
export type CapturePayload = { type: "capture"; paymentId: string } & ChargeCapture;

/**
 * Pays for one more request out of a streamed hold: a capture by the session key that is not the
 * last.
 */
export type VoucherPayload = {
  type: "voucher";
  /** 64 hex digits. */
  paymentId: string;
  /** All that was bought so far, in base units. */
  amount: string;
  /**
   * The most of `amount` that goes to the fee recipient, in base units. It may be lower than the
   * last voucher's.
   */
  fee: string;
  signature: string;
};

/** Captures what was served of a streamed hold and releases the rest. */
export type ClosePayload = {
  type: "close";
  /** 64 hex digits. */
  paymentId: string;
  /** What is captured, in base units: at most the last voucher's amount. */
  amount: string;
  signature: string;
};

/** Ends the payment and releases the rest. */
export type VoidPayload = {
  type: "void";
  /** 64 hex digits. */
  paymentId: string;
  /** What the payment ends at, in base units. */
  amount: string;
  signature: string;
};

/**
 * Reads the requirements' `extra`.
 *
 * @throws {FieldError} if a field is missing or can't be read
 */
export function readExtra(requirements: PaymentRequirements): Extra {
  const extra = new Fields(requirements.extra, "accepted.extra");
  const requestPrice = readRequestPrice(requirements);
  const isStreamed = extra.text("captureAuthorizer") === SESSION_KEY;
  const feeRecipient = extra.has("feeRecipient") ? extra.address("feeRecipient") : undefined;
  return {
    paymentFlow: extra.has("paymentFlow") ? extra.text("paymentFlow") : ESCROW_FLOW,
    ...(extra.has("captureMode") ? { captureMode: extra.text("captureMode") } : {}),
    program: extra.address("program"),
    feePayer: extra.address("feePayer"),
    captureAuthorizer: isStreamed ? SESSION_KEY : extra.address("captureAuthorizer"),
    ...(requestPrice === undefined ? {} : { requestPrice }),
    receiverAuthorizer: extra.address("receiverAuthorizer"),
    captureDeadline: extra.integer("captureDeadline"),
    refundDeadline: extra.has("refundDeadline") ? extra.integer("refundDeadline") : 0,
    ...(feeRecipient === undefined ? {} : { feeRecipient }),
    maxFeeBps: extra.has("maxFeeBps") ? extra.integer("maxFeeBps") : 0,
    resourceHash: extra.hex32("resourceHash"),
  };
}

/** What each request costs, in base units, if an offer is of a streamed hold. */
export function readRequestPrice({ extra }: PaymentRequirements): bigint | undefined {
  const fields = new Fields(extra, "accepted.extra");
  return fields.has("requestPrice") ? fields.decimal("requestPrice") : undefined;
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
    receiverProof: readProof(fields),
  };
}

function readProof(fields: Fields): string[] {
  const hash = (items: Fields, place: string): string => writeHex(items.hex32(place));
  const proof = fields.has("receiverProof") ? fields.items("receiverProof", hash) : [];
  if (proof.length > MAXIMUM_PROOF_HASHES) {
    throw new FieldError("payload.receiverProof", `has more than ${MAXIMUM_PROOF_HASHES} hashes`);
  }
  return proof;
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
    captureAuthorizer: extra.captureAuthorizer === SESSION_KEY ? payload.sessionKey : extra.captureAuthorizer,
    receiverAuthorizer: extra.receiverAuthorizer,
    feeRecipient: extra.feeRecipient ?? receiver,
    resourceHash: extra.resourceHash,
    amount: accepted.decimal("amount"),
    nonce: payload.nonce,
    authorizeBy: BigInt(payload.authorizeBy),
    captureDeadline: BigInt(extra.captureDeadline),
    refundDeadline: BigInt(extra.refundDeadline),
    maximumFeeBps: extra.maxFeeBps,
    flow: extra.paymentFlow === AUTHORIZATION_FLOW ? AUTHORIZATION_FLOW : ESCROW_FLOW,
  };
}
