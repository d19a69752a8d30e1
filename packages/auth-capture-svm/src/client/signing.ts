/** Signs payments again and again to the same bytes: the journal has them without their signatures. */

import type { PaymentPayload } from "@x402/core/types";

import { readHex, writeBase58, writeHex } from "../bytes.js";
import { sign } from "../ed25519.js";
import { Fields } from "../fields.js";
import { captureSignedBytes, intentDigest, intentSignedBytes } from "../messages.js";
import { intentOf, readExtra, readIntentPayload, readRequestPrice, type VoucherPayload } from "../wire.js";

/** A voucher that is not signed. */
export function unsignedVoucher(
  paymentId: string,
  amount: bigint,
): Pick<VoucherPayload, "type" | "paymentId" | "amount"> {
  return { type: "voucher", paymentId, amount: amount.toString() };
}

/** The header that pays: an intent, with the first voucher of a streamed hold, or a voucher. */
export function signedHeader(unsigned: PaymentPayload, secretKey: Uint8Array): string {
  const { payload } = unsigned;
  const signed = payload["type"] === "voucher" ? signVoucher(payload, secretKey) : signIntent(unsigned, secretKey);
  return Buffer.from(JSON.stringify({ ...unsigned, payload: signed })).toString("base64");
}

function signIntent({ accepted, payload }: PaymentPayload, secretKey: Uint8Array): Record<string, unknown> {
  const intent = intentOf(accepted, readExtra(accepted), readIntentPayload(payload));
  const signature = writeBase58(sign(secretKey, intentSignedBytes(intent)));
  const price = readRequestPrice(accepted);
  if (price === undefined) {
    return { ...payload, signature };
  }
  const voucher = unsignedVoucher(writeHex(intentDigest(intent)), price);
  return { ...payload, signature, voucher: signVoucher(voucher, secretKey) };
}

function signVoucher(voucher: Record<string, unknown>, secretKey: Uint8Array): Record<string, unknown> {
  const digest = readHex(voucher["paymentId"], 32, "voucher.paymentId");
  const amount = new Fields(voucher, "voucher").decimal("amount");
  const message = captureSignedBytes({ intentDigest: digest, amount, fee: 0n, last: false });
  return { ...voucher, fee: "0", signature: writeBase58(sign(secretKey, message)) };
}
