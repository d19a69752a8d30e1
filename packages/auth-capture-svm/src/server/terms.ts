/** What a route asks for, and whether a payment is that. No I/O. */

import { isDeepStrictEqual } from "node:util";

import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types";

import type { Address } from "../bytes.js";
import { FieldError } from "../fields.js";
import { PAYMENT_IDENTIFIER_EXTRA } from "../payment_identifier.js";
import { AUTHORIZATION_FLOW, ESCROW_FLOW, SESSION_KEY, readExtra, readIntentPayload } from "../wire.js";
import { isStreamed, paymentIdOf, typedPayment, voucherOf } from "./payment.js";
import type { Deployment } from "./support.js";

/** A capture needs this long to be put on chain; a challenge with less left is too old to pay. */
export const MINIMUM_CAPTURE_SECONDS = 60;

/** How far the clocks of one merchant's instances may be apart, in seconds. */
export const CLOCK_TOLERANCE_SECONDS = 30;

/** How long a merchant may keep what it holds. */
export interface Windows {
  /** From challenge to capture deadline. */
  readonly captureSeconds: number;
  /** From capture deadline to refund deadline; 0 for no promise of refunds. */
  readonly refundSeconds: number;
}

/** A payment that is what was asked for. */
export interface Accepted {
  /** What the facilitator is asked to settle: the client's, without what the scheme doesn't have. */
  readonly payment: PaymentPayload;
  /** 64 hex digits. */
  readonly paymentId: string;
  /** All that the payment has bought with this request, in base units. */
  readonly amount: bigint;
  /** Last second for captures, unix; the latest that it can be where the hold is there already. */
  readonly captureDeadline: number;
  /** Last second to put the intent on chain, unix; 0 where the hold is there already. */
  readonly authorizeBy: number;
  /** Who signs the intent; absent where a voucher comes alone, for a hold that is there already. */
  readonly sessionKey?: Address;
  /** Whether a voucher pays. */
  readonly isStreamed: boolean;
}

/** Solana's commitments, weakest first. */
export const COMMITMENTS = ["processed", "confirmed", "finalized"] as const;

export type Commitment = (typeof COMMITMENTS)[number];

/** Whether the facilitator saw a payment on chain as finally as was asked for. */
export function isFinalEnough({ extra }: SettleResponse, requirements: PaymentRequirements): boolean {
  return rank(extra?.["status"]) >= Math.max(rank(requirements.extra["commitment"]), 0);
}

/** How final that is: -1 for nothing that is on chain. */
function rank(commitment: unknown): number {
  return COMMITMENTS.findIndex((known) => known === commitment);
}

/** Returns whether what is asked for is charged at once. */
export function isCharge({ extra }: PaymentRequirements): boolean {
  return extra["paymentFlow"] === AUTHORIZATION_FLOW;
}

/** What a capture or release is settled with. How final the hold had to be says nothing of them. */
export function lifecycleRequirements(requirements: PaymentRequirements, commitment?: Commitment): PaymentRequirements {
  const { commitment: _hold, ...extra } = requirements.extra;
  return { ...requirements, extra: commitment === undefined ? extra : { ...extra, commitment } };
}

/**
 * What a hold is asked for with again, to find out whether it is there: without the client's id,
 * and with who pays fees now. Neither is signed.
 */
export function recheckRequirements(requirements: PaymentRequirements, feePayer: Address): PaymentRequirements {
  const { [PAYMENT_IDENTIFIER_EXTRA]: _ids, ...extra } = requirements.extra;
  return { ...requirements, extra: { ...extra, feePayer } };
}

/** The fields of `extra` that follow from the time of the challenge. */
export function deadlines(now: number, windows: Windows): Record<string, number> {
  const captureDeadline = now + windows.captureSeconds;
  return windows.refundSeconds === 0
    ? { captureDeadline }
    : { captureDeadline, refundDeadline: captureDeadline + windows.refundSeconds };
}

/** The fields of `extra` that are the same for every challenge of a merchant. */
export function standingExtra(
  { program, feePayer }: Pick<Deployment, "program" | "feePayer">,
  authorizer: Address,
  requirements: PaymentRequirements,
): Record<string, unknown> {
  return {
    paymentFlow: isCharge(requirements) ? AUTHORIZATION_FLOW : ESCROW_FLOW,
    program,
    feePayer,
    captureAuthorizer: isStreamed(requirements) ? SESSION_KEY : authorizer,
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
    const hint = "; the payment is for another request, or this server's publicUrl is not the URL that clients ask for";
    const isElsewhere = difference === "extra.resourceHash";
    throw new FieldError(`accepted.${difference}`, `is not what this request costs${isElsewhere ? hint : ""}`);
  }
  const isVoucher = extra.requestPrice !== undefined;
  if (isVoucher && payment.payload["type"] === "voucher") {
    const { paymentId, amount } = voucherOf(payment);
    // The deadline in its terms is any that the client likes. The hold's own is not known here.
    const captureDeadline = now + windows.captureSeconds;
    return { payment: typedPayment(payment), paymentId, amount, captureDeadline, authorizeBy: 0, isStreamed: true };
  }
  if (issuedAt > now + CLOCK_TOLERANCE_SECONDS || extra.captureDeadline < now + MINIMUM_CAPTURE_SECONDS) {
    throw new FieldError("accepted.extra.captureDeadline", "the challenge is too old or not ours; ask for a new one");
  }
  if (Object.hasOwn(payment.payload, "type")) {
    throw new FieldError("payload.type", "a client's payload has none, or is a voucher");
  }
  const paymentId = paymentIdOf(payment);
  const { sessionKey, authorizeBy } = readIntentPayload(payment.payload);
  const voucher = isVoucher ? voucherOf(payment) : undefined;
  if (voucher !== undefined && voucher.paymentId !== paymentId) {
    throw new FieldError("payload.voucher.paymentId", `must be ${paymentId}, the digest of this intent`);
  }
  return {
    payment: typedPayment(payment),
    paymentId,
    amount: voucher?.amount ?? BigInt(accepted.amount),
    captureDeadline: extra.captureDeadline,
    authorizeBy,
    sessionKey,
    isStreamed: isVoucher,
  };
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
