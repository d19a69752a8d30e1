/** A server that sells many requests out of one hold, and can be told what to answer. */

import assert from "node:assert/strict";

import { decodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentRequirements } from "@x402/core/types";

import { readBase58, readHex, writeHex } from "../src/bytes.js";
import { verify } from "../src/ed25519.js";
import { captureSignedBytes, streamResourceHash } from "../src/messages.js";
import { paymentIdOf, voucherOf } from "../src/server/payment.js";
import { offer, session } from "./fixture.js";
import { type Answer, answerWith, askFor, now, serve } from "./peers.js";

/** A hold of 1,000 under `origin`, for requests at `price` each. */
export function streamedOffer(origin: string, captureDeadline = now() + 600, price = 100): PaymentRequirements {
  const resourceHash = writeHex(streamResourceHash(origin));
  const extra = { captureAuthorizer: "sessionKey", requestPrice: String(price), captureDeadline, resourceHash };
  return { ...offer(), extra: { ...offer().extra, ...extra } };
}

/** What paid for a request. */
export interface Bought {
  opens: boolean;
  paymentId: string;
  amount: bigint;
}

/**
 * A server that takes vouchers, and answers what `answer` says to each: a status, the reason for a 402, or nothing for
 * 0. Under `/dear` a request costs 150.
 */
export async function streamingShop(
  bought: Bought[],
  answer: (count: number) => Answer = () => 200,
): Promise<string> {
  const base = await serve((request, response) => {
    const header = request.headers["payment-signature"] as string | undefined;
    if (header === undefined) {
      const accepted = streamedOffer(base, undefined, request.url === "/dear" ? 150 : 100);
      return askFor(response, `${base}${request.url}`, accepted);
    }
    const payment = decodePaymentSignatureHeader(header);
    const opens = payment.payload["type"] === undefined;
    const voucher = voucherOf(payment);
    if (opens) {
      assert.equal(paymentIdOf(payment), voucher.paymentId);
    }
    const { signature } = (opens ? payment.payload["voucher"] : payment.payload) as { signature: string };
    const intentDigest = readHex(voucher.paymentId, 32, "id");
    const message = captureSignedBytes({ intentDigest, amount: voucher.amount, fee: 0n, last: false });
    assert.ok(verify(readBase58(session().sessionKey, 32, "key"), message, readBase58(signature, 64, "signature")));
    bought.push({ opens, ...voucher });
    answerWith(response, answer(bought.length));
  });
  return base;
}

export const amounts = (bought: Bought[]): number[] => bought.map(({ amount }) => Number(amount));
export const opened = (bought: Bought[]): boolean[] => bought.map(({ opens }) => opens);
