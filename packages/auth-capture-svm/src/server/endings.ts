/** Settles signed captures and releases, again and again until the facilitator reports them final. */

import type { FacilitatorClient } from "@x402/core/server";
import type { SettleResponse } from "@x402/core/types";

import type { Ending, Unsettled } from "./unsettled.js";
import { isDecided } from "./verdict.js";

/** How long a response waits for its capture. It is signed and on disk by then; the rest needs no client. */
const PATIENCE_MILLISECONDS = 20_000;

/** How often to look for what is to be settled again. */
const INTERVAL_MILLISECONDS = 5_000;

/** The pause before an ending is settled again doubles, up to this. */
const LONGEST_PAUSE_MILLISECONDS = 300_000;

/** How many are settled again at once: the facilitator takes up to a minute for each. */
const AT_ONCE = 16;

/** How long after the capture deadline a capture that was sent before may still be reported. */
const GRACE_SECONDS = 3600;

export class Endings {
  readonly #facilitator: FacilitatorClient;
  readonly #unsettled: Unsettled;
  /** Payments that a request works on: it ends them itself. */
  readonly #underWay = new Set<string>();
  /** When to settle again, by payment id, in milliseconds; at once if absent. */
  readonly #next = new Map<string, { readonly at: number; readonly pause: number }>();
  readonly #timer: NodeJS.Timeout;
  #isSettling = false;

  constructor(facilitator: FacilitatorClient, unsettled: Unsettled) {
    this.#facilitator = facilitator;
    this.#unsettled = unsettled;
    this.#timer = setInterval(() => void this.#tick(), INTERVAL_MILLISECONDS).unref();
  }

  /** Returns whether the payment's ending is on disk: then it was served, or broke off. */
  has(paymentId: string): boolean {
    return this.#unsettled.get(paymentId) !== undefined;
  }

  /**
   * Writes down how a payment ends if its request breaks off, be it by a crash.
   *
   * @throws if it can't be written
   */
  begin(paymentId: string, ending: Ending): void {
    this.#underWay.add(paymentId);
    this.#unsettled.add(paymentId, ending);
  }

  /** Ends a payment that was begun. Returns `undefined` if it can't be done now: then it is done later. */
  async finish(paymentId: string, ending: Ending): Promise<SettleResponse | undefined> {
    try {
      this.#unsettled.add(paymentId, ending);
    } catch (error) {
      // Still worth a try. If that fails too, the release that is on disk goes out.
      console.error(`the ending of payment ${paymentId} could not be written down`, error);
    }
    try {
      const answer = await within(PATIENCE_MILLISECONDS, this.#settle(ending));
      if (isDecided(answer)) {
        // What is refused while its client waits is no sale.
        if (!answer.success || isFinal(answer)) {
          this.#forget(paymentId);
        }
        warnIfRefused(paymentId, answer);
        return answer;
      }
      console.warn(`payment ${paymentId} is not finalized yet: ${answer.errorReason}`);
    } catch (error) {
      console.warn(`payment ${paymentId} is not finalized yet: ${(error as Error).message}`);
    } finally {
      this.#underWay.delete(paymentId);
    }
    return undefined;
  }

  /** Settles all that earlier requests, or an earlier run, left over. */
  settleLeftOver(): Promise<void> {
    return this.settleDue(Number.POSITIVE_INFINITY);
  }

  /** Settles what is to be settled again by `now`, in milliseconds. */
  async settleDue(now: number): Promise<void> {
    const isDue = (paymentId: string): boolean => (this.#next.get(paymentId)?.at ?? 0) <= now;
    const due = this.#unsettled.paymentIds.filter(isDue).values();
    const settle = async (): Promise<void> => {
      for (const paymentId of due) {
        await this.#settleAgain(paymentId);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, settle));
  }

  /** Stops settling again, and lets another merchant use the file. */
  close(): void {
    clearInterval(this.#timer);
    this.#unsettled.close();
  }

  async #tick(): Promise<void> {
    if (this.#isSettling) {
      return;
    }
    this.#isSettling = true;
    try {
      await this.settleDue(Date.now());
    } finally {
      this.#isSettling = false;
    }
  }

  async #settleAgain(paymentId: string): Promise<void> {
    const ending = this.#underWay.has(paymentId) ? undefined : this.#unsettled.get(paymentId);
    if (ending === undefined) {
      return;
    }
    try {
      const answer = await this.#settle(ending);
      if (isFinal(answer)) {
        return this.#forget(paymentId);
      }
      warnIfRefused(paymentId, answer);
    } catch (error) {
      console.warn(`payment ${paymentId} is still to be finalized: ${(error as Error).message}`);
    }
    if (Date.now() / 1000 > ending.captureDeadline + GRACE_SECONDS) {
      console.error(`payment ${paymentId} could not be finalized before its deadline`);
      return this.#forget(paymentId);
    }
    const before = this.#next.get(paymentId)?.pause ?? INTERVAL_MILLISECONDS;
    const pause = Math.min(2 * before, LONGEST_PAUSE_MILLISECONDS);
    this.#next.set(paymentId, { at: Date.now() + pause, pause });
  }

  #forget(paymentId: string): void {
    this.#next.delete(paymentId);
    try {
      this.#unsettled.remove(paymentId);
    } catch (error) {
      // Settled again later, to no effect.
      console.error(`payment ${paymentId} is settled and could not be taken off the list`, error);
    }
  }

  #settle({ requirements, payload }: Ending): Promise<SettleResponse> {
    return this.#facilitator.settle({ x402Version: 2, accepted: requirements, payload }, requirements);
  }
}

/** Whether nothing can undo it: before, a verifier that lost its disk needs the signature again. */
function isFinal(answer: SettleResponse): boolean {
  return answer.success && answer.extra?.["status"] === "finalized";
}

function warnIfRefused(paymentId: string, { success, errorReason, errorMessage }: SettleResponse): void {
  if (!success) {
    console.error(`payment ${paymentId} is not finalized: ${errorReason}: ${errorMessage}`);
  }
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the facilitator takes its time")), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
