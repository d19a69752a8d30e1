/** A client's payment, field by field: nothing else of it reaches the facilitator. No I/O. */

import type { PaymentPayload, PaymentRequirements } from "@x402/core/types";

import { type Address, readBase58, readHex, writeBase58, writeHex } from "../bytes.js";
import { verify } from "../ed25519.js";
import { Fields } from "../fields.js";
import { captureSignedBytes, type Intent, intentDigest, intentSignedBytes } from "../messages.js";
import { identifierExtension, PAYMENT_IDENTIFIER_EXTRA, readIdentifier } from "../payment_identifier.js";
import { intentOf, readExtra, readIntentPayload, readRequestPrice, type VoucherPayload } from "../wire.js";

/** What pays for one request out of a streamed hold. */
export interface Voucher {
  /** 64 hex digits. */
  readonly paymentId: string;
  /** All that was bought so far, in base units. */
  readonly amount: bigint;
  /** The most of `amount` that goes to the fee recipient, in base units. */
  readonly fee: bigint;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Returns the payment with the fields that the scheme has, and no others. An id is left out where
 * the route takes none: there it must not make the facilitator say yes twice.
 *
 * @throws {FieldError} if a field is missing or can't be read
 */
export function typedPayment(payment: PaymentPayload): PaymentPayload {
  const { accepted, payload, extensions } = payment;
  const takesIds = accepted.extra[PAYMENT_IDENTIFIER_EXTRA] !== undefined;
  const id = takesIds ? readIdentifier(extensions) : undefined;
  return {
    x402Version: 2,
    accepted,
    payload: payload["type"] === "voucher" ? voucherPayload(voucherOf(payment)) : intentPayload(payment),
    ...(id === undefined ? {} : { extensions: identifierExtension(id) }),
  };
}

/**
 * Reads the voucher of a payment out of a streamed hold: it comes by itself, or with the intent.
 *
 * @throws {FieldError} if there is none, or it can't be read
 */
export function voucherOf({ payload }: PaymentPayload): Voucher {
  const isAlone = payload["type"] === "voucher";
  const voucher = isAlone
    ? new Fields(payload, "payload")
    : new Fields(new Fields(payload, "payload").object("voucher"), "payload.voucher");
  return {
    paymentId: writeHex(voucher.hex32("paymentId")),
    amount: voucher.decimal("amount"),
    fee: voucher.decimal("fee"),
    signature: voucher.signature("signature"),
  };
}

/**
 * Returns the digest of a client's intent, in hexadecimal.
 *
 * @throws {FieldError} if a field is missing or can't be read
 */
export function paymentIdOf(payment: PaymentPayload): string {
  return writeHex(intentDigest(intent(payment)));
}

/** Returns whether all that a payment brings, intent and voucher, is signed by the session key. */
export function isSignedBy(payment: PaymentPayload, sessionKey: Address): boolean {
  const key = readBase58(sessionKey, 32, "sessionKey");
  const isAlone = payment.payload["type"] === "voucher";
  const { signature } = payment.payload;
  return (
    (isAlone || verify(key, intentSignedBytes(intent(payment)), readBase58(signature, 64, "signature"))) &&
    (!isStreamed(payment.accepted) || isVoucherSignedBy(voucherOf(payment), key))
  );
}

/** Returns whether what is asked for is a hold that pays for many requests. */
export function isStreamed(requirements: PaymentRequirements): boolean {
  return readRequestPrice(requirements) !== undefined;
}

function isVoucherSignedBy({ paymentId, amount, fee, signature }: Voucher, key: Uint8Array): boolean {
  const intentDigest = readHex(paymentId, 32, "paymentId");
  return verify(key, captureSignedBytes({ intentDigest, amount, fee, last: false }), signature);
}

function intent({ accepted, payload }: PaymentPayload): Intent {
  return intentOf(accepted, readExtra(accepted), readIntentPayload(payload));
}

function intentPayload(payment: PaymentPayload): Record<string, unknown> {
  const { nonce, receiverProof, ...same } = readIntentPayload(payment.payload);
  return {
    ...same,
    nonce: nonce.toString(),
    ...(receiverProof.length === 0 ? {} : { receiverProof }),
    signature: writeBase58(new Fields(payment.payload, "payload").signature("signature")),
    ...(isStreamed(payment.accepted) ? { voucher: voucherPayload(voucherOf(payment)) } : {}),
  };
}

function voucherPayload({ paymentId, amount, fee, signature }: Voucher): VoucherPayload {
  const texts = { amount: amount.toString(), fee: fee.toString(), signature: writeBase58(signature) };
  return { type: "voucher", paymentId, ...texts };
}
