import assert from "node:assert/strict";
import { test } from "node:test";

import { decodePaymentSignatureHeader } from "@x402/core/http";

import { readBase58, writeHex } from "../src/bytes.js";
import { verify } from "../src/ed25519.js";
import { intentDigest, intentSignedBytes, resourceHash } from "../src/messages.js";
import { intentOf, readExtra, readIntentPayload } from "../src/wire.js";
import { session } from "./fixture.js";
import { payWith, type Received, serve, shop, verifier } from "./peers.js";

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

/**
 * Tries to buy at `url`, and expects an error whose text, with its name, is like `message`, and no
 * payment.
 */
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
    payWith(await verifier({ nonce: "2" })),
    received,
    /^RefusedError: .*payload\.nonce: is 2, and 1 was asked for/,
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
  await refused(
    base,
    payWith(await verifier(), { maximumAmount: 999n }),
    received,
    /0.001 is above the maximum of 0.000999/,
  );
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

test("a fee that only the receiver could collect is refused before the verifier is asked", async () => {
  const received: Received[] = [];
  const drafts: unknown[] = [];
  const base = await shop(received, (offered) => void (offered.extra["maxFeeBps"] = 50));
  await refused(base, payWith(await verifier({}, drafts)), received, /extra\.feeRecipient: must be there/);
  assert.deepEqual(drafts, []);
});

test("the spending limit holds over several requests", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const pay = payWith(await verifier(), { spendingLimit: 2500n });
  await pay(base);
  await pay(base);
  await assert.rejects(pay(base), {
    name: "SpendingError",
    message: /the spending limit of 0.0025 leaves 0.0005, and this costs 0.001/,
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

test("a payment without an answer is named where a Request with a body asked for it, too", async () => {
  const base = await shop([]);
  const asked = new Request(`${base}/hangs-up`, { method: "POST", body: "hello" });
  await assert.rejects(payWith(await verifier())(asked), (error: Error & { paymentId?: string }) => {
    assert.deepEqual([error.name, error.paymentId?.length], ["NoAnswerError", 64]);
    assert.ok(error.message.includes(` was sent to ${base}/hangs-up and no answer came`));
    return true;
  });
});

test("a redirect is handed back, and no payment follows it", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const redirecting = await serve((_request, response) => void response.writeHead(302, { location: base }).end());
  const response = await payWith(await verifier())(redirecting);
  assert.equal(response.status, 302);
  assert.deepEqual(received, []);
});
