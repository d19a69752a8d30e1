/** Has the facilitator settle, and says what its answer means. */

import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types";

import { type Verdict, verdictOf, verdictOfStatus } from "../purchase/verdict.js";
import { CONFLICT, DUPLICATE, INVALID_PAYLOAD, SETTLE_ERROR } from "../reasons.js";
import { type Facilitator, FacilitatorError } from "./facilitator.js";

export const NOTHING_CHARGED = "the server failed; nothing was charged";

export const BOUGHT = "the payment bought something before, or is being served";

/** What a client's payment was answered. */
export interface Answered {
  readonly verdict: Verdict;
  /** A refusal where it is no yes. */
  readonly answer: SettleResponse;
}

/**
 * Has the facilitator settle a client's payment.
 *
 * @param claim who serves what it pays for
 */
export function ask(facilitator: Facilitator, payment: PaymentPayload, claim: string): Promise<Answered> {
  return answered(payment, facilitator.settle(payment, payment.accepted, claim));
}

/** Asks the facilitator whether it would settle a client's payment. */
export function askWhether(facilitator: Facilitator, payment: PaymentPayload): Promise<Answered> {
  const { accepted } = payment;
  const verified = facilitator
    .verify(payment, accepted)
    .then(({ isValid, invalidReason, invalidMessage }): SettleResponse => ({
      ...{ success: isValid, transaction: "", network: accepted.network },
      ...(invalidReason === undefined ? {} : { errorReason: invalidReason }),
      ...(invalidMessage === undefined ? {} : { errorMessage: invalidMessage }),
    }));
  return answered(payment, verified);
}

async function answered({ accepted }: PaymentPayload, answering: Promise<SettleResponse>): Promise<Answered> {
  try {
    const answer = await answering;
    return { verdict: verdictOf(answer), answer };
  } catch (error) {
    const { status, code } = error instanceof FacilitatorError ? error : {};
    if (status === 409 && code === CONFLICT) {
      const message = "the id is another payment's; a new purchase needs a new id";
      return { verdict: "no", answer: refused(accepted, CONFLICT, message) };
    }
    const verdict = verdictOfStatus(status);
    console.warn(`the facilitator gave no verdict: ${(error as Error).message}`);
    return { verdict, answer: verdict === "unreadable" ? unreadable(accepted) : comesAgain(accepted) };
  }
}

/** Returns a settlement that is answered no. */
export function refused(requirements: PaymentRequirements, errorReason: string, errorMessage: string): SettleResponse {
  return { success: false, errorReason, errorMessage, transaction: "", network: requirements.network };
}

/** What a client is told whose payment buys nothing now. */
export function notSold({ accepted }: PaymentPayload, { verdict, answer }: Answered): SettleResponse {
  if (answer.success || answer.errorReason === undefined) {
    return verdict === "anothers" ? refused(accepted, DUPLICATE, BOUGHT) : comesAgain(accepted);
  }
  return answer;
}

/** What a client is told that may send the same payment again. */
export function comesAgain(requirements: PaymentRequirements): SettleResponse {
  const message = "the payment could not be settled now; send the same request again";
  return refused(requirements, SETTLE_ERROR, message);
}

function unreadable(requirements: PaymentRequirements): SettleResponse {
  return refused(requirements, INVALID_PAYLOAD, "the facilitator can't read the payment");
}
