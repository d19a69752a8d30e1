/** A server that sells by charge: what it asks, signs, writes down and answers. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { readBase58, readHex } from "../src/bytes.js";
import { publicKey, verify } from "../src/ed25519.js";
import { captureSignedBytes } from "../src/messages.js";
import { charging } from "../src/server.js";
import { paymentIdOf } from "../src/server/payment.js";
import { AUTHORIZER, AUTHORIZER_ADDRESS } from "./fixture.js";
import { payment, send, shop } from "./shop.js";

/** The lines of a record, without the claim's. */
function linesOf(state: string): Record<string, unknown>[] {
  const lines = readFileSync(join(state, "purchases.jsonl"), "utf8").split("\n").slice(1, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Has the record take nothing until the result is called. */
function takeDisk(state: string): () => void {
  const file = join(state, "purchases.jsonl");
  renameSync(file, `${file}.away`);
  mkdirSync(file);
  return () => {
    rmdirSync(file);
    renameSync(`${file}.away`, file);
  };
}

test("the challenge asks for a charge, which is no stream", async () => {
  const { base, scheme } = await shop();
  const { extra } = (await payment(`${base}/charge`)).accepted;
  assert.deepEqual([extra["paymentFlow"], extra["captureAuthorizer"]], ["authorization", AUTHORIZER_ADDRESS]);
  assert.throws(() => scheme.price("0.1", { hold: "1", held: false }), /charged at once or streamed, not both/);
});

test("nothing is signed while the handler runs, the capture is on disk before it goes out, and the end too", async () => {
  const { base, facilitator, on, state } = await shop();
  const paid = await payment(`${base}/charge`);
  const id = paymentIdOf(paid);
  on((_request, response) => {
    assert.deepEqual([facilitator.verified.length, facilitator.asked.length, linesOf(state)], [1, 0, []]);
    response.send("served");
  });
  const honest = facilitator.fetch;
  facilitator.fetch = (url, init) => {
    if (String(url).endsWith("/settle")) {
      const [line, ...more] = linesOf(state);
      const { payload, ...rest } = line ?? {};
      const { captureDeadline } = paid.accepted.extra;
      const { authorizeBy } = paid.payload;
      const known = { hold: id, charge: "unknown", requirements: paid.accepted, authorizeBy, captureDeadline };
      assert.deepEqual([rest, more], [known, []]);
      const { paymentPayload } = JSON.parse(String(init?.body)) as { paymentPayload: typeof paid };
      assert.deepEqual(payload, paymentPayload.payload);
      const { capture, ...client } = payload as { capture: Record<string, unknown> };
      assert.deepEqual(client, paid.payload);
      const { signature, ...consent } = capture;
      assert.deepEqual(consent, { amount: "1000", fee: "0", last: true });
      const message = captureSignedBytes({ intentDigest: readHex(id, 32, "id"), amount: 1000n, fee: 0n, last: true });
      assert.ok(verify(publicKey(AUTHORIZER), message, readBase58(signature, 64, "signature")));
    }
    return honest(url, init);
  };
  const { status, text, settlement, headers } = await send(`${base}/charge`, paid);
  assert.deepEqual([status, text, settlement?.success], [200, "served", true]);
  assert.match(headers.get("cache-control") ?? "", /private/);
  assert.deepEqual(linesOf(state).slice(1), [{ hold: id, charge: "served" }]);
  assert.deepEqual(facilitator.verified[0]?.payload, paid.payload);
});

test("what a route declares for catalogues goes to the facilitator, and nothing else of what a client says of it", async () => {
  const { base, facilitator } = await shop();
  const declared = { info: { input: { type: "http", method: "GET" } }, schema: { type: "object" } };
  const paid = await payment(`${base}/listed?secret=1`);
  const resource = { url: "https://elsewhere.test/", description: "a lie" };
  const told = await send(`${base}/listed?secret=1`, { ...paid, resource, extensions: { bazaar: declared, junk: {} } });
  assert.equal(told.status, 200);
  const [charged] = facilitator.asked.splice(0);
  assert.deepEqual([charged?.extensions, charged?.resource], [{ bazaar: declared }, { url: `${base}/listed` }]);
  await send(`${base}/charge`, { ...(await payment(`${base}/charge`)), resource, extensions: { bazaar: declared } });
  const [undeclared] = facilitator.asked;
  assert.deepEqual([undeclared?.extensions, undeclared?.resource], [undefined, undefined]);
});

test("of a charge that bought something the file keeps its deadlines, and no more", async () => {
  const first = await shop();
  const paid = await payment(`${first.base}/charge`);
  await send(`${first.base}/charge`, paid);
  const next = await first.restart();
  const { captureDeadline } = paid.accepted.extra;
  const { authorizeBy } = paid.payload;
  assert.deepEqual(linesOf(next.state), [{ hold: paymentIdOf(paid), charge: "served", authorizeBy, captureDeadline }]);
  assert.equal((await send(`${next.base}/charge`, paid)).reason, "duplicate_settlement");
  assert.equal(next.served(), 0);
});

test("what a handler takes is charged, and nothing where it fails, takes nothing, or too much", async (context) => {
  context.mock.method(console, "error", () => {});
  const { base, facilitator, on, state } = await shop();
  for (const [status, wants, charged] of [
    [200, "400", "400"],
    [200, "50%", "500"],
    [201, "1000", "1000"],
    [200, "0", undefined],
    [404, undefined, undefined],
    [304, undefined, undefined],
    [500, "1001", undefined],
    [500, "nonsense", undefined],
  ] as const) {
    const answered = wants === "1001" || wants === "nonsense" ? 200 : status;
    on((_request, response) =>
      response
        .set(wants === undefined ? {} : charging(wants))
        .status(answered)
        .send(),
    );
    const paid = await payment(`${base}/charge`);
    const told = await send(`${base}/charge`, paid, { redirect: "manual" });
    const [asked] = facilitator.asked.splice(0);
    const capture = asked?.payload["capture"] as { amount: string } | undefined;
    assert.deepEqual([told.status, capture?.amount], [status, charged], `${status} ${wants}`);
    assert.equal(told.settlement === undefined, charged === undefined, "there is a receipt of what was charged");
  }
  on(() => {
    throw new Error("broken");
  });
  assert.equal((await send(`${base}/charge`, await payment(`${base}/charge`))).status, 500);
  assert.deepEqual([facilitator.asked, linesOf(state).length], [[], 6]);
});

test("a refusal names its reason, before the handler with the terms", async (context) => {
  context.mock.method(console, "warn", () => {});
  const { base, facilitator, served } = await shop();
  const refusal = { success: false, errorReason: "insufficient_funds" };
  facilitator.next.push(refusal);
  const before = await send(`${base}/charge`, await payment(`${base}/charge`));
  assert.deepEqual([before.status, before.reason, served()], [402, "insufficient_funds", 0]);
  assert.ok(before.headers.has("payment-required"));
  facilitator.next.push(undefined, refusal);
  const after = await send(`${base}/charge`, await payment(`${base}/charge`));
  assert.deepEqual([after.status, after.reason, after.text.includes("served")], [402, "insufficient_funds", false]);
  assert.match(after.text, /insufficient_funds/);
});

test("a charge is as final as the route asks, also where it is asked about again", async (context) => {
  context.mock.method(console, "error", () => {});
  const { base, facilitator, noted, scheme } = await shop();
  const paid = await payment(`${base}/charge-final`);
  assert.equal((await send(`${base}/charge-final`, paid)).reason, "unexpected_settle_error");
  const at = (Number(paid.payload["authorizeBy"]) + 31) * 1000;
  const clock = context.mock.method(Date, "now", () => at);
  facilitator.next.push({ extra: { status: "confirmed" } });
  await scheme.settleLeftOver();
  assert.equal(noted()[paymentIdOf(paid)], "unknown");
  facilitator.next.push({ extra: { status: "finalized" } });
  await scheme.settleLeftOver();
  assert.equal(noted()[paymentIdOf(paid)], "paid");
  clock.mock.restore();
  assert.ok(facilitator.asked.every(({ accepted }) => accepted.extra["commitment"] === "finalized"));
  assert.equal((await send(`${base}/charge-final`, paid)).status, 200);
});

test("where the record can't be written nothing is charged, and what is charged is served when it comes again", async (context) => {
  context.mock.method(console, "error", () => {});
  const { base, facilitator, on, served, state } = await shop();
  const paid = await payment(`${base}/charge`);
  const giveFirst = takeDisk(state);
  const first = await send(`${base}/charge`, paid);
  giveFirst();
  assert.deepEqual([first.status, facilitator.asked.length], [500, 0]);
  assert.match(first.text, /nothing was charged/);
  const honest = facilitator.fetch;
  let giveBack = (): void => {};
  facilitator.fetch = async (url, init) => {
    const answer = await honest(url, init);
    giveBack = String(url).endsWith("/settle") ? takeDisk(state) : giveBack;
    return answer;
  };
  const second = await send(`${base}/charge`, paid);
  giveBack();
  facilitator.fetch = honest;
  assert.deepEqual([second.status, second.settlement], [500, undefined]);
  assert.match(second.text, /send the same request again/);
  facilitator.next.push({ extra: { status: "confirmed", alreadySettled: true, claimed: true } });
  on((_request, response) => response.set(charging("nonsense")).status(201).send("served"));
  const third = await send(`${base}/charge`, paid);
  assert.deepEqual([third.status, third.settlement?.success, served()], [201, true, 3]);
  assert.equal((await send(`${base}/charge`, paid)).reason, "duplicate_settlement");
});

test("what is charged and not answered is told with its receipt, and to be refunded in the end", async (context) => {
  const warned = context.mock.method(console, "warn", () => {});
  const failed = context.mock.method(console, "error", () => {});
  const { base, facilitator, noted, on, scheme } = await shop();
  const paid = await payment(`${base}/charge`);
  facilitator.next.push(undefined, new Error("no answer"));
  await send(`${base}/charge`, paid);
  on((_request, response) => response.status(503).send("broken"));
  facilitator.next.push({ extra: { status: "confirmed", alreadySettled: true, claimed: true } });
  const { status, settlement } = await send(`${base}/charge`, paid);
  assert.deepEqual([status, settlement?.success, noted()[paymentIdOf(paid)]], [503, true, "paid"]);
  assert.match(String(warned.mock.calls.at(-1)?.arguments[0]), /is charged, and its handler failed/);
  const at = (Number(paid.accepted.extra["captureDeadline"]) + 3602) * 1000;
  context.mock.method(Date, "now", () => at);
  await scheme.settleLeftOver();
  assert.deepEqual(noted(), {});
  assert.match(String(failed.mock.calls.at(-1)?.arguments[0]), /was charged and bought nothing: refund it/);
});

test("a repeat with an id is answered as before", async () => {
  const { base, facilitator, served } = await shop();
  const extensions = { "payment-identifier": { info: { required: false, id: "pay_0123456789abcdef" } } };
  const paid = { ...(await payment(`${base}/charge-named`)), extensions };
  const [first, again] = [await send(`${base}/charge-named`, paid), await send(`${base}/charge-named`, paid)];
  assert.deepEqual([again.status, again.settlement, served()], [200, first.settlement, 1]);
  const sent = [...facilitator.verified, ...facilitator.asked].map((one) => JSON.stringify(one.extensions));
  assert.deepEqual([sent.length, new Set(sent).size], [2, 1]);
});

test("a payment for another request is refused before anything is asked", async (context) => {
  context.mock.method(console, "warn", () => {});
  const { base, facilitator, served } = await shop();
  const other = await send(`${base}/charge?other`, await payment(`${base}/charge`));
  assert.deepEqual([other.status, served()], [402, 0]);
  assert.deepEqual([facilitator.verified, facilitator.asked], [[], []]);
});
