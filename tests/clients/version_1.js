// A server of version 1, written by its specification: `node version_1.js <verifier> <payTo> <mint> <port>`. The packages
// of version 2 only buy in version 1.

import express from "express";

const [verifier, payTo, asset, port] = process.argv.slice(2);

async function ask(path, body) {
  const headers = body && { "content-type": "application/json" };
  const response = await fetch(`${verifier}${path}`, { method: body ? "POST" : "GET", headers, body });
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
  return response.json();
}

const { kinds } = await ask("/supported");
const kind = kinds.find((kind) => kind.x402Version === 1 && kind.scheme === "exact");

function requirements(request) {
  return {
    scheme: "exact",
    network: kind.network,
    maxAmountRequired: "250000",
    resource: `http://${request.headers.host}${request.path}`,
    description: "A report",
    mimeType: "application/json",
    payTo,
    maxTimeoutSeconds: 60,
    asset,
    outputSchema: null,
    extra: { feePayer: kind.extra.feePayer },
  };
}

const app = express();
app.get("/", (_request, response) => response.send("ready"));
app.get("/report", async (request, response) => {
  const paymentRequirements = requirements(request);
  const refuse = (error) => response.status(402).json({ x402Version: 1, error, accepts: [paymentRequirements] });
  const header = request.get("X-PAYMENT");
  if (!header) {
    return refuse("X-PAYMENT header is required");
  }
  const paymentPayload = JSON.parse(Buffer.from(header, "base64").toString());
  const body = JSON.stringify({ x402Version: 1, paymentPayload, paymentRequirements });
  const verdict = await ask("/verify", body);
  if (!verdict.isValid) {
    return refuse(verdict.invalidReason);
  }
  const settlement = await ask("/settle", body);
  if (!settlement.success) {
    return refuse(settlement.errorReason);
  }
  response.set("X-PAYMENT-RESPONSE", Buffer.from(JSON.stringify(settlement)).toString("base64"));
  return response.json({ report: "wheat is up" });
});
app.listen(Number(port), "127.0.0.1");
