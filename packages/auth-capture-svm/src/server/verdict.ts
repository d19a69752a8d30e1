/** What the facilitator says of a payment. An answer that says nothing of it is no verdict. */

import type { FacilitatorClient } from "@x402/core/server";
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types";

/** The `errorReason` where the id is another payment's. */
export const CONFLICT = "payment_identifier_conflict";

/** A "no" with which the last word is not said: settling again can change it. */
const UNDECIDED = [
  "settlement_pending",
  "unexpected_settle_error",
  "unexpected_verify_error",
  "invalid_auth_capture_svm_payment_not_found",
];

/** Statuses of requests that the facilitator does not read: it has not accepted them, and won't. */
const UNREADABLE = [400, 413];

/** What a payment was answered. */
export interface Verdict {
  /** A refusal where there is no verdict. */
  readonly answer: SettleResponse;
  /** Whether the payment may be accepted or not. */
  readonly isMissing: boolean;
}

/** Has the facilitator settle a payment. */
export async function ask(facilitator: FacilitatorClient, payment: PaymentPayload): Promise<Verdict> {
  const { accepted } = payment;
  try {
    const answer = await facilitator.settle(payment, accepted);
    return { answer, isMissing: !isDecided(answer) };
  } catch (error) {
    const status = statusOf(error);
    if (status === 409 && (error as Error).message.includes(CONFLICT)) {
      const message = "the id is another payment's; a new purchase needs a new id";
      return { answer: refused(accepted, CONFLICT, message), isMissing: false };
    }
    if (status !== undefined && UNREADABLE.includes(status)) {
      const message = `the facilitator does not read the payment: status ${status}`;
      return { answer: refused(accepted, "invalid_payload", message), isMissing: false };
    }
    console.warn(`the facilitator gave no verdict: ${(error as Error).message}`);
    const message = "the payment could not be settled now; send the same request again";
    return { answer: refused(accepted, "unexpected_settle_error", message), isMissing: true };
  }
}

/** Returns a settlement that is answered no. */
export function refused(requirements: PaymentRequirements, errorReason: string, errorMessage: string): SettleResponse {
  return { success: false, errorReason, errorMessage, transaction: "", network: requirements.network };
}

/** Returns whether settling again can't change the answer. */
export function isDecided(answer: SettleResponse): boolean {
  return answer.success || !UNDECIDED.includes(answer.errorReason ?? "");
}

/** The HTTP status of core's error: some have it, others only say it. */
function statusOf(error: unknown): number | undefined {
  const { message, statusCode } = error as { message?: string; statusCode?: unknown };
  const [, said] = /^Facilitator settle failed \(([0-9]{3})\)/.exec(message ?? "") ?? [];
  return typeof statusCode === "number" ? statusCode : said === undefined ? undefined : Number(said);
}
