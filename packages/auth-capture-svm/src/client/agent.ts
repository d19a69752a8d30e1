/** Pays for requests out of an escrow, with a session's key and without a Solana node. */

import { setTimeout } from "node:timers/promises";

import type { PaymentRequirements } from "@x402/core/types";

import { printable } from "../bytes.js";
import { PURCHASE, type PurchaseState } from "../purchase/buyer.js";
import { nextOf } from "../purchase/machine.js";
import { takesIdentifiers } from "../payment_identifier.js";
import { isPrivate, readWebUrl } from "../url.js";
import { isSettled, refusalReason } from "../wire.js";
import { Call } from "./call.js";
import { type Challenge, readChallenge } from "./challenge.js";
import { checkOffer, RefusedError } from "./draft.js";
import { KeyUsedError, NoAnswerError, PlainHttpError } from "./errors.js";
import { Journal, type Purchase } from "./journal.js";
import { type BaseLimits, type Limits, readLimits } from "./limits.js";
import { find } from "./lookup.js";
import type { Found, Outcome, Receipt } from "./outcome.js";
import { type Paying, Payer } from "./payer.js";
import { type Sent, sendUntilAnswered } from "./sending.js";
import { readSession, type Session } from "./session.js";
import { Spending } from "./spending.js";
import { signedHeader } from "./signing.js";
import { Verifier } from "./verifier.js";

/** How often a request is sent with a payment out of a streamed hold. */
const MAXIMUM_ATTEMPTS = 3;

/** How an agent works beyond its limits. */
export interface AgentOptions {
  /** What sends requests, also to the verifier; the global `fetch` if absent. */
  readonly fetch?: typeof fetch;
  /**
   * Whether servers and the verifier may be asked over plain HTTP, where others can read and change
   * what is paid. Without it only this machine may.
   */
  readonly allowHttp?: boolean;
}

/** How one purchase is made. */
export interface BuyOptions {
  /** The caller's own name for it: a purchase under one key is made once, over restarts. */
  readonly key?: string;
}

export class Agent {
  readonly #session: Session;
  readonly #options: Required<AgentOptions>;
  readonly #verifier: Verifier;
  readonly #journal: Journal;
  readonly #spending: Spending;
  readonly #payer: Payer;

  private constructor(session: Session, limits: BaseLimits, options: Required<AgentOptions>) {
    this.#session = session;
    this.#options = options;
    this.#verifier = new Verifier(session, options.fetch);
    this.#journal = new Journal(`${session.files}.journal`);
    this.#spending = new Spending(`${session.files}.spent`);
    this.#payer = new Payer(session, limits, this.#verifier, this.#spending, this.#journal);
  }

  /**
   * @param session a session, or its file
   * @throws if the session can't be used, a limit is no amount, or the verifier would be asked over
   * plain HTTP
   */
  static async open(session: Session | string, limits: Limits, options: AgentOptions = {}): Promise<Agent> {
    const opened = typeof session === "string" ? await readSession(session) : session;
    const { fetch: send = fetch, allowHttp = false } = options;
    if (!allowHttp && !isPrivate(readWebUrl(opened.verifier, "verifier"))) {
      throw new PlainHttpError(`${opened.verifier}: the session's verifier has no https; set allowHttp to ask it`);
    }
    return new Agent(opened, readLimits(limits, opened.decimals), { fetch: send, allowHttp });
  }

  /** All that was signed for, by all processes that share the session file, in base units. */
  get signedFor(): bigint {
    return this.#spending.signedFor;
  }

