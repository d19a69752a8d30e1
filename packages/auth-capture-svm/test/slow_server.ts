/** A server that is busy for a minute with everything it sells, to be killed meanwhile. */

import { HTTPFacilitatorClient } from "@x402/core/server";
import { paymentMiddleware, x402ResourceServer } from "@x402/express";
import express from "express";

import { AuthCaptureSvmScheme, readKeypair } from "../src/server.js";

const [verifier = "", keypair = "", mint = "", port] = process.argv.slice(2);
const facilitator = new HTTPFacilitatorClient({ url: verifier });
const program = process.env["X402_ESCROW_PROGRAM_ID"];
const merchant = { facilitator, program, authorizer: await readKeypair(keypair), token: { mint, decimals: 6 } };
const scheme = await AuthCaptureSvmScheme.connect({ ...merchant, unsettled: "unsettled.json" });
const server = new x402ResourceServer(facilitator).register(scheme.network, scheme);

const app = express().use(paymentMiddleware({ "GET /slow": { accepts: scheme.price("$0.25") } }, server));
app.get("/slow", (_request, response) => void setTimeout(() => response.send("served"), 60_000));
app.listen(Number(port), "127.0.0.1");
