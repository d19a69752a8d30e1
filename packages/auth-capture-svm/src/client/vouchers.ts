/** A hold whose capture authorizer is the session key is a payment channel: what is owed, the agent signs. No I/O. */

import { readHex, writeBase58 } from "../bytes.js";
import { sign } from "../ed25519.js";
import { captureSignedBytes, type Intent } from "../messages.js";
import type { CapturePayload } from "../wire.js";
import type { Session } from "./session.js";

interface Channel {
  /** The hold, in base units. */
  readonly maximum: bigint;
  /** Unix seconds. */
  readonly captureDeadline: bigint;
  /** What the highest voucher owes. */
  owed: bigint;
}

/** A voucher that is not signed. */
export class VoucherError extends Error {
  override readonly name = "VoucherError";
}

/** Signs vouchers for the payments that this process signed as channels, and for nothing else. */
export class Vouchers {
  readonly #session: Session;
  readonly #channels = new Map<string, Channel>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** Notes a payment that is signed; of those that are no channel nothing is kept. */
  opened(paymentId: string, { amount, captureAuthorizer, captureDeadline }: Intent): void {
    if (captureAuthorizer === this.#session.sessionKey) {
      this.#channels.set(paymentId, { maximum: amount, captureDeadline, owed: 0n });
    }
  }

  /**
   * A voucher for all that is owed of a payment so far.
   *
   * @param owed in base units; the receiver can have captured no more than the highest that was signed
   * @throws {VoucherError} if the payment is no channel of this process, its time is over, or `owed` is not above what
   * the last voucher says or above the hold
   */
  sign(paymentId: string, owed: bigint): CapturePayload {
    const channel = this.#channels.get(paymentId);
    if (channel === undefined) {
      throw new VoucherError(`payment ${paymentId} is not one whose captures this session key signs`);
    }
    if (BigInt(Math.floor(Date.now() / 1000)) > channel.captureDeadline) {
      this.#channels.delete(paymentId);
      throw new VoucherError(`payment ${paymentId} can't be captured any more`);
    }
    if (owed <= channel.owed || owed > channel.maximum) {
      const bounds = `above ${channel.owed}, at most ${channel.maximum}`;
      throw new VoucherError(`payment ${paymentId}: a voucher of ${owed} base units, but must be ${bounds}`);
    }
    const message = { intentDigest: readHex(paymentId, 32, "paymentId"), amount: owed, fee: 0n, last: false };
    const signature = writeBase58(sign(this.#session.secretKey, captureSignedBytes(message)));
    channel.owed = owed;
    return { type: "capture", paymentId, amount: owed.toString(), fee: "0", last: false, signature };
  }
}
