import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { decodePaymentRequiredHeader } from "@x402/core/http";
import type { SupportedResponse } from "@x402/core/types";

import { writeHex } from "../src/bytes.js";
import { resourceHash, streamResourceHash } from "../src/messages.js";
import type { MerchantConfig } from "../src/server.js";
import { address, AUTHORIZER_ADDRESS } from "./fixture.js";
import { Facilitator, payment, send, shop, SUPPORTED } from "./shop.js";

const mint = address(2);

const wrong: [Partial<MerchantConfig>, RegExp][] = [
  [{ publicUrl: "shop.example" }, /publicUrl: expected an http or https URL/],
  [{ publicUrl: "ftp://shop.example" }, /publicUrl: expected an http or https URL/],
  [{ publicUrl: "https://a:b@shop.example" }, /publicUrl: expected a URL without a password/],
  [{ publicUrl: "https://shop.example?a" }, /publicUrl: expected a URL without a password, a query/],
  [{ payTo: "nobody" }, /payTo: expected 32 bytes in base58/],
  [{ program: "none" }, /program: expected 32 bytes in base58/],
  [{ token: { mint: "none", decimals: 6 } }, /token\.mint: expected 32 bytes in base58/],
  [{ token: { mint, decimals: 6.5 } }, /token\.decimals: expected an integer from 0 to 255/],
  [{ token: { mint } }, /token\.decimals: the facilitator does not say how many .* has; set them/],
  [{ captureWindowSeconds: 60 }, /captureWindowSeconds: expected whole seconds from 120 to 2592000/],
  [{ captureWindowSeconds: 2_592_001 }, /captureWindowSeconds/],
  [{ refundWindowSeconds: -1 }, /refundWindowSeconds: expected whole seconds from 0/],
  [{ streamIdleSeconds: 0.5 }, /streamIdleSeconds: expected whole seconds from 1/],
  [
    { captureCommitment: "certain" as "confirmed" },
    /captureCommitment: expected one of processed, confirmed, finalized/,
  ],
];
for (const [terms, message] of wrong) {
  test(`${JSON.stringify(terms)} shows at the start`, async () => {
    await assert.rejects(shop(undefined, undefined, terms), message);
  });
}

