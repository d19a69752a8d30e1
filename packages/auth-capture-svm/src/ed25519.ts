/** Ed25519 (RFC 8032), verified as strictly as the escrow program does: `docs/messages.md`, Verifying. */

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha512 } from "@noble/hashes/sha2.js";

const { Point } = ed25519;

/** Signs with a secret key, which is RFC 8032's 32-byte seed. */
export function sign(secretKey: Uint8Array, signedBytes: Uint8Array): Uint8Array {
  return ed25519.sign(signedBytes, secretKey);
}

/** The public key of a 32-byte seed. */
export function publicKey(secretKey: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(secretKey);
}

/**
 * Whether `signature` is one of `signedBytes` by `key`. The library's own check multiplies by the cofactor, and so
 * accepts signatures that the program refuses.
 */
export function verify(key: Uint8Array, signedBytes: Uint8Array, signature: Uint8Array): boolean {
  if (key.length !== 32 || signature.length !== 64) {
    return false;
  }
  const encodedR = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const challenge = littleEndian(sha512.create().update(encodedR).update(key).update(signedBytes).digest());
  if (s >= Point.Fn.ORDER) {
    return false;
  }
  try {
    // Without its second argument, fromBytes refuses what is not canonical.
    const a = Point.fromBytes(key);
    const r = Point.fromBytes(encodedR);
    if (a.isSmallOrder() || r.isSmallOrder()) {
      return false;
    }
    const expected = r.add(a.multiplyUnsafe(challenge % Point.Fn.ORDER));
    return Point.BASE.multiplyUnsafe(s).equals(expected);
  } catch {
    return false; // not a point of the curve
  }
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
}
