/** Buys 20 times at /tick, ten of them at once, and nine times at /odd, out of one hold. Prints what came back. */

import { wrapFetchWithPayment, x402Client } from "@x402/fetch";

import { AuthCaptureSvmScheme, readSession } from "../src/client.js";

const [base = ""] = process.argv.slice(2);
const session = await readSession(process.env["X402_SESSION"] ?? "");
const scheme = new AuthCaptureSvmScheme(session, { maximumAmount: 1_000n, maximumHold: 100_000n });
const client = new x402Client().register(scheme.network, scheme).setSpendControls(scheme.spendControls);
const fetchAndPay = scheme.wrap(wrapFetchWithPayment(fetch, client));

const ticks: number[] = [];
for (let count = 0; count < 10; count += 1) {
  ticks.push((await fetchAndPay(`${base}/tick`)).status);
}
const atOnce = await Promise.all(Array.from({ length: 10 }, () => fetchAndPay(`${base}/tick`)));
ticks.push(...atOnce.map(({ status }) => status));
const odd: number[] = [];
for (let count = 0; count < 9; count += 1) {
  odd.push((await fetchAndPay(`${base}/odd`)).status);
}
console.log(JSON.stringify({ ticks, odd, signedFor: scheme.signedFor.toString() }));
