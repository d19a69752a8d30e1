import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from "@x402/express";
import { AuthCaptureSvmScheme, readKeypair } from "@x402-escrow/svm/server";
import express from "express";

const [facilitator = "http://127.0.0.1:4020", keypair = "merchant.json", ...more] = process.argv.slice(2);
const [mint = "", port = "4021", program] = more; // the program: by default, that of local clusters
const scheme = await AuthCaptureSvmScheme.connect({
  ...{ facilitator, publicUrl: `http://127.0.0.1:${port}`, state: "merchant-state" },
  ...{ authorizer: await readKeypair(keypair), token: { mint, decimals: 6 }, program },
});
const server = new x402ResourceServer(scheme.facilitator).register(scheme.network, scheme);
const routes = { "GET /report": { accepts: scheme.price("0.25") }, "POST /words": { accepts: scheme.price("0.10") } };

const app = express().use(express.text({ type: () => true, verify: scheme.keepBody }));
app.use(scheme.wrap(paymentMiddleware(routes, server)));
app.get("/report", (_request, response) => void response.json({ report: "wheat is up" }));
app.post("/words", ({ body }, response) => {
  const words = String(body).split(/\s+/).length;
  setSettlementOverrides(response, { amount: String(words * 10_000) }); // a cent a word, and the rest goes back
  response.json({ words });
});
const listening = app.listen(Number(port), "127.0.0.1");
process.once("SIGTERM", () => listening.close(() => void scheme.closeStreams().finally(() => scheme.close())));
