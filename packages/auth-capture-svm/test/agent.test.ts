/** What an agent's limits mean, and whom it tells what. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { writeHex } from "../src/bytes.js";
import { resourceHash } from "../src/messages.js";
import { session } from "./fixture.js";
import { agentOf, answering, payWith, type Received, serve, shop, verifier } from "./peers.js";

test("the spending limit is one over processes and restarts, in the Rust agent's file", async () => {
  const base = await shop([]);
  const opened = session({ verifier: await verifier() });
  const limits = { spendingLimit: "0.0025" };
  const [first, second] = await Promise.all([1, 2].map(() => agentOf("", limits, opened)));
  await Promise.all([first?.fetch(base), second?.fetch(base)]);
  const counted = JSON.parse(readFileSync(`${opened.files}.spent`, "utf8")) as { signedFor: string; promised: object };
  assert.deepEqual([counted.signedFor, Object.keys(counted.promised).length], ["2000", 2]);
  await assert.rejects(first?.fetch(base) ?? Promise.resolve(), { name: "SpendingError", message: /leaves 0\.0005/ });
  writeFileSync(`${opened.files}.spent`, "not json");
  await assert.rejects(first?.fetch(base) ?? Promise.resolve(), { name: "SpendingError" });
});

test("a payment that ended for less leaves the rest of the limit, also one of the Rust agent", async () => {
  let report: unknown = { state: "authorized", captured: "0" };
  const opened = session({ verifier: await verifier({}, [], () => report) });
  const promised = { amount: "2000", authorizeBy: 1, captureDeadline: 2 };
  const file = `${opened.files}.spent`;
  writeFileSync(file, JSON.stringify({ signedFor: "2000", promised: { ["ab".repeat(32)]: promised } }));
  const agent = await agentOf("", { spendingLimit: "0.0025" }, opened);
  const base = await shop([]);
  await assert.rejects(agent.fetch(base), { name: "SpendingError", message: /leaves 0\.0005/ });
  report = { state: "ended", captured: "1500" };
  await agent.fetch(base);
  assert.equal(agent.signedFor, 2500n);
  assert.equal(Object.keys((JSON.parse(readFileSync(file, "utf8")) as { promised: object }).promised).length, 1);
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
  await assert.rejects(agent.buy(url), { name: "SpendingError", message: /maximumLocked is 0\.002/ });
  assert.equal(agent.signedFor, 4000n);
});

test("limits are amounts of the session's token, exactly", async () => {
  const url = await verifier();
  await assert.rejects(agentOf(url, { maximumAmount: "1,5" }), /maximumAmount: "1,5" is not an amount/);
  await assert.rejects(agentOf(url, { maximumHold: "0.0000001" }), /maximumHold: .* more than the token's 6 decimals/);
  await assert.rejects(agentOf(url, { spendingLimit: -1n }), /spendingLimit: -1 is no number of base units/);
  const base = await shop([]);
  assert.equal((await payWith(url, { maximumAmount: "0.001" })(base)).status, 200);
  await assert.rejects(payWith(url, { maximumAmount: "0.000999" })(base), /above the maximum of 0\.000999/);
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
