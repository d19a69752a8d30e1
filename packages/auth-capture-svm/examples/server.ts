import { AuthCaptureSvmScheme, charging, expressMiddleware, readKeypair } from "@x402-escrow/svm/server";
import express from "express";

const [facilitator = "http://127.0.0.1:4020", keypair = "merchant.json", ...more] = process.argv.slice(2);
const [mint = "", port = "4021", program] = more; // the program: by default, that of local clusters
const publicUrl = `http://127.0.0.1:${port}`;
const scheme = await AuthCaptureSvmScheme.connect({
  ...{ facilitator, publicUrl, state: "merchant-state" },
  ...{ authorizer: await readKeypair(keypair), token: { mint, decimals: 6 }, program },
});
const shop = await scheme.shop({
  "GET /report": { accepts: scheme.price("0.25"), description: "A market report" },
  "POST /words": { accepts: scheme.price("0.10"), description: "Counts words, a cent each" },
});

const app = express().use(express.text({ type: () => true, verify: scheme.keepBody }));
app.use(expressMiddleware(shop));
app.get("/report", (_request, response) => void response.json({ report: "wheat is up" }));
app.post("/words", ({ body }, response) => {
  const words = String(body).split(/\s+/).length;
  response.set(charging(String(words * 10_000))).json({ words }); // a cent a word
});
const listening = app.listen(Number(port), "127.0.0.1", () => console.log(`selling at ${publicUrl}`));
process.once("SIGTERM", () => listening.close(() => void scheme.closeStreams().finally(() => scheme.close())));
