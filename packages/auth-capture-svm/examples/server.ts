import { HTTPFacilitatorClient } from "@x402/core/server";
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from "@x402/express";
import { AuthCaptureSvmScheme, readKeypair } from "@x402-escrow/svm/server";
import express from "express";

const [verifier = "http://127.0.0.1:4020", keypair = "merchant.json", ...more] = process.argv.slice(2);
const [mint = "", port = "4021", program] = more; // the program: by default, that of local clusters
const facilitator = new HTTPFacilitatorClient({ url: verifier });
const merchant = { facilitator, authorizer: await readKeypair(keypair), token: { mint, decimals: 6 }, program };
const scheme = await AuthCaptureSvmScheme.connect({ ...merchant, unsettled: "unsettled.json" });
const server = new x402ResourceServer(facilitator).register(scheme.network, scheme);
const routes = { "GET /report": { accepts: scheme.price("$0.25") }, "POST /words": { accepts: scheme.price("$0.10") } };

const app = express().use(express.raw({ type: () => true, inflate: false }), paymentMiddleware(routes, server));
app.get("/report", (_request, response) => void response.json({ report: "wheat is up" }));
app.post("/words", ({ body }, response) => {
  const words = String(body).split(/\s+/).length;
  setSettlementOverrides(response, { amount: String(words * 10_000) }); // a cent a word, and the rest goes back
  response.json({ words });
});
app.listen(Number(port), "127.0.0.1");
