/** What an agent has on disk, what its limits mean, and what it tells its caller. */

import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import {
  decodePaymentSignatureHeader,
  encodePaymentRequiredHeader,
  encodePaymentResponseHeader,
} from "@x402/core/http";

import { writeHex } from "../src/bytes.js";
import type { Outcome } from "../src/client.js";
import { resourceHash } from "../src/messages.js";
import { identifierDeclaration } from "../src/payment_identifier.js";
import { paymentIdOf } from "../src/server/payment.js";
import { NETWORK, session } from "./fixture.js";
import { agentOf, now, offerFor, payWith, type Received, serve, shop, verifier } from "./peers.js";

const lines = (files: string): Record<string, unknown>[] =>
  readFileSync(`${files}.journal`, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** A server that takes ids and answers payments as told: a status, or the reason of a 402; 0 hangs up. */
async function answering(answers: (number | string)[], payments: string[] = []): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    if (payment === undefined) {
      const url = `${base}${request.url}`;
      const extensions = { "payment-identifier": identifierDeclaration("optional") };
      const accepts = [offerFor(request.method ?? "", url, body)];
      const challenge = encodePaymentRequiredHeader({ x402Version: 2, resource: { url }, accepts, extensions });
      return void response.writeHead(402, { "payment-required": challenge }).end();
    }
    payments.push(payment);
    const answer = answers.shift() ?? 200;
    if (answer === 0) {
      return void response.socket?.destroy();
    }
    if (typeof answer === "number") {
      return void response.writeHead(answer).end("answered");
    }
    const refusal = { success: false, errorReason: answer, transaction: "", network: NETWORK } as const;
    response.writeHead(402, { "payment-response": encodePaymentResponseHeader(refusal) }).end();
  });
  return base;
}

test("a payment is in the journal before it is signed, without its signature and the URL", async () => {
  const opened = session({ verifier: await verifier() });
  let before: Record<string, unknown>[] = [];
  const url = await answering([200]);
  const agent = await agentOf("", {}, opened, {
    fetch: (input, init) => {
      if (input instanceof Request && input.headers.has("payment-signature")) {
        before = lines(opened.files);
      }
      return fetch(input, init);
    },
  });
  const outcome = await agent.buy(`${url}/report?secret=1`, undefined, { key: "order-1" });
  assert.equal(outcome.kind, "served");
  const [line] = before;
  assert.ok(line !== undefined && before.length === 1);
  const { payment, at, purchase, authorizeBy, captureDeadline, ...rest } = line;
  assert.deepEqual(rest, {
    state: "signed",
    key: "order-1",
    origin: url,
    resourceHash: writeHex(resourceHash("GET", `${url}/report?secret=1`, new Uint8Array())),
    payTo: offerFor("GET", url, "").payTo,
    amount: "1000",
  });
  assert.equal(purchase, outcome.payment?.paymentId);
  assert.ok([at, authorizeBy, captureDeadline].every(Number.isInteger));
  assert.ok(!JSON.stringify(payment).includes("signature") && !JSON.stringify(line).includes("secret"));
  assert.deepEqual(lines(opened.files).slice(1), [{ purchase, state: "served" }]);
  for (const extension of ["journal", "spent", "nonces", "journal.lock", "spent.lock"]) {
    assert.equal(statSync(`${opened.files}.${extension}`).mode & 0o777, 0o600, extension);
  }
});

test("without a journal nothing is signed", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const opened = session({ verifier: await verifier() });
  writeFileSync(`${opened.files}.journal`, "garbage\n");
  const agent = await agentOf("", {}, opened);
  await assert.rejects(agent.fetch(base), { name: "JournalError", message: /is damaged: line 1/ });
  assert.equal(agent.signedFor, 0n);
  assert.ok(received.every(({ payment }) => payment === undefined));
});

test("a key buys once, over restarts, and is found again", async () => {
  const payments: string[] = [];
  const url = await answering([0, 0, 0, 200], payments);
  let report: unknown;
  const opened = session({ verifier: await verifier({}, [], () => report) });
  const first = await agentOf("", {}, opened);
  const outcome = await first.buy(url, { method: "POST", body: "hello" }, { key: "order-1" });
  assert.equal(outcome.kind, "unknown");
  const { payment, maySettleUntil } = outcome as Extract<Outcome, { kind: "unknown" }>;
  const restarted = await agentOf("", {}, opened);
  await assert.rejects(restarted.buy(url, undefined, { key: "order-1" }), { name: "KeyUsedError" });
  const open = { ...payment, state: "unknown", maySettleUntil };
  assert.deepEqual(await restarted.lookup("order-1"), open);
  assert.deepEqual(await restarted.lookup(payment.paymentId), open);
  assert.equal(await restarted.lookup("order-2"), undefined);
  report = { state: "authorized", captured: "0" };
  assert.deepEqual(await restarted.lookup("order-1"), open);

  await assert.rejects(
    restarted.resume("order-1", url, { method: "POST", body: "other" }),
    /another method, URL or body/,
  );
  const resumed = await restarted.resume("order-1", url, { method: "POST", body: "hello" });
  assert.deepEqual([resumed.kind, new Set(payments).size, payments.length], ["served", 1, 4]);
  assert.equal(paymentIdOf(decodePaymentSignatureHeader(payments[3] ?? "")), payment.paymentId);
  assert.deepEqual(await restarted.lookup("order-1"), { ...payment, state: "served" });
  await assert.rejects(restarted.resume("order-1", url), { name: "KeyUsedError" });
  await assert.rejects(restarted.buy(url, undefined, { key: "order-1" }), { name: "KeyUsedError" });
});

