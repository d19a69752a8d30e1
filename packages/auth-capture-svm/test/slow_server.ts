/** A server that is busy for a minute with everything it sells, to be killed meanwhile. */

import { paymentMiddleware, x402ResourceServer } from "@x402/express";
import express from "express";

import { AuthCaptureSvmScheme, readKeypair } from "../src/server.js";

const [facilitator = "", keypair = "", mint = "", port] = process.argv.slice(2);
const scheme = await AuthCaptureSvmScheme.connect({
  ...{ facilitator, publicUrl: `http://127.0.0.1:${port}`, state: "merchant-state" },
  ...{ authorizer: await readKeypair(keypair), token: { mint, decimals: 6 } },
  program: process.env["X402_ESCROW_PROGRAM_ID"],
});
const server = new x402ResourceServer(scheme.facilitator).register(scheme.network, scheme);

const app = express().use(scheme.wrap(paymentMiddleware({ "GET /slow": { accepts: scheme.price("$0.25") } }, server)));
app.get("/slow", (_request, response) => void setTimeout(() => response.send("served"), 60_000));
app.listen(Number(port), "127.0.0.1");