test("a receiver that can't be paid shows at the start, with what to do and what it costs", async (context) => {
  const warned = context.mock.method(console, "warn", () => {});
  const facilitator = new Facilitator();
  const body = { tokenAccount: address(8), canReceive: false, decimals: 6, rentLamports: "2039280" };
  facilitator.receiver = { status: 200, body };
  await assert.rejects(shop(facilitator), (error: Error) => {
    for (const part of [
      `payTo: ${AUTHORIZER_ADDRESS} has no`,
      address(8),
      "0.00203928 SOL",
      `create-account ${mint} --owner`,
    ]) {
      assert.ok(error.message.includes(part), error.message);
    }
    return true;
  });
  facilitator.receiver = { status: 422, body: {} };
  await assert.rejects(shop(facilitator), /token\.mint: .* is no token on the facilitator's cluster/);
  facilitator.receiver = { status: 503, body: {} };
  await shop(facilitator);
  assert.match(String(warned.mock.calls[0]?.arguments[0]), /it is not known whether .* has a token account/);
  facilitator.receiver = { status: 200, body: { ...body, canReceive: true, decimals: 4 } };
  const { scheme } = await shop(facilitator, undefined, { token: { mint } });
  assert.deepEqual(await scheme.parsePrice("0.25"), { asset: mint, amount: "2500" });
});

test("a token account that is lost while the server sells is logged once, and so is its return", { timeout: 30_000 }, async (context) => {
  const lines: string[] = [];
  const keep = (line: unknown): void => void lines.push(String(line));
  context.mock.method(console, "error", keep);
  context.mock.method(console, "warn", keep);
  const facilitator = new Facilitator();
  await shop(facilitator);
  const report = (canReceive: boolean): typeof facilitator.receiver => {
    const body = { tokenAccount: address(8), canReceive, decimals: 6, rentLamports: "2039280" };
    return { status: 200, body };
  };
  for (const [receiver, told] of [
    [report(true), undefined],
    [report(false), new RegExp(`^nothing can be sold, .* payTo: .* create-account ${mint} .* issuer to thaw it$`)],
    [report(false), undefined],
    // Where it can't tell, nothing has changed.
    [{ status: 503, body: {} }, undefined],
    [{ status: 404, body: {} }, undefined],
    [{ status: 200, body: { canReceive: true } }, undefined],
    [report(true), new RegExp(`^${AUTHORIZER_ADDRESS} can be paid in ${mint} again$`)],
    [report(true), undefined],
    [report(false), /^nothing can be sold/],
  ] as const) {
    facilitator.receiver = receiver;
    mock.timers.tick(60_000);
    do {
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (told !== undefined && lines.length === 0);
    const [line, ...more] = lines.splice(0);
    assert.deepEqual(more, []);
    assert.equal(told === undefined, line === undefined, line);
    assert.match(line ?? "", told ?? /^$/);
  }
});

test("the log says why a payment is refused, and that clients ask for another host", async (context) => {
  const warned = context.mock.method(console, "warn", () => {});
  const { base, facilitator } = await shop();
  facilitator.next.push({ success: false, errorReason: "insufficient_funds", errorMessage: "no\u001b[31m money" });
  await send(`${base}/report`, await payment(`${base}/report`));
  const lines = (): string[] => {
    const all = warned.mock.calls.map(({ arguments: [line] }) => String(line));
    warned.mock.resetCalls();
    return all;
  };
  const told = `GET ${base}/report: a payment of 0.001 tokens was refused: insufficient_funds: no\\u{1b}[31m money`;
  assert.deepEqual(lines(), [told]);
  const elsewhere = await shop(undefined, undefined, { publicUrl: "https://shop.example" });
  await fetch(`${elsewhere.base}/report`);
  await fetch(`${elsewhere.base}/report`);
  const [line, ...more] = lines();
  assert.match(line ?? "", /a request came for 127\.0\.0\.1:\d+, and publicUrl is https:\/\/shop\.example/);
  assert.deepEqual(more, []);
});

test("a wrong price shows when the route is made", async () => {
  const { scheme } = await shop();
  assert.throws(() => scheme.price("1,50"), /price: "1,50" is not an amount/);
  assert.throws(() => scheme.price("0.001", { hold: "0.0001" }), /hold: "0.0001" does not pay for one request/);
  assert.throws(() => scheme.price("1", { commitment: "sure" as "confirmed" }), /commitment: expected one of/);
});

/** A facilitator that says something else. */
class Saying extends Facilitator {
  supported: SupportedResponse;

  constructor(extra: Record<string, unknown>) {
    super();
    this.supported = saying(extra);
  }

  override getSupported(): Promise<SupportedResponse> {
    return Promise.resolve(this.supported);
  }
}

function saying(extra: Record<string, unknown>): SupportedResponse {
  return { ...SUPPORTED, kinds: SUPPORTED.kinds.map((kind) => ({ ...kind, extra: { ...kind.extra, ...extra } })) };
}

test("a token's decimals are the facilitator's where it knows them", async () => {
  const facilitator = new Saying({ tokens: { [mint]: { decimals: 4 } } });
  const { scheme, base } = await shop(facilitator, undefined, { token: { mint } });
  assert.deepEqual(await scheme.parsePrice("0.25"), { asset: mint, amount: "2500" });
  assert.equal((await payment(`${base}/report`)).accepted.amount, "10");
  await assert.rejects(shop(facilitator), /token\.decimals: is 6, and the facilitator says that .* has 4/);
  for (const tokens of [{}, null, 5, { [mint]: null }, { [mint]: { decimals: "4" } }, { [mint]: { decimals: 256 } }]) {
    await assert.rejects(shop(new Saying({ tokens }), undefined, { token: { mint } }), /does not say how many/);
  }
});

test("another fee payer of the facilitator's is noticed, at once where a payment is refused for it", async () => {
  const { base, facilitator } = await shop();
  const old = await payment(`${base}/report`);
  facilitator.feePayer = address(14);
  assert.equal((await send(`${base}/report`, old)).reason, "invalid_auth_capture_svm_extra");
  let paid = await payment(`${base}/report`);
  while (paid.accepted.extra["feePayer"] !== address(14)) {
    await new Promise((resolve) => setImmediate(resolve));
    paid = await payment(`${base}/report`);
  }
  assert.equal((await send(`${base}/report`, paid)).status, 200);
});

/** What a challenge is bound to. */
async function challenged(url: string, init: RequestInit = {}) {
  const { headers } = await fetch(url, init);
  const { accepts, resource } = decodePaymentRequiredHeader(headers.get("payment-required") ?? "");
  return { hash: accepts[0]?.extra["resourceHash"], url: resource?.url };
}

test("the URL that is paid for is the public one, whatever a client calls the host", async () => {
  for (const [publicUrl, prefix, origin] of [
    ["https://Shop.Example:443/", "https://shop.example", "https://shop.example"],
    ["https://shop.example/api/", "https://shop.example/api", "https://shop.example"],
    ["https://bücher.example", "https://xn--bcher-kva.example", "https://xn--bcher-kva.example"],
  ] as const) {
    const { base } = await shop(undefined, undefined, { publicUrl });
    const url = `${prefix}/report?topic=wheat`;
    const hash = writeHex(resourceHash("GET", url, new Uint8Array()));
    assert.deepEqual(await challenged(`${base}/report?topic=wheat`), { hash, url });
    const streamed = await challenged(`${base}/tick`);
    assert.equal(streamed.hash, writeHex(streamResourceHash(origin)));
  }
});

test("a body that is parsed is paid for with the bytes that came", async () => {
  const { base, on, served } = await shop(undefined, undefined, { parser: "kept" });
  on((request, response) => response.json(request.body));
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", body: '{ "text":  "hello" }', headers };
  const paid = await payment(`${base}/translate`, init);
  const hash = writeHex(resourceHash("POST", `${base}/translate`, new TextEncoder().encode(init.body)));
  assert.equal(paid.accepted.extra["resourceHash"], hash);
  const { status, text } = await send(`${base}/translate`, paid, init);
  assert.deepEqual([status, text, served()], [200, '{"text":"hello"}', 1]);
  assert.equal((await send(`${base}/translate`, paid, { ...init, body: '{"text":"hello"}' })).status, 402);
});

test("a body that came compressed is not what was paid for", async () => {
  const { base, served } = await shop(undefined, undefined, { parser: "kept" });
  const body = new Response(new Blob(["{}"]).stream().pipeThrough(new CompressionStream("gzip")));
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  const init = { method: "POST", body: await body.arrayBuffer(), headers };
  assert.deepEqual([(await fetch(`${base}/translate`, init)).status, served()], [500, 0]);
});
