/** Ends what is to be ended: settles signed captures and releases until the facilitator reports them final. */

import type { SettleResponse } from "@x402/core/types";

import type { HoldState } from "../purchase/seller.js";
import { endingOf } from "../purchase/verdict.js";
import type { Authorizer } from "./authorizer.js";
import type { Facilitator } from "./facilitator.js";
import type { Hold } from "./hold.js";
import type { Ending } from "./line.js";
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
  readonly #facilitator: Facilitator;
  readonly #authorizer: Authorizer;
  readonly #records: Records;
  /** How long nobody must have used a stream; `undefined` if streams are not closed. */
  readonly #idleMilliseconds: number | undefined;
  /** When to settle again, by payment, in milliseconds; at once if absent. */
  readonly #next = new Map<string, { readonly at: number; readonly pause: number }>();
  readonly #settling = new Map<string, Promise<SettleResponse | undefined>>();
  readonly #timer: NodeJS.Timeout;

  constructor(facilitator: Facilitator, authorizer: Authorizer, records: Records, idleSeconds: number | undefined) {
    this.#facilitator = facilitator;
    this.#authorizer = authorizer;
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
    if (this.#idleMilliseconds === undefined) {
      return;
    }
    const open = this.#records.all().filter(([, { state, underWay }]) => state === "open" && underWay.size === 0);
    open.forEach(([paymentId]) => this.#release(paymentId));
    await this.settleDue();
  }

  /** Does what is due now: releases, closes, settles again, forgets. */
  async settleDue(): Promise<void> {
    const now = Date.now();
    for (const [paymentId, hold] of this.#records.all()) {
      this.#review(paymentId, hold, now);
    }
    const isDue = ([paymentId, { state }]: [string, Hold]): boolean =>
      isEnding(state) &&
      !this.#settling.has(paymentId) &&
      (this.#next.get(paymentId)?.at ?? 0) <= now;
    await this.#settleAll(
      this.#records
        .all()
        .filter(isDue)
        .map(([paymentId]) => paymentId),
    );
  }

  /** Stops working in the background. */
  close(): void {
    clearInterval(this.#timer);
  }

  async #settleAll(paymentIds: readonly string[]): Promise<void> {
    const waiting = paymentIds.values();
    const settle = async (): Promise<void> => {
      for (const paymentId of waiting) {
        await this.#once(paymentId);
      }
    };
    const free = Math.max(AT_ONCE - this.#settling.size, 1);
    await Promise.all(Array.from({ length: free }, settle));
  }

  /** What time makes of a payment. */
  #review(paymentId: string, hold: Hold, milliseconds: number): void {
    const { state, facts, underWay } = hold;
    const now = milliseconds / 1000;
    const { authorizeBy = 0, captureDeadline = 0 } = facts ?? {};
    if (isEnded(hold)) {
      if (now > captureDeadline + CLOCK_TOLERANCE_SECONDS) {
        this.#change(paymentId, "over");
      }
    } else if (now > captureDeadline + GRACE_SECONDS && ["unknown", "open", "capturing", "releasing"].includes(state)) {
      if (state === "capturing") {
        console.error(`payment ${paymentId} was not captured by its deadline`);
      }
      this.#next.delete(paymentId);
      this.#change(paymentId, "over");
    } else if (state === "unknown" && now > authorizeBy + CLOCK_TOLERANCE_SECONDS && underWay.size === 0) {
      this.#release(paymentId);
    } else if (state === "open" && underWay.size === 0 && this.#isUnused(hold, milliseconds)) {
      this.#release(paymentId);
    }
  }

  #isUnused({ accepted, facts, usedAt }: Hold, now: number): boolean {
    return (
      this.#idleMilliseconds !== undefined &&
      (now - usedAt >= this.#idleMilliseconds || accepted >= BigInt(facts?.requirements.amount ?? 0))
    );
  }

  /** Signs what gives the rest back. From then on nothing is sold for the payment. */
  #release(paymentId: string): void {
    this.#change(paymentId, "due", this.#releaseOf(paymentId));
  }

  #releaseOf(paymentId: string): Ending {
    const { accepted } = this.#records.get(paymentId);
    return accepted > 0n ? this.#authorizer.close(paymentId, accepted) : this.#authorizer.end(paymentId, 0n);
  }

  #once(paymentId: string): Promise<SettleResponse | undefined> {
    const before = this.#settling.get(paymentId);
    if (before !== undefined) {
      return before;
    }
    const settling = this.#settle(paymentId).finally(() => this.#settling.delete(paymentId));
    this.#settling.set(paymentId, settling);
    return settling;
  }

  async #settle(paymentId: string): Promise<SettleResponse | undefined> {
    // What a crash left behind has no release yet.
    const { facts, payload = this.#releaseOf(paymentId), state } = this.#records.get(paymentId);
    if (facts === undefined || !isEnding(state)) {
      return undefined;
    }
    let answer: SettleResponse | undefined;
    try {
      const accepted = facts.requirements;
      answer = await this.#facilitator.settle({ x402Version: 2, accepted, payload }, accepted);
    } catch (error) {
      console.warn(`payment ${paymentId} is still to be finalized: ${(error as Error).message}`);
    }
    const event = answer === undefined ? "undecided" : endingOf(answer);
    if (event === "denied") {
      console.error(`payment ${paymentId} is not finalized: ${answer?.errorReason}: ${answer?.errorMessage}`);
    }
    this.#change(paymentId, event);
    this.#wait(paymentId);
    return answer;
  }

  /** Settles it ever less often. */
  #wait(paymentId: string): void {
    if (isEnded(this.#records.get(paymentId))) {
      this.#next.delete(paymentId);
      return;
    }
    const before = this.#next.get(paymentId)?.pause;
    const pause = before === undefined ? FIRST_PAUSE_MILLISECONDS : Math.min(2 * before, LONGEST_PAUSE_MILLISECONDS);
    this.#next.set(paymentId, { at: Date.now() + pause, pause });
  }

  #change(paymentId: string, hold: "due" | "over" | "final" | "undecided" | "denied", payload?: Ending): void {
    try {
      this.#records.change(paymentId, { hold: [hold], payload });
    } catch (error) {
      // It is done again later.
      console.error(`payment ${paymentId}: what became of it could not be written down`, error);
    }
  }
}

function isEnding(state: HoldState): boolean {
  return state === "capturing" || state === "releasing";
}

function isEnded({ state }: Hold): boolean {
  return state === "captured" || state === "released" || state === "lapsed";
}
