/** Whether a voucher pays for what is asked. No I/O. */

import { type Address, readBase58 } from "../bytes.js";
import { verify } from "../ed25519.js";
import { captureSignedBytes } from "../messages.js";
import { FieldError, Fields } from "../fields.js";
import type { CapturePayload } from "../wire.js";

/** What a voucher is held against. */
export interface ExpectedVoucher {
  /** The payment whose hold it draws on: 64 hex digits. */
  readonly paymentId: string;
  /** The payment's session key, which must be its capture authorizer. */
  readonly sessionKey: Address;
  /** The hold, in base units. */
  readonly hold: bigint;
  /** What the last voucher says and the price of this request, together, in base units. */
  readonly owed: bigint;
}

/**
 * Reads a voucher that pays what is owed. Whoever serves for it must have it on disk first, and settle the last one
 * before the capture deadline.
 *
 * @throws {FieldError} naming the first field that is not as it must be
 */
export function checkVoucher(voucher: unknown, expected: ExpectedVoucher): CapturePayload {
  const fields = new Fields(voucher, "voucher");
  const read = {
    intentDigest: fields.hex32("paymentId"),
    amount: fields.decimal("amount"),
    fee: fields.has("fee") ? fields.decimal("fee") : 0n,
    last: fields.boolean("last"),
  };
  const signature = fields.text("signature");
  const paymentId = fields.text("paymentId").toLowerCase();
  ensure(fields.text("type") === "capture", "type", "must be capture");
  ensure(paymentId === expected.paymentId, "paymentId", "is another payment");
  ensure(read.fee === 0n, "fee", "must be 0");
  ensure(!read.last, "last", "must be false: the rest is the receiver authorizer's to release");
  ensure(read.amount >= expected.owed, "amount", `must be at least ${expected.owed}`);
  ensure(read.amount <= expected.hold, "amount", `is above the hold of ${expected.hold}`);
  const key = readBase58(expected.sessionKey, 32, "sessionKey");
  const isSigned = verify(key, captureSignedBytes(read), fields.signature("signature"));
  ensure(isSigned, "signature", "is not by the session key over this voucher");
  return { type: "capture", paymentId, amount: read.amount.toString(), fee: "0", last: false, signature };
}

function ensure(holds: boolean, field: string, problem: string): void {
  if (!holds) {
    throw new FieldError(`voucher.${field}`, problem);
  }
}
