/** Has intents drafted, and notes what will be signed, each with a nonce of its own: nothing is signed before. */

import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";

import { formatAmount } from "../amount.js";
import { writeHex } from "../bytes.js";
import { type Intent, intentDigest, streamResourceHash } from "../messages.js";
import { type IdentifierDeclared, identifierExtension } from "../payment_identifier.js";
import { NONCE_REFUSED } from "../reasons.js";
import { readRequestPrice } from "../wire.js";
import type { Call } from "./call.js";
import { checkDraft, checkOffer, type Expected, receiverProof } from "./draft.js";
import { KeyTakenError, SessionExpiredError, SpendingError } from "./errors.js";
import { isStream, type Journal, type Purchase } from "./journal.js";
import type { BaseLimits } from "./limits.js";
import { cameTo } from "./lookup.js";
import { SessionNonces, type Taken } from "./nonces.js";
import type { Session } from "./session.js";
import type { Spending } from "./spending.js";
import { NoDraftError, type Verifier } from "./verifier.js";

/** How a purchase is to be made. */
export interface Wanted {
  readonly offer: PaymentRequirements;
  /** The caller's own name for it. */
  readonly key: string | undefined;
  /** How the server takes ids, if it does. */
  readonly declared: IdentifierDeclared | undefined;
}

export class Signer {
  readonly #session: Session;
  readonly #limits: BaseLimits;
  readonly #verifier: Verifier;
  readonly #nonces: SessionNonces;
  readonly #spending: Spending;
  readonly #journal: Journal;

  constructor(session: Session, limits: BaseLimits, verifier: Verifier, spending: Spending, journal: Journal) {
    this.#session = session;
    this.#limits = limits;
    this.#verifier = verifier;
    this.#nonces = new SessionNonces(`${session.files}.nonces`, session);
    this.#spending = spending;
    this.#journal = journal;
  }

  /** The facts that an offer must match. */
  expected(call: Call, offer: PaymentRequirements): Expected {
    const now = Math.floor(Date.now() / 1000);
    const { expiresAt } = this.#session;
    if (now > expiresAt) {
      throw new SessionExpiredError(expiresAt);
    }
    const { maximumAmount, maximumHold } = this.#limits;
    const pinned = { session: this.#session, now };
    if (readRequestPrice(offer) === undefined || maximumHold === undefined) {
      return { ...pinned, resourceHash: call.resourceHash, maximumAmount };
    }
    const resourceHash = streamResourceHash(call.origin);
    return { ...pinned, resourceHash, maximumAmount: maximumHold, maximumRequestPrice: maximumAmount };
  }

  /**
   * Has the verifier draft an intent for the offer, checks it, writes it into the journal, and counts
   * it as signed for. Then it may be signed.
   */
  async begin(call: Call, wanted: Wanted): Promise<Purchase> {
    const { offer } = wanted;
    const proof = receiverProof(offer, this.#session);
    const { taken, drafted } = await this.#draft(call, offer, proof);
    try {
      const own = { nonce: taken.nonce, receiverProof: proof };
      const intent = checkDraft(offer, drafted, own, this.expected(call, offer));
      const purchase = this.#purchaseOf(call, intent, wanted, proof);
      await this.#journal.begin(purchase, (others) => {
        checkKey(wanted.key, others);
        this.#checkLocked(purchase, others);
      });
      try {
        await this.#count(purchase);
        await taken.sign(purchase.purchase, purchase.authorizeBy);
      } catch (error) {
        await this.#journal.note(purchase.purchase, "over");
        throw error;
      }
      return purchase;
    } catch (error) {
      // If this fails, the nonce is free again by itself once its time has passed.
      await taken.release().catch(() => undefined);
      throw error;
    }
  }

