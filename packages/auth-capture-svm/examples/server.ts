import { readFileSync } from "node:fs";

import { HTTPFacilitatorClient } from "@x402/core/server";
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from "@x402/express";
import { AuthCaptureSvmScheme } from "@x402-escrow/svm/server";
import express from "express";

const [verifier, keypair, mint, port] = process.argv.slice(2) as [string, string, string, string];
const facilitator = new HTTPFacilitatorClient({ url: verifier });
const authorizer = Uint8Array.from(JSON.parse(readFileSync(keypair, "utf8")) as number[]);
const token = { mint, decimals: 6 };
const scheme = await AuthCaptureSvmScheme.connect({ facilitator, authorizer, token, unsettled: "express.unsettled.json" });
const routes = {
  "GET /report": { accepts: scheme.price("$0.25") },
  "POST /words": { accepts: scheme.price("$0.10") },
};

const app = express();
app.use(express.raw({ type: () => true, inflate: false }));
app.use(paymentMiddleware(routes, new x402ResourceServer(facilitator).register(scheme.network, scheme)));
app.get("/report", (_request, response) => void response.json({ report: "wheat is up" }));
app.post("/words", (request, response) => {
  const words = String(request.body).split(/\s+/).length;
  setSettlementOverrides(response, { amount: String(words * 10_000) }); // a cent for each, the rest goes back
  response.json({ words });
});
app.listen(Number(port), "127.0.0.1");
