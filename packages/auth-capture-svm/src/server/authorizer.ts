/** What a merchant signs to end a payment. */

import { type Address, readHex, writeBase58 } from "../bytes.js";
import { publicKey, sign } from "../ed25519.js";
import { captureSignedBytes, releaseSignedBytes } from "../messages.js";
import type { CapturePayload, ChargeCapture, ClosePayload, VoidPayload } from "../wire.js";

/** The key that is both capture and receiver authorizer of a merchant's payments. */
export class Authorizer {
  readonly #secretKey: Uint8Array;
  readonly address: Address;

  /**
   * @param secretKey RFC 8032's 32-byte seed, or Solana's 64 bytes of which it is the first half
   */
  constructor(secretKey: Uint8Array) {
    if (secretKey.length !== 32 && secretKey.length !== 64) {
      throw new TypeError(`authorizer: expected 32 or 64 bytes, not ${secretKey.length}`);
    }
    this.#secretKey = secretKey.slice(0, 32);
    const key = publicKey(this.#secretKey);
    if (secretKey.length === 64 && !key.every((byte, index) => byte === secretKey[32 + index])) {
      throw new TypeError("authorizer: the last 32 bytes are not the public key of the first 32");
    }
    this.address = writeBase58(key);
  }

  /** Its signature, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array {
    return sign(this.#secretKey, bytes);
  }

  /** A capture of `amount` that releases the rest, or a release of all if that is 0. */
  end(paymentId: string, amount: bigint): CapturePayload | VoidPayload {
    if (amount === 0n) {
      const release = { intentDigest: readHex(paymentId, 32, "paymentId"), amount };
      const signature = writeBase58(this.sign(releaseSignedBytes(release)));
      return { type: "void", paymentId, amount: "0", signature };
    }
    return { type: "capture", paymentId, ...this.#capture(paymentId, amount) };
  }

  /** A client's payload, completed by the consent to charge `amount` of it. */
  charge(payload: Record<string, unknown>, paymentId: string, amount: bigint): Record<string, unknown> {
    return { ...payload, capture: this.#capture(paymentId, amount) };
  }

  /**
   * The capture of `amount` by a streamed hold's last voucher, which is of that or more, and the
   * release of the rest.
   */
  close(paymentId: string, amount: bigint): ClosePayload {
    const release = { intentDigest: readHex(paymentId, 32, "paymentId"), amount };
    const signature = writeBase58(this.sign(releaseSignedBytes(release)));
    return { type: "close", paymentId, amount: amount.toString(), signature };
  }

  #capture(paymentId: string, amount: bigint): ChargeCapture {
    const capture = { intentDigest: readHex(paymentId, 32, "paymentId"), amount, fee: 0n, last: true };
    const signature = writeBase58(this.sign(captureSignedBytes(capture)));
    return { amount: amount.toString(), fee: "0", last: true, signature };
  }
}
