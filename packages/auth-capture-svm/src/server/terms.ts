/** What a route asks for, and whether a payment is that. No I/O. */

import { isDeepStrictEqual } from "node:util";

import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";

import { FieldError, Fields } from "../fields.js";
import { intentOf, readExtra, readIntentPayload } from "../wire.js";
import type { Address } from "../bytes.js";
import { writeHex } from "../bytes.js";
import { intentDigest } from "../messages.js";

/** A capture needs this long to be put on chain; a challenge with less left is too old to pay. */
const MINIMUM_CAPTURE_SECONDS = 60;

/** How long a merchant may keep what it holds. */
export interface Windows {
  /** From challenge to capture deadline. */
  readonly captureSeconds: number;
  /** From capture deadline to refund deadline; 0 for no refunds. */
  readonly refundSeconds: number;
}

/** A payment that is what was asked for. */
export interface Accepted {
  /** 64 hex digits. */
  readonly paymentId: string;
  /** What the client accepted, which the facilitator is asked to settle. */
  readonly requirements: PaymentRequirements;
  /** Last second for captures, unix. */
  readonly captureDeadline: number;
}

/** The fields of `extra` that follow from the time of the challenge. */
export function deadlines(now: number, windows: Windows): Record<string, number> {
  const captureDeadline = now + windows.captureSeconds;
  return windows.refundSeconds === 0
    ? { captureDeadline }
    : { captureDeadline, refundDeadline: captureDeadline + windows.refundSeconds };
}

/** The fields of `extra` that are the same for every challenge of a merchant. */
export function standingExtra(supported: unknown, authorizer: Address): Record<string, unknown> {
  const kind = new Fields(supported, "the facilitator's supported extra");
  return {
    paymentFlow: "escrow",
    program: kind.address("program"),
    feePayer: kind.address("feePayer"),
    captureAuthorizer: authorizer,
    receiverAuthorizer: authorizer,
    maxFeeBps: 0,
  };
}

/**
 * Checks that a payment is on the terms that this request has now. A challenge is some time old when it is paid, so
 * its deadlines are those of a moment within the capture window; everything else must be equal.
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
  if (issuedAt > now || extra.captureDeadline < now + MINIMUM_CAPTURE_SECONDS) {
    throw new FieldError("accepted.extra.captureDeadline", "the challenge is too old or not ours; ask for a new one");
  }
  if (Object.hasOwn(payment.payload, "type")) {
    throw new FieldError("payload.type", "a client's payload has none");
  }
  return { paymentId: paymentIdOf(payment), requirements: accepted, captureDeadline: extra.captureDeadline };
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
