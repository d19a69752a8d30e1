/** A payment channel against a real verifier: one hold, a thousand vouchers, one capture, and the rest goes back. */

import { encodePaymentRequiredHeader, decodePaymentSignatureHeader } from "@x402/core/http";
import { HTTPFacilitatorClient } from "@x402/core/server";
import type { PaymentPayload } from "@x402/core/types";
import { wrapFetchWithPayment, x402Client } from "@x402/fetch";

import { readHex, writeBase58, writeHex } from "../src/bytes.js";
import { AuthCaptureSvmScheme, readSession } from "../src/client.js";
import { publicKey, sign } from "../src/ed25519.js";
import { releaseSignedBytes, resourceHash } from "../src/messages.js";
import { type CapturePayload, checkVoucher, readKeypair } from "../src/server.js";
import { paymentIdOf } from "../src/server/terms.js";

const [verifier = "", keypair = "", mint = ""] = process.argv.slice(2);
const session = await readSession(process.env["X402_SESSION"] ?? "");
const facilitator = new HTTPFacilitatorClient({ url: verifier });
const receiverSeed = (await readKeypair(keypair)).subarray(0, 32);
const receiver = writeBase58(publicKey(receiverSeed));

const url = "https://channel.test/tokens";
const HOLD = 100_000n;
const PRICE = 30n;
const { kinds } = await facilitator.getSupported();
const offer = {
  scheme: "auth-capture",
  network: session.network,
  asset: mint,
  amount: HOLD.toString(),
  payTo: receiver,
  maxTimeoutSeconds: 60,
  extra: {
    ...kinds.find(({ scheme }) => scheme === "auth-capture")?.extra,
    captureAuthorizer: session.sessionKey,
    receiverAuthorizer: receiver,
    captureDeadline: Math.floor(Date.now() / 1000) + 600,
    resourceHash: writeHex(resourceHash("GET", url, new Uint8Array())),
  },
};

/** Asks for the payment, and takes it. */
const payments: PaymentPayload[] = [];
const server: typeof fetch = (input, init) => {
  const payment = new Request(input, init).headers.get("payment-signature");
  if (payment === null) {
    const challenge = encodePaymentRequiredHeader({ x402Version: 2, resource: { url }, accepts: [offer] });
    return Promise.resolve(new Response(null, { status: 402, headers: { "payment-required": challenge } }));
  }
  payments.push(decodePaymentSignatureHeader(payment));
  return Promise.resolve(new Response("open"));
};

async function settle(payload: Record<string, unknown>): Promise<void> {
  const answer = await facilitator.settle({ x402Version: 2, accepted: offer, payload }, offer);
  if (!answer.success) {
    throw new Error(`${answer.errorReason}: ${answer.errorMessage}`);
  }
}

const scheme = new AuthCaptureSvmScheme(session, { maximumAmount: HOLD });
const client = new x402Client().register(scheme.network, scheme).setSpendControls(scheme.spendControls);
await scheme.wrap(wrapFetchWithPayment(server, client))(url);
const [payment] = payments;
if (payment === undefined) {
  throw new Error("no payment came");
}
await settle(payment.payload);

const paymentId = paymentIdOf(payment);
let last: CapturePayload | undefined;
for (let request = 1n; request <= 1000n; request += 1n) {
  const owed = request * PRICE;
  const voucher = scheme.vouchers.sign(paymentId, owed);
  last = checkVoucher(voucher, { paymentId, sessionKey: session.sessionKey, hold: HOLD, owed });
}
await settle({ ...last });

const amount = 1000n * PRICE;
const released = sign(receiverSeed, releaseSignedBytes({ intentDigest: readHex(paymentId, 32, "id"), amount }));
await settle({ type: "void", paymentId, amount: amount.toString(), signature: writeBase58(released) });