  /** Counts a purchase. Where too much counts, the verifier is asked once what of it came to less. */
  async #count({ purchase, amount, authorizeBy, captureDeadline }: Purchase): Promise<void> {
    const promised = { amount, authorizeBy, captureDeadline };
    const add = (): Promise<void> => this.#spending.add(purchase, promised, this.#limits.spendingLimit);
    try {
      await add();
    } catch (error) {
      if (!(error instanceof SpendingError && error.code === "spending_limit")) {
        throw error;
      }
      await this.#settleSpending();
      await add();
    }
  }

  async #settleSpending(): Promise<void> {
    for (const [paymentId, promised] of this.#spending.promised) {
      const report = await this.#verifier.look(paymentId);
      if (report === undefined) {
        // It answers to none of the others either.
        return;
      }
      const paid = cameTo(report, promised, Date.now() / 1000);
      if (paid !== undefined) {
        await this.#spending.settle(paymentId, paid);
      }
    }
  }

  /** Notes that a payment is held: its nonce is used for good. */
  async held(paymentId: string): Promise<void> {
    // A failure loses nothing that was bought: a nonce that is tried again is refused and dropped.
    await this.#nonces.held(paymentId).catch(() => undefined);
  }

  /**
   * Asks with a nonce of our own. One that the verifier says is used is dropped for a higher one, in
   * steps that double, so that few requests pass all that were used elsewhere.
   */
  async #draft(
    call: Call,
    offer: PaymentRequirements,
    proof: readonly string[],
  ): Promise<{ taken: Taken; drafted: unknown }> {
    for (let above = 0n, step = 1n; ; step *= 2n) {
      const expected = this.expected(call, offer);
      checkOffer(offer, expected);
      const taken = await this.#nonces.take(above, expected.now);
      const { maximumAmount, resourceHash } = expected;
      const own = { nonce: taken.nonce, receiverProof: proof };
      try {
        return { taken, drafted: await this.#verifier.draft({ offer, maximumAmount, resourceHash }, own) };
      } catch (error) {
        if (!(error instanceof NoDraftError && error.reason === NONCE_REFUSED)) {
          await taken.release().catch(() => undefined);
          throw error;
        }
        await taken.refuse();
        above = taken.nonce + step - 1n;
      }
    }
  }

  #purchaseOf(call: Call, intent: Intent, { offer, key, declared }: Wanted, proof: readonly string[]): Purchase {
    const purchase = writeHex(intentDigest(intent));
    const payload = {
      ...{ escrow: intent.escrow, sessionKey: intent.sessionKey, incarnation: this.#session.incarnation },
      ...{ nonce: intent.nonce.toString(), authorizeBy: Number(intent.authorizeBy) },
      ...(proof.length === 0 ? {} : { receiverProof: proof }),
    };
    const extensions = declared === undefined ? {} : { extensions: identifierExtension(`pay_${purchase}`, declared) };
    const payment: PaymentPayload = { x402Version: 2, accepted: offer, payload, ...extensions };
    return {
      ...{ purchase, state: "signed", ...(key === undefined ? {} : { key }), at: Math.floor(Date.now() / 1000) },
      ...{ origin: call.origin, resourceHash: writeHex(call.resourceHash), payTo: intent.receiver },
      ...{ amount: intent.amount, authorizeBy: Number(intent.authorizeBy) },
      ...{ captureDeadline: Number(intent.captureDeadline), payment },
    };
  }

  #checkLocked({ amount, at }: Purchase, others: readonly Purchase[]): void {
    const { maximumLocked } = this.#limits;
    const locked = others.filter((other) => isLocked(other, at)).reduce((sum, other) => sum + other.amount, 0n);
    if (maximumLocked !== undefined && locked + amount > maximumLocked) {
      const tokens = (units: bigint): string => formatAmount(units, this.#session.decimals);
      throw new SpendingError(
        "locked_limit",
        `${tokens(locked)} may be held for purchases that are not over, and this would hold ${tokens(amount)} more: the ` +
          `limit maximumLocked is ${tokens(maximumLocked)}`,
        { field: "maximumLocked", remedy: "wait until holds end, or raise maximumLocked", retry: true },
      );
    }
  }
}

/** @throws {KeyTakenError} if the key belongs to a purchase that is not over */
export function checkKey(key: string | undefined, others: readonly Purchase[]): void {
  const other = key === undefined ? undefined : others.findLast((one) => one.key === key);
  if (other !== undefined && other.state !== "over") {
    throw new KeyTakenError("already_bought", `the purchase ${key} is ${other.state}: resume it, or look it up`);
  }
}

/** Whether money may be held for a purchase that has bought nothing for it yet. */
function isLocked(purchase: Purchase, now: number): boolean {
  const { state, captureDeadline, payment } = purchase;
  const isOpen = state === "signed" || state === "unknown" || state === "refused";
  return now <= captureDeadline && payment.payload["type"] === undefined && (isOpen || isStream(purchase));
}
