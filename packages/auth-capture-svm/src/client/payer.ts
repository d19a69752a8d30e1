/** Makes payments for requests: each its own, or out of a hold that pays for many. */

import { sha256 } from "@noble/hashes/sha2.js";
import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../bytes.js";
import { lock } from "../lock.js";
import { identifierExtension, PAYMENT_IDENTIFIER } from "../payment_identifier.js";
import { refusalReason } from "../settlement.js";
import { readRequestPrice } from "../wire.js";
import type { Call } from "./call.js";
import { decideDoubt } from "./doubt.js";
import { checkOffer, type Expected } from "./draft.js";
import { JournalError, TooManyHoldsError } from "./errors.js";
import { isStream, type Journal, type Purchase } from "./journal.js";
import type { BaseLimits } from "./limits.js";
import { isEnded, leastOf } from "./lookup.js";
import { paymentIdOf, type Receipt, receiptOf } from "./receipt.js";
import type { Sent } from "./sending.js";
import type { Session } from "./session.js";
import { checkKey, Signer, type Wanted } from "./signer.js";
import { unsignedVoucher } from "./signing.js";
import type { Spending } from "./spending.js";
import { type Stream, Streams } from "./streams.js";
import type { Verifier } from "./verifier.js";

/** How long to wait for others' requests out of the same holds. */
const PATIENCE_MILLISECONDS = 10 * 60 * 1_000;

/** How many holds one origin may have that are neither over nor used up: one, and the one before it. */
const MAXIMUM_HOLDS = 2;

/** A payment that may be signed and sent. */
export interface Paying {
  readonly payment: PaymentPayload;
  readonly purchase: Purchase;
  readonly receipt: Receipt;
  /** Whether it has an id, by which it can be sent again. */
  readonly isNamed: boolean;
  /** Whether the journal has it: a voucher without a key is not there. */
  readonly isJournaled: boolean;
  /** Where it is paid out of a hold for many requests. */
  readonly streamed?: { readonly key: string; readonly stream: Stream };
  /** Lets others pay out of the same hold. */
  readonly end: () => void;
}

export class Payer {
  readonly #limits: BaseLimits;
  readonly #verifier: Verifier;
  readonly #journal: Journal;
  readonly #files: string;
  readonly #signer: Signer;
  readonly #streams = new Streams();

  constructor(session: Session, limits: BaseLimits, verifier: Verifier, spending: Spending, journal: Journal) {
    this.#limits = limits;
    this.#verifier = verifier;
    this.#journal = journal;
    this.#files = session.files;
    this.#signer = new Signer(session, limits, verifier, spending, journal);
  }

  /** The facts that an offer must match. */
  expected(call: Call, offer: PaymentRequirements): Expected {
    return this.#signer.expected(call, offer);
  }

  /** Notes that a payment is held: of an open hold once, since that takes a lock. */
  async held({ purchase, streamed }: Paying): Promise<void> {
    if (streamed?.stream.isHeld === true) {
      return;
    }
    await this.#signer.held(paymentIdOf(purchase));
    if (streamed !== undefined) {
      streamed.stream.isHeld = true;
    }
  }

  /** Notes that a purchase from before was served. One that is out of no open hold changes nothing. */
  served(purchase: Purchase): void {
    this.#streams.served(paymentIdOf(purchase), leastOf(purchase));
  }

