/** A server that is busy for a minute with everything it sells, to be killed meanwhile. */

import express from "express";

import { AuthCaptureSvmScheme, expressMiddleware, readKeypair } from "../src/server.js";

const [facilitator = "", keypair = "", mint = "", port] = process.argv.slice(2);
const scheme = await AuthCaptureSvmScheme.connect({
  ...{ facilitator, publicUrl: `http://127.0.0.1:${port}`, state: "merchant-state" },
  ...{ authorizer: await readKeypair(keypair), token: { mint, decimals: 6 } },
  program: process.env["X402_ESCROW_PROGRAM_ID"],
});
const shop = await scheme.shop({ "GET /slow": { accepts: scheme.price("$0.25", { held: true }) } });

const app = express().use(expressMiddleware(shop));
app.get("/slow", (_request, response) => void setTimeout(() => response.send("served"), 60_000));
app.listen(Number(port), "127.0.0.1");
