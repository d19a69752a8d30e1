import { decodePaymentResponseHeader, wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { AuthCaptureSvmScheme, readSession } from "@x402-escrow/svm/client";

const session = await readSession(process.env["X402_SESSION"] ?? "session.json");
const scheme = new AuthCaptureSvmScheme(session, { maximumAmount: 250_000n });
const client = new x402Client().register(scheme.network, scheme).setSpendControls(scheme.spendControls);
const fetchAndPay = scheme.wrap(wrapFetchWithPayment(fetch, client));

const [url = "http://127.0.0.1:4021/report", body] = process.argv.slice(2);
const response = await fetchAndPay(url, body === undefined ? {} : { method: "POST", body });
const receipt = response.headers.get("payment-response");
const settlement = receipt === null ? null : decodePaymentResponseHeader(receipt);
console.log(JSON.stringify({ status: response.status, body: await response.text(), settlement }));
