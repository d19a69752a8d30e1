/** A client that pays, and pays again with what it has, altered or not. */

import type { PaymentPayload } from "@x402/core/types";

import { readBase58, readHex, writeBase58 } from "../src/bytes.js";
import { sign } from "../src/ed25519.js";
import { captureSignedBytes, intentSignedBytes } from "../src/messages.js";
import { paymentIdOf, typedPayment } from "../src/server/payment.js";
import type { Accepted } from "../src/server/terms.js";
import { intentOf, readExtra, readIntentPayload } from "../src/wire.js";
import { AGENT_SEED, draft, offer } from "./fixture.js";

/** What a request costs, and what a stream holds. */
export const PRICE = 100n;
const HOLD = 1_000n;

/** What is asked for, beside a hold for one request. */
const STREAMED = { requestPrice: PRICE.toString(), captureAuthorizer: "sessionKey" };
const CHARGED = { paymentFlow: "authorization" };

/** How many payments it has at a time. */
const AT_ONCE = 12;

/** An intent, and vouchers of it by amount. */
interface Own {
  readonly intent: Accepted;
  readonly vouchers: Map<bigint, Record<string, unknown>>;
}

export class Buyer {
  readonly #random: (below: number) => number;
  readonly #signatures = new Set<string>();
  readonly #owned: Own[] = [];
  #nonce = 0;

  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  hasSigned(signature: Uint8Array): boolean {
    return this.#signatures.has(writeBase58(signature));
  }

  /** What is sent next. `now` is in unix seconds. */
  payment(now: number): Accepted {
    if (this.#owned.length < AT_ONCE || this.#random(40) === 0) {
      const kinds = [{}, STREAMED, STREAMED, CHARGED] as const;
      this.#owned.push(this.#own(Math.floor(now), kinds[this.#random(kinds.length)]));
    }
    // What is too old a merchant refuses by itself.
    const isFresh = ({ intent }: Own): boolean => intent.captureDeadline >= now + 60;
    this.#owned.splice(0, this.#owned.length, ...this.#owned.filter(isFresh).slice(-AT_ONCE));
    const own = this.#owned[this.#random(this.#owned.length || 1)] ?? this.#own(Math.floor(now));
    const sent = own.intent.isStreamed && this.#random(3) > 0 ? this.#voucher(own, now) : own.intent;
    return this.#random(8) === 0 ? forged(sent) : sent;
  }

  #own(now: number, kind: Record<string, string> = {}): Own {
    this.#nonce += 1;
    const captureDeadline = now + 3600;
    const isStreamed = kind === STREAMED;
    const { extra } = offer();
    const accepted = { ...offer(), amount: HOLD.toString(), extra: { ...extra, captureDeadline, ...kind } };
    const unsigned = { ...draft(), nonce: String(this.#nonce), authorizeBy: now + 60 };
    const message = intentSignedBytes(intentOf(accepted, readExtra(accepted), readIntentPayload(unsigned)));
    const payload: PaymentPayload["payload"] = { ...unsigned, signature: this.#sign(message) };
    const paymentId = paymentIdOf({ x402Version: 2, accepted, payload });
    const vouchers = new Map<bigint, Record<string, unknown>>();
    if (isStreamed) {
      payload["voucher"] = this.#vouch(vouchers, paymentId, PRICE);
    }
    const payment = typedPayment({ x402Version: 2, accepted, payload });
    const { sessionKey, authorizeBy } = readIntentPayload(payload);
    const amount = isStreamed ? PRICE : HOLD;
    return { intent: { payment, paymentId, amount, captureDeadline, authorizeBy, sessionKey, isStreamed }, vouchers };
  }

  /** Mostly the next one, or one from before. */
  #voucher({ intent, vouchers }: Own, now: number): Accepted {
    const { payment, paymentId } = intent;
    const amount = BigInt(1 + this.#random(10)) * PRICE + BigInt(this.#random(4) === 0 ? this.#random(100) : 0);
    const payload = vouchers.get(amount) ?? this.#vouch(vouchers, paymentId, amount);
    const alone = typedPayment({ ...payment, payload });
    const captureDeadline = Math.floor(now) + 3600;
    return { payment: alone, paymentId, amount, captureDeadline, authorizeBy: 0, isStreamed: true };
  }

  #vouch(vouchers: Own["vouchers"], paymentId: string, amount: bigint): Record<string, unknown> {
    const message = captureSignedBytes({ intentDigest: readHex(paymentId, 32, "id"), amount, fee: 0n, last: false });
    const voucher = { type: "voucher", paymentId, amount: String(amount), fee: "0", signature: this.#sign(message) };
    vouchers.set(amount, voucher);
    return voucher;
  }

  #sign(message: Uint8Array): string {
    const signature = writeBase58(sign(AGENT_SEED, message));
    this.#signatures.add(signature);
    return signature;
  }
}

/** The same with another signature. */
function forged(accepted: Accepted): Accepted {
  const signature = writeBase58(readBase58("1".repeat(64), 64, "signature"));
  const { payment } = accepted;
  return { ...accepted, payment: { ...payment, payload: { ...payment.payload, signature } } };
}