  /** A payment for the request. It is in the journal, and counted, before it is signed. */
  async begin(call: Call, wanted: Wanted): Promise<Paying> {
    const price = readRequestPrice(wanted.offer);
    return price === undefined || this.#limits.maximumHold === undefined
      ? toPay(await this.#signer.begin(call, wanted))
      : this.#beginStreamed(call, wanted, price);
  }

  /**
   * Waits until nobody else pays a receiver out of an origin's holds: under a key also in other
   * processes, which may go on with the same purchase. The result ends the turn.
   */
  async turn(origin: string, payTo: string, key: string | undefined): Promise<() => void> {
    const end = await this.#streams.turn(`${origin} ${payTo}`);
    if (key === undefined) {
      return end;
    }
    try {
      // The Rust agent takes the same.
      const name = writeHex(sha256(new TextEncoder().encode(origin)).subarray(0, 8));
      const unlock = await lock(`${this.#files}.streams.${name}.lock`, PATIENCE_MILLISECONDS);
      if (unlock === undefined) {
        const message = `another process has been paying ${origin} for too long; nothing was signed. Try again`;
        throw new JournalError(message, { retry: true });
      }
      return () => {
        unlock();
        end();
      };
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Returns whether another payment is worth it. Gives a hold up that its server says is over. */
  isWorthAnother({ streamed }: Paying, { event, response, sendings }: Sent): boolean {
    if (streamed === undefined || response === undefined || (event === "repeated" && sendings > 1)) {
      return false;
    }
    const { key, stream } = streamed;
    return this.#streams.answered(key, stream, response.status, refusalReason(response));
  }

  /** Pays out of an open hold, or opens one: the request that opens it is paid for too. */
  async #beginStreamed(call: Call, wanted: Wanted, price: bigint): Promise<Paying> {
    const { offer } = wanted;
    checkOffer(offer, this.expected(call, offer));
    const key = `${call.origin} ${offer.payTo}`;
    const end = await this.turn(call.origin, offer.payTo, wanted.key);
    try {
      await this.#decideDoubt(key, wanted.key);
      const open = this.#streams.next(key, price, Date.now() / 1000);
      if (open !== undefined) {
        const purchase =
          open.isMissing === true
            ? await this.#openAgain(call, wanted, open.paymentId)
            : await this.#voucher(call, wanted, open, price);
        open.isMissing = false;
        return { ...toPay(purchase), streamed: { key, stream: open }, end };
      }
      await this.#checkHolds(call.origin);
      const purchase = await this.#signer.begin(call, wanted);
      const { amount: hold, captureDeadline, authorizeBy } = purchase;
      const known = { paymentId: purchase.purchase, hold, captureDeadline, authorizeBy };
      const stream: Stream = { ...known, signed: price, served: 0n, isFresh: true };
      this.#streams.open(key, stream);
      return { ...toPay(purchase), streamed: { key, stream }, end };
    } catch (error) {
      end();
      throw error;
    }
  }

  async #decideDoubt(stream: string, key: string | undefined): Promise<void> {
    const doubted = this.#streams.inDoubt(stream);
    if (doubted !== undefined) {
      const bought = await decideDoubt(doubted, key, this.#journal, this.#verifier);
      this.#streams.served(doubted.paymentId, bought);
    }
  }

  /** What opened a hold and never arrived, for another request. It locks nothing more than it did. */
  async #openAgain(call: Call, { key }: Wanted, paymentId: string): Promise<Purchase> {
    const opening = await this.#journal.find(paymentId);
    if (opening === undefined) {
      throw new Error(`the payment ${paymentId} is not in the journal any more`);
    }
    const { key: _before, ...rest } = opening;
    // What is sent again is in doubt again, whatever became of the purchase that it was for.
    const known: Purchase = { ...rest, state: "unknown", resourceHash: writeHex(call.resourceHash) };
    const again = key === undefined ? known : { ...known, key };
    await this.#journal.begin(again, (others) => checkKey(key, others));
    return again;
  }

  /** A voucher for all that was bought so far. It is in the journal if the caller has a key for it. */
  async #voucher(call: Call, { offer, key, declared }: Wanted, stream: Stream, price: bigint): Promise<Purchase> {
    const { paymentId, signed, captureDeadline } = stream;
    const id = `${paymentId}_${signed}`;
    const payment: PaymentPayload = {
      ...{ x402Version: 2, accepted: offer, payload: unsignedVoucher(paymentId, signed) },
      ...(declared === undefined ? {} : { extensions: identifierExtension(`pay_${id}`, declared) }),
    };
    const at = Math.floor(Date.now() / 1000);
    const purchase: Purchase = {
      ...{ purchase: id, state: "signed", ...(key === undefined ? {} : { key }), at, origin: call.origin },
      ...{ resourceHash: writeHex(call.resourceHash), payTo: offer.payTo, amount: price },
      ...{ authorizeBy: captureDeadline, captureDeadline, payment },
    };
    if (key !== undefined) {
      await this.#journal.begin(purchase, (others) => checkKey(key, others));
    }
    return purchase;
  }

  /**
   * A server that says of every hold that it is over would have another opened each time: its word
   * alone gets it one.
   */
  async #checkHolds(origin: string): Promise<void> {
    const now = Date.now() / 1000;
    const holds = (await this.#journal.all()).filter((one) => isStream(one) && one.origin === origin);
    const open = holds.filter(
      (one) => one.state !== "over" && now <= one.captureDeadline && !this.#streams.isUsedUp(one.purchase),
    );
    if (open.length < MAXIMUM_HOLDS) {
      return;
    }
    let left = open.length;
    for (const one of open) {
      if (isEnded(one, await this.#verifier.look(one.purchase), now)) {
        this.#streams.useUp(one.purchase);
        left -= 1;
      }
    }
    if (left >= MAXIMUM_HOLDS) {
      throw new TooManyHoldsError(origin, Math.min(...open.map(({ captureDeadline }) => captureDeadline)));
    }
  }
}

/** The payment of a purchase. */
export function toPay(purchase: Purchase): Paying {
  const { payment, key } = purchase;
  const isNamed = payment.extensions?.[PAYMENT_IDENTIFIER] !== undefined;
  const isJournaled = key !== undefined || payment.payload["type"] !== "voucher";
  return { payment, purchase, receipt: receiptOf(purchase), isNamed, isJournaled, end: () => {} };
}
