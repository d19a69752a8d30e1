// What both servers of version 2 sell: `node <server>.js <verifier> <payTo> <mint> <port>`.

import { HTTPFacilitatorClient, x402ResourceServer } from "@x402/core/server";
import { ExactSvmScheme } from "@x402/svm/exact/server";

const [verifier, payTo, asset, port] = process.argv.slice(2);

// The only id of a test network that the packages know; the local verifier is told to use it.
const NETWORK = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";

export const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: verifier })).register(
  NETWORK,
  new ExactSvmScheme(),
);

const accepts = { scheme: "exact", network: NETWORK, payTo, price: { asset, amount: "250000" } };

export const routes = {
  "GET /report": { accepts, description: "A report", mimeType: "application/json" },
  "GET /invoice": { accepts: { ...accepts, extra: { memo: "invoice-1" } }, description: "The same, with a memo" },
  "GET /upfront": { accepts: { ...accepts, extra: { paymentFlow: "upfront" } }, description: "The same, paid up front" },
};

export const report = { report: "wheat is up" };

export const listenOn = Number(port);
