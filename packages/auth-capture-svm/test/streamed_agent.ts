/** Buys 20 times at /tick, ten of them at once, and nine times at /odd, out of one hold. Prints what came back. */

import { Agent } from "../src/client.js";

const [base = ""] = process.argv.slice(2);
const limits = { maximumAmount: "0.001", maximumHold: "0.1" };
const agent = await Agent.open(process.env["X402_SESSION"] ?? "", limits);

const ticks: number[] = [];
for (let count = 0; count < 10; count += 1) {
  ticks.push((await agent.fetch(`${base}/tick`)).status);
}
const atOnce = await Promise.all(Array.from({ length: 10 }, () => agent.fetch(`${base}/tick`)));
ticks.push(...atOnce.map(({ status }) => status));
const odd: number[] = [];
for (let count = 0; count < 9; count += 1) {
  odd.push((await agent.fetch(`${base}/odd`)).status);
}
console.log(JSON.stringify({ ticks, odd, signedFor: agent.signedFor.toString() }));
