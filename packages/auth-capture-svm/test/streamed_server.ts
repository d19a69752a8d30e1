/** A server whose routes are paid for out of one hold, a tenth of a cent each; every third request for /odd fails. */

import express from "express";

import { AuthCaptureSvmScheme, expressMiddleware, readKeypair } from "../src/server.js";

const [facilitator = "", keypair = "", mint = "", port] = process.argv.slice(2);
const scheme = await AuthCaptureSvmScheme.connect({
  ...{ facilitator, publicUrl: `http://127.0.0.1:${port}`, state: "merchant-state" },
  ...{ authorizer: await readKeypair(keypair), token: { mint, decimals: 6 } },
  program: process.env["X402_ESCROW_PROGRAM_ID"],
  streamIdleSeconds: 15,
});
const accepts = scheme.price("$0.001", { hold: "$0.1" });

let asked = 0;
const app = express().use(
  expressMiddleware(await scheme.shop({ "GET /tick": { accepts }, "GET /odd": { accepts } })),
);
app.get("/tick", (_request, response) => void response.send("tick"));
app.get("/odd", (_request, response) => {
  asked += 1;
  response.status(asked % 3 === 0 ? 500 : 200).send("odd");
});
app.listen(Number(port), "127.0.0.1");
