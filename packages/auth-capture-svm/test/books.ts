/** A verifier's books, by the real one's rules: what is held, charged, vouched and ended, and for whom. Uses the clock. */

import type { PaymentPayload, SettleResponse, VerifyResponse } from "@x402/core/types";

import { readBase58, readHex } from "../src/bytes.js";
import { verify } from "../src/ed25519.js";
import { captureSignedBytes, type Intent, intentDigest, intentSignedBytes } from "../src/messages.js";
import { writeHex } from "../src/bytes.js";
import { intentOf, readExtra, readIntentPayload, readRequestPrice } from "../src/wire.js";

/** One payment. */
export interface Booked {
  readonly sessionKey: Uint8Array;
  readonly claim: string | undefined;
  readonly amount: bigint;
  state: "authorized" | "captured" | "ended" | "paid";
  /** Vouchers that were accepted, with what each added and who claimed it. */
  readonly vouchers: Map<bigint, { readonly added: bigint; readonly claim: string | undefined }>;
  captured: bigint;
}

/** Checks a signature; a test that sends many may know better. */
export type Check = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

export class Books {
  readonly payments = new Map<string, Booked>();
  /** Whether captures and releases are only kept, and not on chain yet. */
  isReserving = false;
  readonly #check: Check;

  constructor(check: Check = verify) {
    this.#check = check;
  }

  /** What a payload is answered. */
  settle(payment: PaymentPayload, claim: string | undefined): Partial<SettleResponse> {
    switch (payment.payload["type"]) {
      case undefined:
        return payment.payload["capture"] === undefined ? this.#hold(payment, claim) : this.#charge(payment, claim);
      case "voucher":
        return this.#vouch(payment.payload, readRequestPrice(payment.accepted) ?? 0n, claim);
      default:
        return this.#end(payment.payload);
    }
  }

  /** Whether a charge would be settled. */
  verify(payment: PaymentPayload): VerifyResponse {
    const signed = this.#signed(payment);
    return { isValid: signed !== undefined && !this.payments.has(signed.id) };
  }

  #charge(payment: PaymentPayload, claim: string | undefined): Partial<SettleResponse> {
    const signed = this.#signed(payment);
    if (signed === undefined) {
      return refused("invalid_auth_capture_svm_signature");
    }
    const { id, sessionKey, intent } = signed;
    const known = this.payments.get(id);
    if (known === undefined && Date.now() / 1000 > Number(intent.authorizeBy)) {
      return refused("invalid_auth_capture_svm_intent_expired");
    }
    if (known !== undefined && known.claim !== claim) {
      return refused("duplicate_settlement");
    }
    const captured = BigInt((payment.payload["capture"] as { amount: string }).amount);
    const fresh: Booked = { sessionKey, claim, amount: intent.amount, state: "paid", vouchers: new Map(), captured };
    this.payments.set(id, known ?? fresh);
    const again = known === undefined ? {} : { alreadySettled: true, claimed: true };
    return { amount: String((known ?? fresh).captured), extra: { state: "paid", status: "confirmed", ...again } };
  }

  /** What a session key signed; nothing if it did not. */
  #signed({ accepted, payload }: PaymentPayload): { id: string; sessionKey: Uint8Array; intent: Intent } | undefined {
    const intent = intentOf(accepted, readExtra(accepted), readIntentPayload(payload));
    const sessionKey = readBase58(intent.sessionKey, 32, "sessionKey");
    const signature = readBase58(String(payload["signature"]), 64, "signature");
    const isSigned = this.#check(sessionKey, intentSignedBytes(intent), signature);
    return isSigned ? { id: writeHex(intentDigest(intent)), sessionKey, intent } : undefined;
  }

  #hold(payment: PaymentPayload, claim: string | undefined): Partial<SettleResponse> {
    const { accepted, payload } = payment;
    const signed = this.#signed(payment);
    if (signed === undefined) {
      return refused("invalid_auth_capture_svm_signature");
    }
    const { id, sessionKey, intent } = signed;
    const known = this.payments.get(id);
    if (known !== undefined && (known.claim !== claim || claim === undefined || known.state !== "authorized")) {
      return refused("duplicate_settlement");
    }
    const booked: Booked = known ?? {
      ...{ sessionKey, claim, amount: intent.amount, state: "authorized" },
      ...{ vouchers: new Map(), captured: 0n },
    };
    this.payments.set(id, booked);
    const voucher = payload["voucher"] as Record<string, unknown> | undefined;
    if (voucher !== undefined && known === undefined) {
      const accepting = this.#vouch(voucher, 0n, claim);
      if (accepting.success === false) {
        this.payments.delete(id);
        return accepting;
      }
    }
    const again = known === undefined ? {} : { alreadySettled: true, claimed: true };
    return { amount: accepted.amount, extra: { state: booked.state, status: "confirmed", ...again } };
  }

  #vouch(voucher: Record<string, unknown>, price: bigint, claim: string | undefined): Partial<SettleResponse> {
    const paymentId = String(voucher["paymentId"]);
    const amount = BigInt(String(voucher["amount"]));
    const booked = this.payments.get(paymentId);
    if (booked === undefined) {
      return refused("invalid_auth_capture_svm_payment_not_found");
    }
    const signed = { intentDigest: readHex(paymentId, 32, "id"), amount, fee: 0n, last: false };
    const signature = readBase58(String(voucher["signature"]), 64, "signature");
    if (!this.#check(booked.sessionKey, captureSignedBytes(signed), signature)) {
      return refused("invalid_auth_capture_svm_authorizer_signature");
    }
    const known = booked.vouchers.get(amount);
    if (known !== undefined) {
      const isClaimed = known.claim === claim && claim !== undefined && booked.state === "authorized";
      const extra = { state: booked.state, status: "confirmed", alreadySettled: true, claimed: true };
      return isClaimed
        ? { amount: known.added.toString(), extra }
        : refused("invalid_auth_capture_svm_voucher_repeated");
    }
    const last = highest(booked);
    if (booked.state !== "authorized" || amount < last || amount > booked.amount) {
      const above = amount > booked.amount ? "above_hold" : "decreased";
      return refused(`invalid_auth_capture_svm_voucher_${booked.state === "authorized" ? above : "hold_closed"}`);
    }
    if (amount - last < price) {
      return refused("invalid_auth_capture_svm_voucher_below_price");
    }
    booked.vouchers.set(amount, { added: amount - last, claim });
    return { amount: (amount - last).toString(), extra: { state: booked.state, status: "confirmed" } };
  }

  #end({ type, paymentId, amount }: Record<string, unknown>): Partial<SettleResponse> {
    const booked = this.payments.get(String(paymentId));
    if (booked === undefined) {
      return refused("invalid_auth_capture_svm_payment_not_found");
    }
    const takes = BigInt(String(amount));
    if (booked.state === "authorized") {
      const last = highest(booked);
      if ((type === "close" && takes > last) || (type === "void" && takes < last)) {
        return refused("invalid_auth_capture_svm_release");
      }
      booked.captured = takes;
      booked.state = takes === 0n ? "ended" : "captured";
    }
    return { extra: { state: booked.state, status: this.isReserving ? "unsettled" : "finalized" } };
  }
}

/** The highest voucher that was accepted. */
export function highest({ vouchers }: Booked): bigint {
  return [...vouchers.keys()].reduce((left, right) => (left > right ? left : right), 0n);
}

function refused(errorReason: string): Partial<SettleResponse> {
  return { success: false, errorReason, transaction: "" };
}
