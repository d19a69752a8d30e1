/** Ends what is to be ended, when it is time, and again until the facilitator reports it final. */

import type { SettleResponse } from "@x402/core/types";

import { type Ender, isBeingEnded, isOver } from "./ender.js";
import type { Hold } from "./hold.js";
import type { Records } from "./records.js";
import { CLOCK_TOLERANCE_SECONDS } from "./terms.js";

/** How long a response waits for its capture. It is signed and on disk by then; the rest needs no client. */
const PATIENCE_MILLISECONDS = 20_000;

/** How often to look for what is to be done. */
const INTERVAL_MILLISECONDS = 1_000;

/** The pause before an ending is settled again doubles from this ... */
const FIRST_PAUSE_MILLISECONDS = 5_000;
/** ... up to this. */
const LONGEST_PAUSE_MILLISECONDS = 300_000;

/** How many are settled at once: the facilitator takes up to a minute for each. */
const AT_ONCE = 16;

/** How long after the capture deadline a capture that was sent before may still be reported. */
const GRACE_SECONDS = 3600;

export class Endings {
  readonly #ender: Ender;
  readonly #records: Records;
  /** How long nobody must have used a stream; `undefined` if streams are not closed. */
  readonly #idleMilliseconds: number | undefined;
  /** When to settle again, by payment, in milliseconds; at once if absent. */
  readonly #next = new Map<string, { readonly at: number; readonly pause: number }>();
  readonly #settling = new Map<string, Promise<SettleResponse | undefined>>();
  readonly #timer: NodeJS.Timeout;

  constructor(ender: Ender, records: Records, idleSeconds: number | undefined) {
    this.#ender = ender;
    this.#records = records;
    this.#idleMilliseconds = idleSeconds === undefined ? undefined : idleSeconds * 1000;
    this.#timer = setInterval(() => void this.settleDue(), INTERVAL_MILLISECONDS).unref();
  }

  /** Settles a payment's ending, as long as a client waits. `undefined` if there is no answer by then. */
  async settle(paymentId: string): Promise<SettleResponse | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), PATIENCE_MILLISECONDS);
    });
    try {
      return await Promise.race([this.#once(paymentId), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Settles all that is left over, without waiting for its turn. */
  async settleLeftOver(): Promise<void> {
    this.#next.clear();
    await this.settleDue();
  }

  /** Closes all streams that no request is paid out of, and settles that. */
  async closeStreams(): Promise<void> {
    await this.#settleAllDue((hold) => this.#idleMilliseconds !== undefined && isUnused(hold));
  }

  /** Does what is due now: closes, settles again, forgets. */
  async settleDue(): Promise<void> {
    const now = Date.now();
    await this.#settleAllDue((hold) => isUnused(hold) && this.#isToBeClosed(hold, now));
  }

  /** Stops working in the background. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #settleAllDue(isToBeClosed: (hold: Hold) => boolean): Promise<void> {
    const now = Date.now();
    for (const [paymentId, hold] of this.#records.all()) {
      if (isPast(hold, now / 1000)) {
        this.#forget(paymentId, hold);
      } else if (isToBeClosed(hold)) {
        this.#ender.close(paymentId);
      }
    }
    const isDue = ([paymentId, hold]: [string, Hold]): boolean =>
      (isBeingEnded(hold) || isToBeChecked(hold, now / 1000)) &&
      !this.#settling.has(paymentId) &&
      (this.#next.get(paymentId)?.at ?? 0) <= now;
    const due = this.#records.all().filter(isDue).values();
    const settle = async (): Promise<void> => {
      for (const [paymentId] of due) {
        await this.#once(paymentId);
      }
    };
    const free = Math.max(AT_ONCE - this.#settling.size, 0);
    await Promise.all(Array.from({ length: free }, settle));
  }

  #isToBeClosed({ accepted, facts, usedAt }: Hold, now: number): boolean {
    const isUsedUp = accepted >= BigInt(facts?.requirements?.amount ?? 0);
    return this.#idleMilliseconds !== undefined && (isUsedUp || now - usedAt >= this.#idleMilliseconds);
  }

  /** What could not be ended by now can't be any more, and what is over by now buys nothing any more. */
  #forget(paymentId: string, { state, charge }: Hold): void {
    if (state === "capturing") {
      console.error(`payment ${paymentId} was not captured by its deadline`);
    } else if (charge === "paid") {
      console.error(`payment ${paymentId} was charged and bought nothing: refund it`);
    }
    this.#next.delete(paymentId);
    this.#ender.note(paymentId, charge === "offered" ? { hold: ["over"] } : { charge: "over" });
  }

  #once(paymentId: string): Promise<SettleResponse | undefined> {
    const under = this.#settling.get(paymentId);
    if (under !== undefined) {
      return under;
    }
    const before = this.#records.get(paymentId);
    const settling = this.#ender.end(paymentId).finally(() => {
      this.#settling.delete(paymentId);
      this.#wait(paymentId, before);
    });
    this.#settling.set(paymentId, settling);
    return settling;
  }

  /** Settles it ever less often. What got further goes on at once: a hold that was found is released. */
  #wait(paymentId: string, before: Hold): void {
    const hold = this.#records.get(paymentId);
    const isFurther = hold.state !== before.state || hold.charge !== before.charge;
    if (isFurther || (!isBeingEnded(hold) && !isUnknown(hold))) {
      this.#next.delete(paymentId);
      return;
    }
    const last = this.#next.get(paymentId)?.pause;
    const pause = last === undefined ? FIRST_PAUSE_MILLISECONDS : Math.min(2 * last, LONGEST_PAUSE_MILLISECONDS);
    this.#next.set(paymentId, { at: Date.now() + pause, pause });
  }
}

/** Returns whether no request is paid out of an open hold now. */
function isUnused({ state, underWay }: Hold): boolean {
  return state === "open" && underWay.size === 0;
}

/** Returns whether it may be held or charged, and has bought nothing. */
function isUnknown({ state, charge }: Hold): boolean {
  return state === "unknown" || charge === "unknown";
}

/** Returns whether the payment may be held or charged, and nobody can do that any more. */
function isToBeChecked(hold: Hold, now: number): boolean {
  const { authorizeBy = 0 } = hold.facts ?? {};
  return isUnknown(hold) && hold.underWay.size === 0 && now > authorizeBy + CLOCK_TOLERANCE_SECONDS;
}

function isPast(hold: Hold, now: number): boolean {
  const { captureDeadline = 0 } = hold.facts ?? {};
  if (isOver(hold)) {
    return now > captureDeadline + CLOCK_TOLERANCE_SECONDS;
  }
  const isLeft =
    isBeingEnded(hold) || isUnknown(hold) || ["paid", "served"].includes(hold.charge) || hold.state === "open";
  return isLeft && now > captureDeadline + GRACE_SECONDS;
}
