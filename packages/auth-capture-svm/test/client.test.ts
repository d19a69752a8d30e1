import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";

import { wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { decodePaymentSignatureHeader, encodePaymentRequiredHeader } from "@x402/core/http";
import type { PaymentRequirements } from "@x402/core/types";

import { intentOf, readExtra, readIntentPayload } from "../src/wire.js";
import { readBase58, writeHex } from "../src/bytes.js";
import { AuthCaptureSvmScheme, type Limits } from "../src/client.js";
import { verify } from "../src/ed25519.js";
import { intentDigest, intentSignedBytes, resourceHash } from "../src/messages.js";
import { draft, offer, session } from "./fixture.js";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const servers: { close(): void; closeAllConnections(): void }[] = [];
after(() => servers.forEach((server) => (server.closeAllConnections(), server.close())));

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => handler(request, response, Buffer.concat(chunks).toString()));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** An offer for `url`, as a server makes one at this time. */
function offerFor(method: string, url: string, body: string): PaymentRequirements {
  const hash = writeHex(resourceHash(method, url, new TextEncoder().encode(body)));
  return { ...offer(), extra: { ...offer().extra, captureDeadline: now() + 600, resourceHash: hash } };
}

interface Received {
  method: string;
  url: string;
  body: string;
  payment?: string | undefined;
}

/** A server that asks for payment until there is one, whatever it is. */
async function shop(received: Received[], alter: (offered: PaymentRequirements) => void = () => {}): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    const { method = "", url = "" } = request;
    received.push({ method, url, body, payment });
    if (payment !== undefined) {
      return void (url === "/hangs-up" ? request.socket.destroy() : response.end("served"));
    }
    const offered = offerFor(method, `${base}${url}`, body);
    alter(offered);
    const challenge = { x402Version: 2, resource: { url: `${base}${url}` }, accepts: [offered] };
    response.writeHead(402, { "payment-required": encodePaymentRequiredHeader(challenge) }).end();
  });
  return base;
}

/** A verifier that drafts `change` on top of an honest draft. */
function verifier(change: Record<string, unknown> = {}, drafts: unknown[] = []): Promise<string> {
  return serve((_request, response, body) => {
    drafts.push(JSON.parse(body));
    const payload = { ...draft(), nonce: String(drafts.length), authorizeBy: now() + 60, ...change };
    response.end(JSON.stringify({ unsigned: { x402Version: 2, payload } }));
  });
}

function payWith(verifierUrl: string, limits: Partial<Limits> = {}, sessionChanges = {}): typeof fetch {
  const scheme = new AuthCaptureSvmScheme(session({ verifier: verifierUrl, ...sessionChanges }), {
    maximumAmount: 1000n,
    ...limits,
  });
  const client = new x402Client().register(scheme.network, scheme).setSpendControls(scheme.spendControls);
  return scheme.wrap(wrapFetchWithPayment(fetch, client));
}

test("pays with a signature over exactly the request, and sends the request again unchanged", async () => {
  const received: Received[] = [];
  const drafts: unknown[] = [];
  const url = `${await shop(received)}/translate?to=de`;
  const pay = payWith(await verifier({ surprise: true }, drafts));
  const response = await pay(`${url}#part`, { method: "POST", body: "hello" });
  assert.equal(await response.text(), "served");

  assert.deepEqual(
    received.map(({ payment: _, ...rest }) => rest),
    Array(2).fill({ method: "POST", url: "/translate?to=de", body: "hello" }),
  );
  const payment = decodePaymentSignatureHeader(received[1]?.payment ?? "");
  assert.deepEqual(Object.keys(payment.payload), [
    "escrow",
    "sessionKey",
    "incarnation",
    "nonce",
    "authorizeBy",
    "signature",
  ]);
  const intent = intentOf(payment.accepted, readExtra(payment.accepted), readIntentPayload(payment.payload));
  assert.deepEqual(intent.resourceHash, resourceHash("POST", url, new TextEncoder().encode("hello")));
  const signature = readBase58(payment.payload["signature"], 64, "signature");
  assert.ok(verify(readBase58(session().sessionKey, 32, "key"), intentSignedBytes(intent), signature));
  assert.deepEqual(
    drafts.map((body) => (body as { maximumAmount: string }).maximumAmount),
    ["1000"],
  );
});

test("requests under way at once are not mixed up", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const pay = payWith(await verifier());
  const paths = Array.from({ length: 8 }, (_, index) => `/item/${index}`);
  const responses = await Promise.all(paths.map((path) => pay(`${base}${path}`)));
  assert.ok(responses.every(({ status }) => status === 200));
  for (const { url, payment } of received.filter(({ payment }) => payment !== undefined)) {
    const { accepted } = decodePaymentSignatureHeader(payment ?? "");
    assert.equal(accepted.extra["resourceHash"], writeHex(resourceHash("GET", `${base}${url}`, new Uint8Array())));
  }
});

