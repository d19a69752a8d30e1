import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";

import { decodePaymentRequiredHeader, encodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentPayload, SchemePaymentRequiredContext } from "@x402/core/types";

import { writeBase58 } from "../src/bytes.js";
import { identifierDeclaration } from "../src/payment_identifier.js";
import { Answered } from "../src/server/answered.js";
import { paymentIdOf } from "../src/server/payment.js";
import { Facilitator, opening, payment, send, shop, voucher } from "./shop.js";

const ID = "pay_0123456789abcdef";
const EXTENSION = "payment-identifier";

function named(paid: PaymentPayload, id: unknown = ID, required = false): PaymentPayload {
  return { ...paid, extensions: { [EXTENSION]: { info: { required, id } } } };
}

test("a route says whether it takes ids", async () => {
  const { base } = await shop();
  const offered = async (path: string, method: string): Promise<unknown[]> => {
    const { headers } = await fetch(`${base}${path}`, { method });
    const { accepts, extensions } = decodePaymentRequiredHeader(headers.get("payment-required") ?? "");
    return [accepts[0]?.extra["paymentIdentifier"], extensions];
  };
  assert.deepEqual(await offered("/report", "GET"), [undefined, undefined]);
  for (const [path, method, offer] of [
    ["/named", "GET", "optional"],
    ["/must-be-named", "POST", "required"],
    ["/named-tick", "GET", "optional"],
  ] as const) {
    assert.deepEqual(await offered(path, method), [offer, { [EXTENSION]: identifierDeclaration(offer) }]);
  }
});

test("a repeat is answered as before, and served once", async () => {
  const { base, facilitator, served, on } = await shop();
  for (const [path, init] of [
    ["/named?a", {}],
    ["/must-be-named", { method: "POST", body: "hello" }],
  ] as const) {
    const before = served();
    on((request, response) => {
      response.status(201).type("text/plain").set("x-count", String(served()));
      response.write("part ");
      response.end(`and ${request.method}`);
    });
    const paid = named(await payment(`${base}${path}`, init), ID, path === "/must-be-named");
    const first = await send(`${base}${path}`, paid, init);
    assert.deepEqual([first.status, first.text], [201, `part and ${init.method ?? "GET"}`]);
    assert.deepEqual(facilitator.asked[0]?.extensions, { [EXTENSION]: { info: { id: ID } } });
    assert.deepEqual(facilitator.settled(), ["hold", "capture"]);
    for (const again of await Promise.all(Array.from({ length: 20 }, () => send(`${base}${path}`, paid, init)))) {
      assert.deepEqual([again.status, again.text, again.settlement], [first.status, first.text, first.settlement]);
      for (const name of ["x-count", "content-type", "cache-control", "payment-response"]) {
        assert.ok(first.headers.has(name));
        assert.equal(again.headers.get(name), first.headers.get(name), name);
      }
    }
    assert.deepEqual([served(), facilitator.settled()], [before + 1, []]);
  }
});

