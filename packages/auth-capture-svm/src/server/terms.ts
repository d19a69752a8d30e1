/** What a route asks for, and whether a payment is that. No I/O. */

import { isDeepStrictEqual } from "node:util";

import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";

import { FieldError, Fields } from "../fields.js";
import { SESSION_KEY, intentOf, readExtra, readIntentPayload } from "../wire.js";
import type { Address } from "../bytes.js";
import { writeHex } from "../bytes.js";
import { intentDigest } from "../messages.js";

/** A capture needs this long to be put on chain; a challenge with less left is too old to pay. */
const MINIMUM_CAPTURE_SECONDS = 60;

/** How long a merchant may keep what it holds. */
export interface Windows {
  /** From challenge to capture deadline. */
  readonly captureSeconds: number;
  /** From capture deadline to refund deadline; 0 for no promise of refunds. */
  readonly refundSeconds: number;
}

/** What pays for one request out of a streamed hold. */
export interface Voucher {
  /** 64 hex digits. */
  readonly paymentId: string;
  /** All that was bought so far, in base units. */
  readonly amount: bigint;
}

/** A payment that is what was asked for. */
export interface Accepted {
  /** 64 hex digits. */
  readonly paymentId: string;
  /** What the client accepted, which the facilitator is asked to settle. */
  readonly requirements: PaymentRequirements;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
  /** What pays for this request, where the hold is streamed. */
  readonly voucher?: Voucher;
  /** Whether the payment is an intent, whose hold is still to be made. */
  readonly opensHold: boolean;
}

/** Solana's commitments, weakest first. */
export const COMMITMENTS = ["processed", "confirmed", "finalized"] as const;

export type Commitment = (typeof COMMITMENTS)[number];

/** What a capture or release is settled with. How final the hold had to be says nothing of them. */
export function lifecycleRequirements(requirements: PaymentRequirements, commitment?: Commitment): PaymentRequirements {
  const { commitment: _hold, ...extra } = requirements.extra;
  return { ...requirements, extra: commitment === undefined ? extra : { ...extra, commitment } };
}

/** The fields of `extra` that follow from the time of the challenge. */
export function deadlines(now: number, windows: Windows): Record<string, number> {
  const captureDeadline = now + windows.captureSeconds;
  return windows.refundSeconds === 0
    ? { captureDeadline }
    : { captureDeadline, refundDeadline: captureDeadline + windows.refundSeconds };
}

/** The fields of `extra` that are the same for every challenge of a merchant. */
export function standingExtra(supported: unknown, authorizer: Address, isStreamed: boolean): Record<string, unknown> {
  const kind = new Fields(supported, "the facilitator's supported extra");
  return {
    paymentFlow: "escrow",
    program: kind.address("program"),
    feePayer: kind.address("feePayer"),
    captureAuthorizer: isStreamed ? SESSION_KEY : authorizer,
    receiverAuthorizer: authorizer,
    maxFeeBps: 0,
  };
}

/**
 * Checks that a payment is on the terms that this request has now. A challenge is some time old
 * when it is paid, so its deadlines are those of a moment within the capture window; everything
 * else must be equal.
 *
 * @throws {FieldError} naming the first field that is not as asked for
 */
export function checkAccepted(
  payment: PaymentPayload,
  asked: PaymentRequirements,
  windows: Windows,
  now: number,
): Accepted {
  const { accepted } = payment;
  const extra = readExtra(accepted);
  const issuedAt = extra.captureDeadline - windows.captureSeconds;
  const askedThen = { ...asked, extra: { ...asked.extra, ...deadlines(issuedAt, windows) } };
  const difference = firstDifference(askedThen, accepted);
  if (difference !== undefined) {
    throw new FieldError(`accepted.${difference}`, "is not what this request costs");
  }
  const voucher = extra.requestPrice === undefined ? undefined : voucherOf(payment);
  if (voucher !== undefined && payment.payload["type"] === "voucher") {
    // A hold that is there has a deadline of its own; a voucher's terms may be as old as the hold.
    const { paymentId } = voucher;
    return { paymentId, requirements: accepted, captureDeadline: extra.captureDeadline, voucher, opensHold: false };
  }
  if (issuedAt > now || extra.captureDeadline < now + MINIMUM_CAPTURE_SECONDS) {
    throw new FieldError("accepted.extra.captureDeadline", "the challenge is too old or not ours; ask for a new one");
  }
  if (Object.hasOwn(payment.payload, "type")) {
    throw new FieldError("payload.type", "a client's payload has none, or is a voucher");
  }
  return {
    paymentId: paymentIdOf(payment),
    requirements: accepted,
    captureDeadline: extra.captureDeadline,
    ...(voucher === undefined ? {} : { voucher }),
    opensHold: true,
  };
}

/**
 * What a payment out of a streamed hold pays for this request: a voucher comes by itself, or with
 * the intent.
 *
 * @throws {FieldError} if there is none, or it can't be read
 */
export function voucherOf({ payload }: PaymentPayload): Voucher {
  const isAlone = payload["type"] === "voucher";
  const voucher = isAlone
    ? new Fields(payload, "payload")
    : new Fields(new Fields(payload, "payload").object("voucher"), "payload.voucher");
  return { paymentId: writeHex(voucher.hex32("paymentId")), amount: voucher.decimal("amount") };
}

/**
 * The digest of a client's intent, in hexadecimal.
 *
 * @throws {FieldError} if a field is missing or can't be read
 */
export function paymentIdOf({ accepted, payload }: PaymentPayload): string {
  return writeHex(intentDigest(intentOf(accepted, readExtra(accepted), readIntentPayload(payload))));
}

function firstDifference(asked: PaymentRequirements, accepted: PaymentRequirements): string | undefined {
  const { extra: askedExtra, ...askedRest } = asked;
  const { extra: acceptedExtra, ...acceptedRest } = accepted;
  const inExtra = differingName(askedExtra, acceptedExtra);
  return differingName(askedRest, acceptedRest) ?? (inExtra === undefined ? undefined : `extra.${inExtra}`);
}

function differingName(left: Record<string, unknown>, right: Record<string, unknown>): string | undefined {
  const names = [...Object.keys(left), ...Object.keys(right)];
  return names.find((name) => !isDeepStrictEqual(left[name], right[name]));
}
