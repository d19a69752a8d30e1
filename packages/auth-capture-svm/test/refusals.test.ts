import assert from "node:assert/strict";
import { test } from "node:test";

import type { PaymentPayload } from "@x402/core/types";

import { paymentIdOf } from "../src/server/payment.js";
import { address } from "./fixture.js";
import { Facilitator, opened, payment, send, shop } from "./shop.js";

const changes: [string, (paid: PaymentPayload) => void][] = [
  ["amount", ({ accepted }) => void (accepted.amount = "999")],
  ["payTo", ({ accepted }) => void (accepted.payTo = address(9))],
  ["extra.captureAuthorizer", ({ accepted }) => void (accepted.extra["captureAuthorizer"] = address(9))],
  ["extra.resourceHash", ({ accepted }) => void (accepted.extra["resourceHash"] = "00".repeat(32))],
  ["extra.feeRecipient", ({ accepted }) => void (accepted.extra["feeRecipient"] = address(9))],
  ["extra.refundDeadline", ({ accepted }) => void (accepted.extra["refundDeadline"] = 4_000_000_000)],
  [
    "extra.captureDeadline",
    ({ accepted }) => void (accepted.extra["captureDeadline"] = Math.floor(Date.now() / 1000) + 59),
  ],
  [
    "extra.captureDeadline",
    ({ accepted }) => void (accepted.extra["captureDeadline"] = Math.floor(Date.now() / 1000) + 3700),
  ],
  ["payload.type", ({ payload }) => void (payload["type"] = "void")],
  ["payload.nonce", ({ payload }) => void (payload["nonce"] = 1)],
  ["payload.receiverProof.0", ({ payload }) => void (payload["receiverProof"] = ["ab"])],
  ["payload.receiverProof", ({ payload }) => void (payload["receiverProof"] = Array(13).fill("ab".repeat(32)))],
];
for (const [field, change] of changes) {
  test(`a payment with another ${field} is refused before the facilitator is asked`, async () => {
    const { base, facilitator, served } = await shop();
    const paid = await payment(`${base}/report`);
    change(paid);
    const { status, settlement } = await send(`${base}/report`, paid);
    assert.deepEqual([status, facilitator.settled(), served()], [402, [], 0]);
    // The core compares some fields itself, and says less.
    assert.ok(settlement === undefined || settlement.errorMessage?.includes(field), settlement?.errorMessage);
  });
}

test("a hold that is refused buys nothing", async () => {
  const { base, facilitator, served, noted } = await shop();
  facilitator.next.push({ success: false, errorReason: "insufficient_funds", transaction: "" });
  const { status, reason } = await send(`${base}/report`, await payment(`${base}/report`));
  assert.deepEqual([status, reason, served(), noted()], [402, "insufficient_funds", 0, {}]);
});

test("a hold without a verdict buys nothing, and the same payment buys later", async () => {
  const { base, facilitator, served } = await shop();
  const pending = { success: false, errorReason: "settlement_pending", transaction: "tx" };
  for (const failure of [new Error("no answer"), pending]) {
    const paid = await payment(`${base}/report`);
    facilitator.next.push(failure);
    assert.equal((await send(`${base}/report`, paid)).status, 402);
    facilitator.next.push({ extra: { state: "authorized", status: "confirmed", alreadySettled: true, claimed: true } });
    assert.equal((await send(`${base}/report`, paid)).status, 200);
  }
  assert.equal(served(), 2);
});

test("a hold without a verdict that turns out to be another instance's buys nothing", async () => {
  const { base, facilitator, served } = await shop();
  for (const answer of [
    { extra: { state: "authorized", status: "confirmed", alreadySettled: true } },
    { success: false, errorReason: "duplicate_settlement" },
  ]) {
    const paid = await payment(`${base}/report`);
    facilitator.next.push(new Error("no answer"));
    await send(`${base}/report`, paid);
    facilitator.next.push(answer);
    assert.equal((await send(`${base}/report`, paid)).reason, "duplicate_settlement");
  }
  assert.equal(served(), 0);
});

test("a hold that is less final than the route asks buys nothing", async () => {
  const { base, served } = await shop();
  const { status, reason } = await send(`${base}/final`, await payment(`${base}/final`));
  assert.deepEqual([status, reason, served()], [402, "unexpected_settle_error", 0]);
});