test("a repeat that comes while the first is served, or after its client hung up, gets its answer", async () => {
  const { base, facilitator, served, on } = await shop();
  let finish = (): void => {};
  on((_request, response) => (finish = () => void response.send("late")));
  const paid = named(await payment(`${base}/named`));
  const hangUp = new AbortController();
  const first = fetch(`${base}/named`, {
    headers: { "payment-signature": encodePaymentSignatureHeader(paid) },
    signal: hangUp.signal,
  });
  while (served() === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const second = send(`${base}/named`, paid);
  hangUp.abort();
  await assert.rejects(first);
  const tooEarly = await Promise.race([second, new Promise((resolve) => setTimeout(resolve, 200))]);
  assert.equal(tooEarly, undefined, "it waits");
  finish();
  assert.equal((await second).text, "late");
  assert.equal((await send(`${base}/named`, paid)).text, "late");
  assert.deepEqual([served(), facilitator.settled()], [1, ["hold", "capture"]]);
});

test("without its id, or under another, a repeat is refused", async () => {
  const { base, served } = await shop();
  const paid = await payment(`${base}/named`);
  assert.equal((await send(`${base}/named`, named(paid))).status, 200);
  assert.equal((await send(`${base}/named`, paid)).reason, "duplicate_settlement");
  assert.equal((await send(`${base}/named`, named(paid, "pay_another_purchase"))).reason, "duplicate_settlement");
  assert.equal(served(), 1);
});

test("an id gets nobody the answer to another request, or what was not paid", async () => {
  const { base, facilitator, served, on } = await shop();
  const init = { method: "POST", body: "one" };
  const paid = named(await payment(`${base}/must-be-named`, init), ID, true);
  assert.equal((await send(`${base}/must-be-named`, paid, init)).status, 200);
  for (const [path, body] of [
    ["/must-be-named", "other"],
    ["/must-be-named?other", "one"],
  ] as const) {
    assert.equal((await send(`${base}${path}`, paid, { method: "POST", body })).status, 402);
  }
  const other = { ...paid, payload: { ...paid.payload, signature: writeBase58(new Uint8Array(64).fill(2)) } };
  assert.equal((await send(`${base}/must-be-named`, other, init)).reason, "invalid_auth_capture_svm_signature");
  assert.equal(served(), 1);

  on((_request, response) => response.status(500).send("failed"));
  const failed = named(await payment(`${base}/named`));
  assert.equal((await send(`${base}/named`, failed)).status, 500);
  assert.equal((await send(`${base}/named`, failed)).reason, "duplicate_settlement");
  facilitator.next.push({ success: false, errorReason: "insufficient_funds" }, undefined);
  on((_request, response) => response.send("served"));
  const poor = named(await payment(`${base}/named`));
  assert.equal((await send(`${base}/named`, poor)).reason, "insufficient_funds");
  assert.equal((await send(`${base}/named`, poor)).status, 200, "what was refused is looked at again");
});

test("what is not sold is not kept", async () => {
  const { base, served } = await shop();
  const paid = named(await payment(`${base}/named`));
  for (const count of [1, 2]) {
    assert.deepEqual([(await send(`${base}/free`, paid)).status, served()], [200, count]);
  }
});

test("an answer that is too long is not kept", async () => {
  const { base, served, on } = await shop();
  for (const [length, status] of [
    [64 * 1024, 200],
    [64 * 1024 + 1, 402],
  ] as const) {
    on((_request, response) => response.send("x".repeat(length)));
    const paid = named(await payment(`${base}/named`));
    assert.equal((await send(`${base}/named`, paid)).text.length, length);
    assert.equal((await send(`${base}/named`, paid)).status, status);
  }
  assert.equal(served(), 2);
});

test("the oldest answers go, and all after an hour", (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 0 });
  const answered = new Answered();
  const answer = { status: 200, headers: [], body: new Uint8Array() };
  for (let count = 0; count <= 1024; count += 1) {
    answered.add(String(count), answer);
  }
  assert.deepEqual([answered.size, answered.get("0"), answered.get("1024")], [1024, undefined, answer]);
  context.mock.timers.tick(3_599_999);
  assert.equal(answered.get("1"), answer);
  context.mock.timers.tick(1);
  assert.deepEqual([answered.get("1024"), answered.size], [undefined, 0]);
});

test("bad ids are told", async () => {
  const { base, facilitator, served } = await shop();
  const may = await payment(`${base}/named`);
  const must = await payment(`${base}/must-be-named`, { method: "POST" });
  const field = "payment-identifier.info.id";
  for (const [path, method, paid, message] of [
    ["/named", "GET", named(may, "short"), field],
    ["/named", "GET", named(may, "with a space in it."), field],
    ["/named", "GET", named(may, 5), field],
    ["/named", "GET", { ...may, extensions: { [EXTENSION]: 5 } }, "payment-identifier"],
    ["/must-be-named", "POST", must, field],
    ["/must-be-named", "POST", named(must, null, true), field],
  ] as const) {
    const { status, text, settlement } = await send(`${base}${path}`, paid as PaymentPayload, { method });
    const { error } = JSON.parse(text) as { error: { code: string; message: string } };
    assert.deepEqual([status, error.code, settlement], [400, "invalid_payload", undefined]);
    assert.ok(error.message.includes(message), error.message);
  }
  // A route that needs an id can't be talked out of it.
  const { paymentIdentifier: _offer, ...extra } = must.accepted.extra;
  const denied = { ...must, accepted: { ...must.accepted, extra } };
  assert.equal((await send(`${base}/must-be-named`, denied, { method: "POST" })).status, 402);
  assert.deepEqual([facilitator.settled(), served()], [[], 0]);
});