test("what a verifier found out about a purchase is kept, and a key whose purchase is over buys again", async () => {
  for (const [report, state, buysAgain] of [
    [{ state: "captured", captured: "1000" }, "charged", false],
    [{ state: "ended", captured: "0" }, "over", true],
  ] as const) {
    const url = await answering(["insufficient_funds", 200]);
    const opened = session({ verifier: await verifier({}, [], () => report) });
    const agent = await agentOf("", {}, opened);
    assert.equal((await agent.buy(url, undefined, { key: "one" })).kind, "refused");
    assert.equal((await agent.lookup("one"))?.state, state);
    assert.equal(lines(opened.files).at(-1)?.["state"], state);
    const again = agent.buy(url, undefined, { key: "one" });
    await (buysAgain ? again : assert.rejects(again, { name: "KeyUsedError" }));
  }
});

test("a purchase that its verifier refused is over only when it can't be held any more", async (context) => {
  for (const state of ["refused", "failed"]) {
    const url = await answering(["insufficient_funds", 200]);
    const report = { state, captured: "0" };
    const agent = await agentOf("", {}, session({ verifier: await verifier({}, [], () => report) }));
    const stateAfter = async (seconds: number): Promise<string | undefined> => {
      const at = Date.now() + seconds * 1000;
      const clock = context.mock.method(Date, "now", () => at);
      const found = await agent.lookup("one");
      clock.mock.restore();
      return found?.state;
    };
    assert.equal((await agent.buy(url, undefined, { key: "one" })).kind, "refused");
    assert.deepEqual([await stateAfter(110), await stateAfter(125)], ["refused", "over"]);
    assert.equal((await agent.buy(url, undefined, { key: "one" })).kind, "served");
  }
});

test("a purchase that was signed by a process that is gone is unknown", async () => {
  const opened = session({ verifier: await verifier() });
  const url = await answering([200]);
  await (await agentOf("", {}, opened)).buy(url, undefined, { key: "one" });
  const [signed] = lines(opened.files);
  writeFileSync(`${opened.files}.journal`, `${JSON.stringify(signed)}\n`);
  appendFileSync(`${opened.files}.journal`, '{"purchase":"half');
  assert.equal((await (await agentOf("", {}, opened)).lookup("one"))?.state, "unknown");
});

test("an outcome says what came, and until when money can be taken", async () => {
  for (const [answer, kind, reason] of [
    [200, "served", undefined],
    ["insufficient_funds", "refused", "insufficient_funds"],
    ["duplicate_settlement", "unknown", "duplicate_settlement"],
    [404, "unknown", "no answer came"],
    ["bad\u001b[2Jreason", "refused", "bad\\u{1b}[2Jreason"],
  ] as const) {
    const outcome = await (await agentOf(await verifier())).buy(await answering([answer]));
    assert.equal(outcome.kind, kind);
    assert.equal("reason" in outcome ? outcome.reason : undefined, reason);
    const until = "maySettleUntil" in outcome ? outcome.maySettleUntil : undefined;
    assert.ok(kind === "served" ? until === undefined : Math.abs((until ?? 0) - now() - 600) < 5);
  }
  const free = await serve((_request, response) => response.end("free"));
  const outcome = await (await agentOf(await verifier())).buy(free);
  assert.deepEqual([outcome.kind, outcome.payment], ["served", undefined]);
});

test("the spending limit is one over processes and restarts, in the Rust agent's file", async () => {
  const base = await shop([]);
  const opened = session({ verifier: await verifier() });
  const limits = { spendingLimit: "0.0025" };
  const [first, second] = await Promise.all([1, 2].map(() => agentOf("", limits, opened)));
  await Promise.all([first?.fetch(base), second?.fetch(base)]);
  assert.equal(readFileSync(`${opened.files}.spent`, "utf8"), '{"signedFor":"2000"}\n');
  await assert.rejects(first?.fetch(base) ?? Promise.resolve(), { name: "SpendingError", message: /leaves 500/ });
  writeFileSync(`${opened.files}.spent`, "not json");
  await assert.rejects(first?.fetch(base) ?? Promise.resolve(), { name: "SpendingError" });
});

