import { Agent } from "@x402-escrow/svm/client";

const agent = await Agent.open(process.env["X402_SESSION"] ?? "session.json", { maximumAmount: "0.25" });

const [url = "http://127.0.0.1:4021/report?topic=wheat", body] = process.argv.slice(2);
const response = await agent.fetch(url, body === undefined ? {} : { method: "POST", body });
const receipt = response.headers.get("payment-response");
const settlement = receipt === null ? null : JSON.parse(atob(receipt));
console.log(JSON.stringify({ status: response.status, body: await response.text(), settlement }));
