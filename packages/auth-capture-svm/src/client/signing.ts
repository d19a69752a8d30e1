/** Signs payments again and again to the same bytes: the journal has them without their signatures. */

import type { PaymentPayload } from "@x402/core/types";

import { readHex, writeBase58 } from "../bytes.js";
import { sign } from "../ed25519.js";
import { Fields } from "../fields.js";
import { captureSignedBytes, intentSignedBytes } from "../messages.js";
import { intentOf, readExtra, readIntentPayload, type VoucherPayload } from "../wire.js";

/** A voucher that is not signed. */
export function unsignedVoucher(paymentId: string, amount: bigint): Omit<VoucherPayload, "signature"> {
  return { type: "voucher", paymentId, amount: amount.toString(), fee: "0" };
}

/** The header that pays: an intent, with the first voucher of a streamed hold, or a voucher. */
export function signedHeader(unsigned: PaymentPayload, secretKey: Uint8Array): string {
  const { payload } = unsigned;
  const signed = payload["type"] === "voucher" ? signVoucher(payload, secretKey) : signIntent(unsigned, secretKey);
  return Buffer.from(JSON.stringify({ ...unsigned, payload: signed })).toString("base64");
}

function signIntent({ accepted, payload }: PaymentPayload, secretKey: Uint8Array): Record<string, unknown> {
  const message = intentSignedBytes(intentOf(accepted, readExtra(accepted), readIntentPayload(payload)));
  const { voucher } = payload;
  return {
    ...payload,
    signature: writeBase58(sign(secretKey, message)),
    ...(voucher === undefined ? {} : { voucher: signVoucher(voucher as Record<string, unknown>, secretKey) }),
  };
}

function signVoucher(voucher: Record<string, unknown>, secretKey: Uint8Array): Record<string, unknown> {
  const fields = new Fields(voucher, "voucher");
  const intentDigest = readHex(voucher["paymentId"], 32, "voucher.paymentId");
  const capture = { intentDigest, amount: fields.decimal("amount"), fee: fields.decimal("fee"), last: false };
  return { ...voucher, signature: writeBase58(sign(secretKey, captureSignedBytes(capture))) };
}
