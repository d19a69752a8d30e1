/**
 * Decides whether a drafted intent may be signed. Neither the server that asks for payment nor the
 * verifier that drafted it is trusted: every field must be what the session pins or what was
 * requested. No I/O.
 */

import type { PaymentRequirements } from "@x402/core/types";

import { formatAmount } from "../amount.js";
import { FieldError } from "../fields.js";
import {
  AUTHORIZATION_FLOW,
  ESCROW_FLOW,
  type Extra,
  type IntentPayload,
  SCHEME,
  SESSION_KEY,
  intentOf,
  readExtra,
  readIntentPayload,
} from "../wire.js";
import { equal } from "../bytes.js";
import type { Intent } from "../messages.js";
import { RefusedError } from "./errors.js";
import type { Session } from "./session.js";
import type { Own } from "./verifier.js";

/** The longest that an intent may wait to be put on chain. */
export const MAXIMUM_AUTHORIZE_SECONDS = 15 * 60;
/** The longest that money may stay held. */
export const MAXIMUM_HOLD_SECONDS = 7 * 24 * 60 * 60;

/** The parts of a whole that fees are counted in. */
const BASIS_POINTS = 10_000;

/** What an offer and a draft are held against. */
export interface Expected {
  readonly session: Session;
  /** Hash of the request that is paid for. */
  readonly resourceHash: Uint8Array;
  /** The most to pay or to hold, in base units. */
  readonly maximumAmount: bigint;
  /** For a hold that pays for many requests: the most that each may cost, in base units. */
  readonly maximumRequestPrice?: bigint;
  /** The present, in unix seconds. */
  readonly now: number;
}

/**
 * Checks a server's offer, before the verifier is asked to draft a payment for it.
 *
 * @throws {RefusedError} naming the first field that is not as it must be
 */
export function checkOffer(offer: PaymentRequirements, expected: Expected): void {
  refusing(() => readOffer(offer, expected));
}

/**
 * Shows that the receiver of a checked offer is in the session's list: no hashes where there is no
 * list.
 */
export function receiverProof({ payTo }: PaymentRequirements, { receivers }: Session): readonly string[] {
  return receivers?.proof(payTo) ?? [];
}

/**
 * The intent that an offer and the payload drafted for it stand for, if it may be signed.
 *
 * @throws {RefusedError} naming the first field that is not as it must be
 */
export function checkDraft(offer: PaymentRequirements, payload: unknown, own: Own, expected: Expected): Intent {
  return refusing(() => {
    const extra = readOffer(offer, expected);
    const read = readIntentPayload(payload);
    checkPayload(read, extra, own, expected);
    return intentOf(offer, extra, read);
  });
}

/** What is mostly wrong. */
const HINT =
  "ask for the URL that the server names in its challenge, or have its public URL (publicUrl, --public-url) set to this one";

function readOffer(offer: PaymentRequirements, expected: Expected): Extra {
  const { session, resourceHash, maximumAmount, now } = expected;
  const tokens = (units: bigint): string => formatAmount(units, session.decimals);
  ensure(offer.scheme === SCHEME, "accepted.scheme", `must be ${SCHEME}`);
  ensure(
    offer.network === session.network,
    "accepted.network",
    `is ${offer.network}, the session is on ${session.network}`,
  );
  ensure(offer.asset === session.mint, "accepted.asset", `is ${offer.asset}, the escrow holds ${session.mint}`);
  ensure(/^[0-9]{1,20}$/.test(offer.amount), "accepted.amount", "must be base units as a string");
  ensure(
    BigInt(offer.amount) <= maximumAmount,
    "accepted.amount",
    `${tokens(BigInt(offer.amount))} is above the maximum of ${tokens(maximumAmount)}`,
  );
  ensure(
    session.receivers === undefined || session.receivers.proof(offer.payTo) !== undefined,
    "accepted.payTo",
    `${offer.payTo} is none of the receivers that the session may pay; its owner can open a session that lists it`,
  );
  const extra = readExtra(offer);
  ensure(
    extra.program === session.program,
    "accepted.extra.program",
    `is ${extra.program}, the session's escrow is of ${session.program}`,
  );
  checkFlow(extra);
  checkFee(offer, extra, session);
  checkStreaming(extra, expected.maximumRequestPrice, tokens);
  ensure(
    equal(extra.resourceHash, resourceHash),
    "accepted.extra.resourceHash",
    expected.maximumRequestPrice === undefined
      ? `is not the hash of this request's method, URL and body; ${HINT}`
      : `is not the hash of this request's origin; ${HINT}`,
  );
  ensure(
    extra.captureDeadline <= now + MAXIMUM_HOLD_SECONDS,
    "accepted.extra.captureDeadline",
    `would hold the money for more than ${MAXIMUM_HOLD_SECONDS} seconds`,
  );
  return extra;
}