/** Tries to buy at `url`, and expects an error whose text, with its name, is like `message`, and no payment. */
async function refused(url: string, pay: typeof fetch, received: Received[], message: RegExp): Promise<void> {
  await assert.rejects(pay(url), (error) => message.test(String(error)) || assert.fail(String(error)));
  assert.ok(
    received.every(({ payment }) => payment === undefined),
    "nothing was signed",
  );
}

test("a challenge for another request is refused before the verifier is asked", async () => {
  const received: Received[] = [];
  const drafts: unknown[] = [];
  const base = await shop(received, (offered) => {
    offered.extra["resourceHash"] = writeHex(resourceHash("GET", "https://elsewhere.example/", new Uint8Array()));
  });
  await refused(
    base,
    payWith(await verifier({}, drafts)),
    received,
    /^RefusedError: .*resourceHash: is not the hash of this request/,
  );
  assert.deepEqual(drafts, []);
});

test("a verifier that drafts something else is refused", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  await refused(
    base,
    payWith(await verifier({ nonce: "0" })),
    received,
    /^RefusedError: .*payload\.nonce: must be above 0/,
  );
  await refused(base, payWith(await verifier({ authorizeBy: 1 })), received, /payload\.authorizeBy: has passed/);
});

test("a verifier that drafts nothing is quoted", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const refusing = await serve((_request, response) => {
    const answer = {
      error: { message: "no way to pay" },
      passedOver: [{ index: 0, scheme: "auth-capture", reason: "no funds" }],
    };
    response.writeHead(422).end(JSON.stringify(answer));
  });
  await refused(base, payWith(refusing), received, /^NoDraftError: .* drafted no payment: no way to pay; no funds/);
  await refused(
    base,
    payWith("http://127.0.0.1:1"),
    received,
    /the verifier http:\/\/127\.0\.0\.1:1 drafted no payment/,
  );
  const honest = await verifier();
  const redirecting = await serve((_request, response) => {
    response.writeHead(307, { location: `${honest}/intents` }).end();
  });
  await refused(base, payWith(redirecting), received, /drafted no payment/);
});

test("a price above the maximum is refused", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  await refused(base, payWith(await verifier(), { maximumAmount: 999n }), received, /spendControls/);
});

test("an expired session signs nothing", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  await refused(
    base,
    payWith(await verifier(), {}, { expiresAt: 1_000_000_000 }),
    received,
    /the session expired at 2001-09-09/,
  );
});

test("an intent that can't be encoded is neither signed nor counted", async () => {
  const received: Received[] = [];
  const base = await shop(received, (offered) => void (offered.extra["maxFeeBps"] = 70_000));
  await refused(base, payWith(await verifier(), { spendingLimit: 1000n }), received, /maximumFeeBps: 70000/);
});

test("the spending limit holds over several requests", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const pay = payWith(await verifier(), { spendingLimit: 2500n });
  await pay(base);
  await pay(base);
  await assert.rejects(pay(base), {
    name: "SpendingError",
    message: /the spending limit of 2500 base units leaves 500, and this costs 1000/,
  });
  assert.equal(received.filter(({ payment }) => payment !== undefined).length, 2);
});

test("a payment without an answer is named, so that it can be looked up", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const url = await verifier();
  await assert.rejects(payWith(url)(`${base}/hangs-up`), (error: Error & { paymentId?: string; amount?: bigint }) => {
    const { accepted, payload } = decodePaymentSignatureHeader(received.at(-1)?.payment ?? "");
    const id = writeHex(intentDigest(intentOf(accepted, readExtra(accepted), readIntentPayload(payload))));
    assert.deepEqual([error.name, error.paymentId, error.amount], ["NoAnswerError", id, 1000n]);
    assert.ok(error.message.includes(`${url}/payments/${id}`));
    return true;
  });
});

test("a request is paid for once, whatever a hook wants", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const scheme = new AuthCaptureSvmScheme(session({ verifier: await verifier() }), { maximumAmount: 1000n });
  const client = new x402Client().register(scheme.network, scheme).setSpendControls(scheme.spendControls);
  client.onPaymentResponse(() => Promise.resolve({ recovered: true }));
  await assert.rejects(scheme.wrap(wrapFetchWithPayment(fetch, client))(base), /was signed for this request before/);
  assert.equal(received.filter(({ payment }) => payment !== undefined).length, 1);
  assert.equal(scheme.signedFor, 1000n);
});

test("a redirect is handed back, and no payment follows it", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const redirecting = await serve((_request, response) => void response.writeHead(302, { location: base }).end());
  const response = await payWith(await verifier())(redirecting);
  assert.equal(response.status, 302);
  assert.deepEqual(received, []);
});

test("without wrap nothing is signed", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const scheme = new AuthCaptureSvmScheme(session({ verifier: await verifier() }), { maximumAmount: 1000n });
  const client = new x402Client().register(scheme.network, scheme).setSpendControls(scheme.spendControls);
  await refused(base, wrapFetchWithPayment(fetch, client), received, /call what AuthCaptureSvmScheme\.wrap returns/);
});
