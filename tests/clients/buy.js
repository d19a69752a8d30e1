// Buys with `@x402/fetch`: `node buy.js <keypair file> <node> <url>`, and prints the answer as JSON. Speaks both versions:
// the server's is taken. With `replay`, the same payment is sent once more and what came back the second time printed.

import { createKeyPairSignerFromBytes } from "@solana/kit";
import { x402Client } from "@x402/core/client";
import { wrapFetchWithPayment } from "@x402/fetch";
import { ExactSvmScheme } from "@x402/svm/exact/client";
import { ExactSvmSchemeV1 } from "@x402/svm/v1";
import { readFile } from "node:fs/promises";

const [keyFile, rpcUrl, url, replay] = process.argv.slice(2);
const signer = await createKeyPairSignerFromBytes(new Uint8Array(JSON.parse(await readFile(keyFile, "utf8"))));
const client = new x402Client()
  // By default they spend real USDC and the like; the local token is another.
  .setSpendControls({ allowedAssets: true })
  .register("solana:*", new ExactSvmScheme(signer, { rpcUrl }))
  .registerV1("solana-devnet", new ExactSvmSchemeV1(signer, { rpcUrl }));

let paid;
const remember = (input, init) => {
  const request = new Request(input, init);
  if (request.headers.has("PAYMENT-SIGNATURE") || request.headers.has("X-PAYMENT")) {
    paid = request.clone();
  }
  return fetch(request);
};
let response = await wrapFetchWithPayment(remember, client)(url);
if (replay === "replay") {
  response = await fetch(paid);
}
const decode = (header) => header && JSON.parse(Buffer.from(header, "base64").toString());
const settlement = decode(response.headers.get("PAYMENT-RESPONSE") ?? response.headers.get("X-PAYMENT-RESPONSE"));
const required = decode(response.headers.get("PAYMENT-REQUIRED"));
console.log(JSON.stringify({ status: response.status, body: await response.text(), settlement, required }));