/**
 * A fee goes to somebody else than the receiver, who pays it, and only where the session may pay
 * anyone.
 */
function checkFee({ payTo }: PaymentRequirements, { maxFeeBps, feeRecipient }: Extra, session: Session): void {
  if (maxFeeBps === 0) {
    return;
  }
  const field = "accepted.extra.maxFeeBps";
  ensure(
    maxFeeBps > 0 && maxFeeBps <= BASIS_POINTS,
    field,
    `${maxFeeBps} is not from 0 to ${BASIS_POINTS} basis points`,
  );
  ensure(session.receivers === undefined, field, "must be 0: the session pays listed receivers and no fee recipients");
  ensure(
    feeRecipient !== undefined && feeRecipient !== payTo && feeRecipient !== session.escrow,
    "accepted.extra.feeRecipient",
    "must be there where maxFeeBps is above 0, and neither payTo nor the escrow",
  );
}

/**
 * A hold can be captured later, a charge can't. Of a charge the server's consent is asked, so that
 * nobody is charged for what the server did not serve.
 */
function checkFlow({ paymentFlow, captureMode, captureAuthorizer }: Extra): void {
  const isCharge = paymentFlow === AUTHORIZATION_FLOW;
  ensure(isCharge || paymentFlow === ESCROW_FLOW, "accepted.extra.paymentFlow", "must be escrow or authorization");
  ensure(
    captureMode === undefined || (!isCharge && ["sync", "deferred"].includes(captureMode)),
    "accepted.extra.captureMode",
    isCharge ? "must be absent with the flow authorization" : "must be sync or deferred",
  );
  ensure(
    !isCharge || captureAuthorizer !== SESSION_KEY,
    "accepted.extra.captureAuthorizer",
    "must be the server's key: whoever sees the intent could charge it, whether the server serves or not",
  );
}

/** A hold pays for one thing, or its captures are signed here, request by request. */
function checkStreaming(
  { captureAuthorizer, requestPrice }: Extra,
  maximumRequestPrice: bigint | undefined,
  tokens: (units: bigint) => string,
): void {
  const isStreamed = captureAuthorizer === SESSION_KEY;
  ensure(
    isStreamed === (maximumRequestPrice !== undefined),
    "accepted.extra.captureAuthorizer",
    isStreamed ? "is a streamed hold, and none was asked for: set maximumHold" : "is no streamed hold",
  );
  const price = "accepted.extra.requestPrice";
  ensure(isStreamed === (requestPrice !== undefined), price, "belongs to a streamed hold, and to nothing else");
  ensure(
    (requestPrice ?? 0n) <= (maximumRequestPrice ?? 0n),
    price,
    `${tokens(requestPrice ?? 0n)} is above the maximum of ${tokens(maximumRequestPrice ?? 0n)}`,
  );
}

function checkPayload(payload: IntentPayload, extra: Extra, own: Own, { session, now }: Expected): void {
  ensure(payload.escrow === session.escrow, "payload.escrow", "is another escrow");
  ensure(payload.sessionKey === session.sessionKey, "payload.sessionKey", "is another key");
  ensure(
    payload.incarnation === session.incarnation,
    "payload.incarnation",
    "is another: either the verifier is wrong, or the owner closed the session and opened it again",
  );
  ensure(payload.nonce === own.nonce, "payload.nonce", `is ${payload.nonce}, and ${own.nonce} was asked for`);
  ensure(
    payload.receiverProof.join() === own.receiverProof.join(),
    "payload.receiverProof",
    "does not show that the receiver is in the session's list",
  );
  ensure(
    payload.authorizeBy > now,
    "payload.authorizeBy",
    `has passed: ${payload.authorizeBy}, and the clock here says ${now}`,
  );
  const latest = Math.min(extra.captureDeadline, now + MAXIMUM_AUTHORIZE_SECONDS);
  ensure(payload.authorizeBy <= latest, "payload.authorizeBy", `must be at most ${latest}`);
}

function ensure(holds: boolean, field: string, problem: string): void {
  if (!holds) {
    throw new FieldError(field, problem);
  }
}

function refusing<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof FieldError ? new RefusedError(error) : error;
  }
}
