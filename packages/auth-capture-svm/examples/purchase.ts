import { Agent } from "@x402-escrow/svm/client";

// `buy KEY URL` buys once under the key, however often it runs; `lookup KEY` says what became of it.
const [command, key = "", url = "http://127.0.0.1:4021/report?topic=wheat"] = process.argv.slice(2);
const agent = await Agent.open(process.env["X402_SESSION"] ?? "session.json", { maximumAmount: "0.25" });
if (command === "buy") {
  const outcome = await agent.buy(url, {}, { key });
  const body = await outcome.response?.text();
  console.log(JSON.stringify({ outcome: outcome.kind, status: outcome.response?.status, body }));
  process.exitCode = outcome.kind === "served" ? 0 : 4;
} else {
  console.log(JSON.stringify(await agent.lookup(key), (_name, value) => (typeof value === "bigint" ? String(value) : value)));
}
