/** Pays for requests out of an escrow, with a session's key and without a Solana node. */

import { setTimeout } from "node:timers/promises";

import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../bytes.js";
import { identifierDeclared } from "../payment_identifier.js";
import { isPrivate, readWebUrl } from "../url.js";
import { VOUCHER_HOLD_NOT_FINAL } from "../reasons.js";
import { isSettled, refusalReason } from "../settlement.js";
import { Call } from "./call.js";
import { type Challenge, readChallenge } from "./challenge.js";
import { checkOffer } from "./draft.js";
import { KeyTakenError, KeyUsedError, NoAnswerError, PlainHttpError, RefusedError } from "./errors.js";
import { isFinished, isOutOfStream, Journal, type Purchase } from "./journal.js";
import { type BaseLimits, type Limits, readLimits } from "./limits.js";
import { find, type Found, refresh } from "./lookup.js";
import { type Outcome, outcomeOf, stateAfter } from "./outcome.js";
import type { AgentOptions, BuyOptions } from "./options.js";
import { type Paying, Payer, toPay } from "./payer.js";
import { type Sent, sendUntilAnswered } from "./sending.js";
import { readSession, type Session } from "./session.js";
import type { Wanted } from "./signer.js";
import { Spending } from "./spending.js";
import { signedHeader } from "./signing.js";
import { Verifier } from "./verifier.js";

/** How often a request is sent with a payment out of a streamed hold. */
const MAXIMUM_ATTEMPTS = 3;

