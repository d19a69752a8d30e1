/** A server that takes ids of purchases and loses its first answer to each payment: clients have to ask again. */

import express from "express";

import { AuthCaptureSvmScheme, expressMiddleware, readKeypair } from "../src/server.js";

const [facilitator = "", keypair = "", mint = "", port] = process.argv.slice(2);
const scheme = await AuthCaptureSvmScheme.connect({
  ...{ facilitator, publicUrl: `http://127.0.0.1:${port}`, state: "merchant-state" },
  ...{ authorizer: await readKeypair(keypair), token: { mint, decimals: 6 } },
  program: process.env["X402_ESCROW_PROGRAM_ID"],
});
const routes = { "GET /named": { accepts: scheme.price("$0.25", { held: true, identified: "required" }) } };

const lost = new Set<string>();
let served = 0;
const app = express();
app.use((request, response, next) => {
  const payment = request.header("payment-signature");
  if (payment !== undefined && !lost.has(payment)) {
    lost.add(payment);
    const end = response.end.bind(response) as (...args: unknown[]) => typeof response;
    response.end = (...args: unknown[]) => {
      request.socket.destroy();
      return end(...args);
    };
  }
  next();
});
app.use(expressMiddleware(await scheme.shop(routes)));
app.get("/named", (_request, response) => {
  served += 1;
  response.json({ served });
});
app.listen(Number(port), "127.0.0.1");