  /**
   * A `fetch` that pays. Redirects are handed back: a payment is for one URL.
   *
   * @throws {NoAnswerError} if a payment was sent and it is not known what became of it
   */
  readonly fetch: typeof fetch = async (input, init) => {
    const outcome = await this.buy(input, init);
    if (outcome.kind !== "unknown" || outcome.response !== undefined) {
      return outcome.response as Response;
    }
    const { payment, cause = new Error(outcome.reason) } = outcome;
    const { url } = new Request(input, init);
    throw new NoAnswerError(payment.paymentId, payment.amount, url, this.#session.verifier, cause);
  };

  /**
   * Buys, and says what came of it and what may still come.
   *
   * @throws if nothing was signed
   */
  async buy(input: RequestInfo | URL, init?: RequestInit, { key }: BuyOptions = {}): Promise<Outcome> {
    const call = await Call.of(input, init, this.#options.allowHttp);
    const response = await this.#options.fetch(call.request());
    const challenge = response.status === 402 && !call.isPaid ? readChallenge(response, this.#session) : undefined;
    if (challenge === undefined || challenge.offers.length === 0) {
      return response.ok ? { kind: "served", response } : { kind: "refused", response };
    }
    await response.body?.cancel();
    const offer = this.#choose(call, challenge);
    const isNamed = takesIdentifiers(challenge.extensions);
    // A voucher that was in doubt may turn out to be used, and the hold to be over: then another pays. One that came
    // before its hold is final pays later.
    for (let attempt = 1; ; attempt += 1) {
      const paying = await this.#payer.begin(call, { offer, key, isNamed });
      let sent: Sent;
      let pause: number | undefined;
      try {
        sent = await this.#send(call, paying);
        pause = await this.#payer.pauseBeforeAnother(paying, sent);
      } finally {
        paying.end();
      }
      if (attempt === MAXIMUM_ATTEMPTS || pause === undefined || key !== undefined) {
        return this.#outcome(paying, sent, "sent");
      }
      // Throws if the caller has given up.
      await setTimeout(pause, undefined, { signal: call.signal });
    }
  }

  /** What is known of a purchase under the caller's key, or a payment's id. Asks the verifier where it is not decided. */
  lookup(key: string): Promise<Found | undefined> {
    return find(key, this.#journal, this.#verifier);
  }

  /**
   * Sends the same payment again: for the same request, which is not kept.
   *
   * @throws if there is no such purchase, it is decided, or the request is another
   */
  async resume(key: string, input: RequestInfo | URL, init?: RequestInit): Promise<Outcome> {
    const call = await Call.of(input, init, this.#options.allowHttp);
    const purchase = await this.#journal.find(key);
    if (purchase === undefined || !["unknown", "refused"].includes(purchase.state)) {
      throw new KeyUsedError(`the purchase ${key} is ${purchase?.state ?? "not known"}: there is nothing to resume`);
    }
    const paying = this.#payer.again(call, purchase);
    return this.#outcome(paying, await this.#send(call, paying, purchase.state), "sent_again");
  }

  /** The first offer that can be taken. */
  #choose(call: Call, { offers }: Challenge): PaymentRequirements {
    let refused: unknown;
    for (const offer of offers) {
      try {
        checkOffer(offer, this.#payer.expected(call, offer));
        return offer;
      } catch (error) {
        if (!(error instanceof RefusedError)) {
          throw error;
        }
        refused ??= error;
      }
    }
    throw refused;
  }

  async #send(call: Call, { payment, purchase, isNamed }: Paying, before: PurchaseState = "signed"): Promise<Sent> {
    const header = signedHeader(payment, this.#session.secretKey);
    const send = (): Promise<Response> => this.#options.fetch(call.request(header));
    const sent = await sendUntilAnswered(send, isNamed, call.signal);
    const { response } = sent;
    if (response !== undefined && (response.ok || isSettled(response))) {
      await this.#payer.held(purchase.purchase);
    }
    await this.#note(purchase, stateAfter(sent, nextOf(PURCHASE, before, "send")));
    return sent;
  }

  async #note({ purchase }: Purchase, state: PurchaseState): Promise<void> {
    // What was bought is bought: a journal that can't be written says that it is unknown.
    await this.#journal.note(purchase, state).catch(() => undefined);
  }

  #outcome({ purchase, receipt }: Paying, sent: Sent, sending: "sent" | "sent_again"): Outcome {
    const { response, sendings, cause } = sent;
    const payment: Receipt = receipt;
    const maySettleUntil = purchase.captureDeadline;
    const said = response === undefined ? undefined : refusalReason(response);
    const reason = said === undefined ? {} : { reason: printable(said) };
    const state = stateAfter(sent, sending);
    if (state === "served" && response !== undefined) {
      return { kind: "served", response, payment };
    }
    if (state === "refused" && response !== undefined) {
      return { kind: "refused", response, ...reason, payment, maySettleUntil };
    }
    // To what was sent twice a refusal is no answer.
    const isBelieved = response !== undefined && !(response.status === 402 && (sendings > 1 || sending === "sent_again"));
    const isLost = sent.event === "no_answer";
    return {
      ...{ kind: "unknown", reason: said === undefined ? "no answer came" : printable(said), payment, maySettleUntil },
      ...(response !== undefined && (isBelieved || isLost) ? { response } : {}),
      ...(cause === undefined ? {} : { cause }),
    };
  }
}

/** What becomes of a purchase that was sent so often, and answered so in the end. */
function stateAfter({ event, sendings }: Sent, sending: PurchaseState): PurchaseState {
  const last = sendings === 1 ? sending : "sent_again";
  return nextOf(PURCHASE, last, event);
}