test("no more is locked than may be, of all processes", async () => {
  const opened = session({ verifier: await verifier() });
  const url = await answering(["insufficient_funds", 200, 200, "insufficient_funds", 200]);
  const outcomes: string[] = [];
  for (let count = 0; count < 4; count += 1) {
    const agent = await agentOf("", { maximumLocked: 2000n }, opened);
    outcomes.push((await agent.buy(url)).kind);
  }
  assert.deepEqual(outcomes, ["refused", "served", "served", "refused"]);
  const agent = await agentOf("", { maximumLocked: 2000n }, opened);
  await assert.rejects(agent.buy(url), { name: "SpendingError", message: /maximumLocked is 2000/ });
  assert.equal(agent.signedFor, 4000n);
});

test("limits are amounts of the session's token, exactly", async () => {
  const url = await verifier();
  await assert.rejects(agentOf(url, { maximumAmount: "1,5" }), /maximumAmount: "1,5" is not an amount/);
  await assert.rejects(agentOf(url, { maximumHold: "0.0000001" }), /maximumHold: .* more than the token's 6 decimals/);
  await assert.rejects(agentOf(url, { spendingLimit: -1n }), /spendingLimit: -1 is no number of base units/);
  const base = await shop([]);
  assert.equal((await payWith(url, { maximumAmount: "0.001" })(base)).status, 200);
  await assert.rejects(payWith(url, { maximumAmount: "0.000999" })(base), /above the maximum of 999/);
});

test("plain HTTP is refused but for this machine, unless it is asked for", async () => {
  const sent: string[] = [];
  const send: typeof fetch = (input) => {
    sent.push(input instanceof Request ? input.url : String(input));
    return Promise.resolve(new Response("free"));
  };
  const https = { verifier: "https://verifier.example" };
  const agent = await agentOf("", {}, https, { fetch: send });
  for (const url of [
    "http://shop.example/a",
    "http://localhost.example/",
    "http://127.0.0.1.example/",
    "http://10.0.0.1/",
  ]) {
    await assert.rejects(agent.fetch(url), { name: "PlainHttpError" });
  }
  assert.deepEqual(sent, []);
  for (const url of ["https://shop.example/", "http://localhost:1/", "http://127.0.0.2/", "http://[::1]/"]) {
    assert.equal((await agent.fetch(url)).status, 200);
  }
  const open = await agentOf("", {}, https, { fetch: send, allowHttp: true });
  assert.equal((await open.fetch("http://shop.example/a")).status, 200);
  await assert.rejects(agentOf("http://verifier.example"), { name: "PlainHttpError" });
});

test("the verifier is told the hash of a URL, and nothing else of it", async () => {
  const drafts: unknown[] = [];
  const base = await shop([]);
  await payWith(await verifier({}, drafts))(`${base}/report?secret=1`, { method: "POST", body: "private" });
  const text = JSON.stringify(drafts);
  const hash = writeHex(resourceHash("POST", `${base}/report?secret=1`, new TextEncoder().encode("private")));
  assert.ok(text.includes(`"resourceHash":"${hash}"`) && text.includes(`urn:sha256:${hash}`));
  assert.ok(!text.includes("secret") && !text.includes(base) && !text.includes("private"));
});

test("all requests are sent with the caller's fetch", async () => {
  const asked: string[] = [];
  const base = await shop([]);
  const url = await verifier();
  const send: typeof fetch = (input, init) => {
    asked.push(new URL(input instanceof Request ? input.url : String(input)).pathname);
    return fetch(input, init);
  };
  await (await agentOf(url, {}, {}, { fetch: send })).fetch(`${base}/report`);
  assert.deepEqual(asked, ["/report", "/intents", "/report"]);
});

test("long answers of a server or a verifier are not read", async () => {
  const long = "x".repeat(70_000);
  const base = await serve((_request, response) => {
    response.writeHead(402, { "payment-required": Buffer.from(`{"a":"${long}"}`).toString("base64") }).end();
  });
  // Node itself reads headers of 16 KiB at most.
  await assert.rejects(payWith(await verifier())(base), { name: "TypeError" });
  const endless = await serve((_request, response) => response.end(" ".repeat(1_048_577)));
  await assert.rejects(payWith(endless)(await shop([])), /longer than 1048576 bytes/);
});

test("text of others is escaped in errors", async () => {
  const base = await shop([], (offered) => void (offered.asset = "\u001b[2J"));
  await assert.rejects(payWith(await verifier())(base), (error: Error) => {
    return error.name === "RefusedError" && error.message.includes("is \\u{1b}[2J, the escrow holds");
  });
  const refusing = await serve((_request, response) => {
    const error = { code: "x", message: "no\u001b[31m way\u202e" };
    response.writeHead(422).end(JSON.stringify({ error, passedOver: [{ reason: "a\u0007b" }] }));
  });
  await assert.rejects(payWith(refusing)(await shop([])), (error: Error) => {
    return error.message.endsWith("no\\u{1b}[31m way\\u{202e}; a\\u{7}b");
  });
});

test("a request that has a payment already is left alone", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const opened = session({ verifier: await verifier() });
  const agent = await agentOf("", {}, opened);
  await agent.fetch(base, { headers: { "payment-signature": "other" } });
  assert.deepEqual([received.map(({ payment }) => payment), existsSync(`${opened.files}.journal`)], [["other"], false]);
});