test("the id of another payment is answered 409", async () => {
  // As the verifier answers it, through the client that servers use.
  const message = "paymentPayload.extensions.payment-identifier.info.id: taken";
  const verifier = createServer((_request, response) => {
    response.writeHead(409, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { code: "payment_identifier_conflict", message } }));
  });
  after(() => verifier.close());
  await new Promise<void>((resolve) => verifier.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(verifier.address() as AddressInfo).port}`;
  const facilitator = new Facilitator();
  const { base, served } = await shop(facilitator);
  const ask = facilitator.fetch;
  facilitator.fetch = (asked, init) => fetch(`${url}${new URL(String(asked)).pathname}`, init);
  const opens = await payment(`${base}/named-tick`);
  for (const [path, paid] of [
    ["/named", named(await payment(`${base}/named`))],
    ["/named-tick", named({ ...opens, payload: voucher(paymentIdOf(opens), 200) })],
  ] as const) {
    const { status, text, headers } = await send(`${base}${path}`, paid);
    assert.deepEqual([status, JSON.parse(text).error.code], [409, "payment_identifier_conflict"]);
    assert.deepEqual([headers.get("payment-response"), headers.get("cache-control")], [null, "no-store"]);
    assert.equal(headers.get("content-length"), String(text.length));
  }
  assert.equal(served(), 0);
  facilitator.fetch = ask;
  assert.equal((await send(`${base}/named`, named(await payment(`${base}/named`)))).status, 200);
});

test("a voucher under its id is answered as before, and buys nothing else", async () => {
  const { base, facilitator, served, on } = await shop();
  const url = `${base}/named-tick`;
  const opens = named(await opening(url));
  const paymentId = paymentIdOf(opens);
  const second = named({ ...opens, payload: voucher(paymentId, 200) }, "pay_the_second_request");
  facilitator.next.push(undefined, { amount: "100", extra: { status: "confirmed" } });
  for (const bought of [opens, second]) {
    const first = await send(url, bought);
    const again = await send(url, bought);
    assert.deepEqual([first.status, again.status, again.settlement], [200, 200, first.settlement]);
  }
  assert.deepEqual([served(), facilitator.settled()], [2, ["hold", "voucher"]]);

  const toldAgain = { amount: "100", extra: { status: "confirmed", alreadySettled: true } };
  const claimed = { ...toldAgain, extra: { ...toldAgain.extra, claimed: true } };
  const third = named({ ...opens, payload: voucher(paymentId, 300) }, "pay_the_third_request");
  // The facilitator tells a voucher yes again, whatever is asked for with it, and whoever served it.
  facilitator.next.push(toldAgain);
  for (const bought of [second, third]) {
    const { status, reason } = await send(`${url}?other`, bought);
    assert.deepEqual([status, reason], [402, "invalid_auth_capture_svm_voucher_repeated"]);
  }
  assert.equal(served(), 2);

  on((_request, response) => response.status(500).send("failed"));
  facilitator.next.push({ amount: "100", extra: { status: "confirmed" } }, claimed);
  assert.equal((await send(url, third)).status, 500);
  on((_request, response) => response.send("served"));
  assert.equal((await send(url, third)).status, 200, "it was not served");
});

test("a route that takes no ids keeps them from the facilitator", async () => {
  const { base, facilitator } = await shop();
  const paid = await payment(`${base}/report`);
  assert.equal((await send(`${base}/report`, named(paid, "short"))).status, 200);
  assert.equal(facilitator.asked[0]?.extensions, undefined);
  assert.equal((await send(`${base}/report`, named(paid))).reason, "duplicate_settlement");
});

test("nothing is sold around the shop", async () => {
  const { scheme } = await shop();
  const asked = { requirements: [{ scheme: scheme.scheme, network: scheme.network }] };
  await assert.rejects(
    async () => scheme.enrichPaymentRequiredResponse(asked as unknown as SchemePaymentRequiredContext),
    /sells through its own shop only/,
  );
});