test("a capture that the facilitator doesn't take is kept, and settled later", async () => {
  const { base, facilitator, noted, scheme, on } = await shop();
  const paid = await payment(`${base}/report`);
  on((_request, response) => (facilitator.next.push(new Error("no answer")), response.send("served")));
  const { status, settlement } = await send(`${base}/report`, paid);
  assert.deepEqual([status, settlement?.success], [200, true]);
  assert.equal(noted()[paymentIdOf(paid)], "capturing");
  await scheme.settleLeftOver();
  assert.deepEqual(facilitator.settled(), ["hold", "capture", "capture"]);
  assert.deepEqual(noted(), {});
});

test("what is captured is served, though the facilitator refuses the capture: it is asked for again", async () => {
  const { base, facilitator, noted, on, scheme } = await shop();
  const refusal = { success: false, errorReason: "invalid_auth_capture_svm_authorizer_signature" };
  on((_request, response) => (facilitator.next.push(refusal), response.send("served")));
  const { status, text } = await send(`${base}/report`, await payment(`${base}/report`));
  assert.deepEqual([status, text, Object.values(noted())], [200, "served", ["capturing"]]);
  await scheme.settleLeftOver();
  assert.deepEqual([facilitator.settled(), noted()], [["hold", "capture", "capture"], {}]);
});

test("what a crash left behind is released by the next run, and only then", async () => {
  const { base, facilitator, noted, on, scheme, state } = await shop();
  const paid = await payment(`${base}/report`);
  const running = new Promise<void>((resolve) => on(() => resolve())); // never answers
  const request = send(`${base}/report`, paid).catch(() => undefined);
  await running;
  await scheme.settleLeftOver();
  assert.deepEqual(facilitator.settled(), ["hold"], "a request that runs is left alone");

  await assert.rejects(shop(facilitator, state), /uses it; give each a folder of its own/);
  scheme.close();
  const next = await shop(facilitator, state);
  await next.scheme.settleLeftOver();
  assert.deepEqual(facilitator.settled(), ["void"]);
  assert.deepEqual(noted(), {});
  opened[opened.length - 2]?.server.closeAllConnections();
  await request;
});

test("a body that was parsed before it could be hashed is the server's error, not a free pass", async () => {
  const { base, served } = await shop(undefined, undefined, { parser: "lost" });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${base}/translate`, { method: "POST", body: "{}", headers });
  assert.deepEqual([response.status, served()], [500, 0]);

  // Without a content-length.
  const body = new Blob(["{}"]).stream();
  const chunked = await fetch(`${base}/translate`, { method: "POST", body, headers, duplex: "half" } as RequestInit);
  assert.deepEqual([chunked.status, served()], [500, 0]);
});

/** A facilitator of another program, or on another cluster. */
class Other extends Facilitator {
  readonly #change: object;

  constructor(change: object) {
    super();
    this.#change = change;
  }

  override async getSupported() {
    const supported = await super.getSupported();
    return { ...supported, kinds: supported.kinds.map((kind) => ({ ...kind, ...this.#change })) };
  }
}

test("a program that only the facilitator names is refused at the start", async () => {
  const program = { extra: { program: address(9), feePayer: address(4) } };
  await assert.rejects(shop(new Other(program)), /settles auth-capture of cGf.* on solana:test, and not of Esc.*/);
  await assert.rejects(shop(undefined, undefined, { program: address(9) }), /settles .* and not of cGf/);
  const mainnet = { network: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" };
  await assert.rejects(
    shop(new Other(mainnet)),
    /set the merchant's program/,
    "a local program's key is nobody's secret",
  );
  await assert.rejects(shop(new Other({ scheme: "exact" })), /settles auth-capture of no escrow program/);
});

test("a merchant sells by the program that it names", async () => {
  const facilitator = new Other({ extra: { paymentFlow: "escrow", program: address(9), feePayer: address(4) } });
  const { base } = await shop(facilitator, undefined, { program: address(9) });
  const paid = await payment(`${base}/report`);
  assert.equal(paid.accepted.extra["program"], address(9));
  assert.equal((await send(`${base}/report`, paid)).status, 200);
});