/** How long a hold may take to get as final as its vouchers need it, and how often it is asked. */
const PATIENCE_MILLISECONDS = 20_000;
const PAUSE_MILLISECONDS = 1_000;

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
    this.#spending = new Spending(`${session.files}.spent`, session.decimals);
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
      const message = `${opened.verifier}: the session's verifier has no https; set allowHttp to ask it`;
      throw new PlainHttpError(message, "session");
    }
    return new Agent(opened, readLimits(limits, opened.decimals), { fetch: send, allowHttp });
  }

  /** All that was paid or is still promised, by all processes that share the session file, in base units. */
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
    // A request whose body was read can't be made into another.
    const url = input instanceof Request ? input.url : String(input);
    throw new NoAnswerError(payment.paymentId, payment.amount, url, this.#session, cause);
  };

  /**
   * Buys, and says what came of it and what may still come. Under the key of a purchase that is not
   * decided the same payment is sent again.
   *
   * @throws if nothing was signed
   */
  async buy(input: RequestInfo | URL, init?: RequestInit, { key }: BuyOptions = {}): Promise<Outcome> {
    const call = await Call.of(input, init, this.#options.allowHttp);
    for (;;) {
      const outcome = key === undefined ? undefined : await this.#goOn(call, key);
      if (outcome !== undefined) {
        return outcome;
      }
      try {
        return await this.#buyAsAsked(call, key);
      } catch (error) {
        // Else another request, or another process, has begun a purchase with the key meanwhile.
        if (!(error instanceof KeyTakenError)) {
          throw error;
        }
      }
    }
  }

  /** Asks what the server wants, and pays it. */
  async #buyAsAsked(call: Call, key: string | undefined): Promise<Outcome> {
    const response = await this.#options.fetch(call.request());
    const challenge = response.status === 402 && !call.isPaid ? readChallenge(response, this.#session) : undefined;
    if (challenge === undefined || challenge.offers.length === 0) {
      return response.ok ? { kind: "served", response } : { kind: "refused", response };
    }
    await response.body?.cancel();
    const wanted = { offer: this.#choose(call, challenge), key, declared: identifierDeclared(challenge.extensions) };
    return this.#buy(call, wanted);
  }

  /** What is known of a purchase under the caller's key, or a payment's id. Asks the verifier where it is not decided. */
  lookup(key: string): Promise<Found | undefined> {
    return find(key, this.#journal, this.#verifier);
  }

  /**
   * Sends the same payment again: for the same request, which is not kept. Another is made only if
   * nothing can become of the first any more.
   *
   * @throws if there is no such purchase, it has bought something, or the request is another
   */
  async resume(key: string, input: RequestInfo | URL, init?: RequestInit): Promise<Outcome> {
    if ((await this.#journal.find(key)) === undefined) {
      throw new KeyUsedError("no_such_key", `there is no purchase ${key} to resume`);
    }
    return this.buy(input, init, { key });
  }

  /** A voucher that was in doubt may turn out to be used, and the hold to be over: then another pays. */
  async #buy(call: Call, wanted: Wanted): Promise<Outcome> {
    let outcome: Outcome | undefined;
    for (let attempt = 1; ; attempt += 1) {
      let paying: Paying;
      try {
        paying = await this.#payer.begin(call, wanted);
      } catch (error) {
        if (outcome === undefined) {
          throw error;
        }
        return outcome;
      }
      let isWorthAnother: boolean;
      try {
        const [last, sent] = await this.#sendUntilFinal(call, paying);
        outcome = outcomeOf(last, sent);
        isWorthAnother = this.#payer.isWorthAnother(paying, sent);
      } finally {
        paying.end();
      }
      if (attempt === MAXIMUM_ATTEMPTS || !isWorthAnother || wanted.key !== undefined) {
        return outcome;
      }
      call.signal.throwIfAborted();
    }
  }

  /** Sends a payment, and a voucher again while its hold is not final enough. Throws if the caller gives up meanwhile. */
  async #sendUntilFinal(call: Call, first: Paying): Promise<[Paying, Sent]> {
    const started = Date.now();
    for (let paying = first; ; ) {
      const sent = await this.#send(call, paying);
      const reason = sent.response?.status === 402 ? refusalReason(sent.response) : undefined;
      if (reason !== VOUCHER_HOLD_NOT_FINAL || Date.now() - started > PATIENCE_MILLISECONDS) {
        return [paying, sent];
      }
      const state = stateAfter(paying.purchase.state, sent);
      paying = { ...paying, purchase: { ...paying.purchase, state } };
      await setTimeout(PAUSE_MILLISECONDS, undefined, { signal: call.signal });
    }
  }

  /** Goes on with the purchase under a key. `undefined` if there is none, or nothing can become of it any more. */
  async #goOn(call: Call, key: string): Promise<Outcome | undefined> {
    const found = await this.#unfinished(call, key);
    if (found === undefined) {
      return undefined;
    }
    const end = isOutOfStream(found) ? await this.#payer.turn(found.origin, found.payTo, key) : () => {};
    try {
      // Whoever had the turn before may have finished it, or used its voucher for something else.
      const purchase = isOutOfStream(found) ? await this.#unfinished(call, key) : found;
      if (purchase === undefined) {
        return undefined;
      }
      const paying = toPay(purchase);
      const outcome = outcomeOf(paying, await this.#send(call, paying));
      if (outcome.kind === "served") {
        this.#payer.served(purchase);
      }
      return outcome;
    } finally {
      end();
    }
  }

  /**
   * The purchase under a key. `undefined` if there is none, or nothing can become of it any more.
   *
   * @throws {KeyUsedError} if it is for another request, or has bought something
   */
  async #unfinished(call: Call, key: string): Promise<Purchase | undefined> {
    const purchase = await this.#journal.find(key);
    if (purchase === undefined || purchase.state === "over") {
      return undefined;
    }
    if (purchase.resourceHash !== writeHex(call.resourceHash)) {
      throw new KeyUsedError("key_conflict", `the purchase ${key} was for another method, URL or body`);
    }
    const isOverdue = Date.now() / 1000 > purchase.authorizeBy && !isFinished(purchase);
    const { state } = isOverdue ? await refresh(purchase, this.#journal, this.#verifier) : purchase;
    if (state !== "over" && isFinished({ state })) {
      throw new KeyUsedError(
        "already_bought",
        `the purchase ${key} is ${state}: there is nothing to resume, look it up`,
      );
    }
    return state === "over" ? undefined : { ...purchase, state };
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

  async #send(call: Call, paying: Paying): Promise<Sent> {
    const { payment, purchase, isNamed, isJournaled } = paying;
    const header = signedHeader(payment, this.#session.secretKey);
    const send = (): Promise<Response> => this.#options.fetch(call.request(header));
    const sent = await sendUntilAnswered(send, isNamed, call.signal);
    const { response } = sent;
    if (response !== undefined && (response.ok || isSettled(response))) {
      await this.#payer.held(paying);
    }
    if (isJournaled) {
      // What was bought is bought: a journal that can't be written says that it is unknown.
      await this.#journal.note(purchase.purchase, stateAfter(purchase.state, sent)).catch(() => undefined);
    }
    return sent;
  }
}
