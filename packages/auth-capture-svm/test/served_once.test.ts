import assert from "node:assert/strict";
import { test } from "node:test";

import type { PaymentPayload } from "@x402/core/types";

import { paymentIdOf } from "../src/server/payment.js";
import { type Failure, Ledger } from "./ledger.js";
import { opening, payment, send, shop, voucher } from "./shop.js";

/** An array in an array in an array. */
function nested(depth: number): unknown {
  return JSON.parse("[".repeat(depth) + "]".repeat(depth));
}

/** The same payment, with members that nobody asked for, deeper than the verifier reads. */
function junk(paid: PaymentPayload): PaymentPayload {
  const inVoucher = paid.payload["voucher"] as object | undefined;
  const deep = nested(200);
  return {
    ...paid,
    payload: { ...paid.payload, deep, ...(inVoucher === undefined ? {} : { voucher: { ...inVoucher, deep } }) },
    extensions: { deep },
    ...{ deep },
  };
}

/** What a verifier may say instead of a verdict. */
const FAILURES: Failure[] = [
  ...[400, 401, 404, 409, 413, 429, 500, 502, 503, 504].map((status) => ({ status })),
  { status: 400, body: JSON.stringify({ success: true, transaction: "", network: "" }) },
  { status: 503, body: JSON.stringify({ success: false, transaction: "", network: "" }) },
  { status: 200, body: "" },
  { status: 200, body: "garbage" },
  { status: 200, body: JSON.stringify({ success: "yes" }) },
  {},
];

/** What is bought, and what becomes of the hold before it is asked for again. */
const PURCHASES: [string, (bought: { ledger: Ledger; base: string }) => Promise<[string, PaymentPayload]>][] = [
  [
    "a payment whose capture is only reserved",
    async ({ ledger, base }) => {
      ledger.books.isReserving = true;
      return ["/report", await payment(`${base}/report`)];
    },
  ],
  ["a payment that is captured", async ({ base }) => ["/report", await payment(`${base}/report`)]],
  ["the opening of a streamed hold", async ({ base }) => ["/tick", await opening(`${base}/tick`)]],
  [
    "a voucher",
    async ({ base }) => {
      const opens = await opening(`${base}/tick`);
      assert.equal((await send(`${base}/tick`, opens)).status, 200);
      return ["/tick", { ...opens, payload: voucher(paymentIdOf(opens), 200) }];
    },
  ],
];

for (const [name, buy] of PURCHASES) {
  for (const isClosed of /opening|voucher/.test(name) ? [false, true] : [false]) {
    const described = `${name}${isClosed ? " of a hold that is closed then" : ""}`;

    test(`${described} buys once, whatever junk comes in between`, async () => {
      const ledger = await Ledger.start();
      const { base, scheme, served } = await shop(ledger);
      const [path, paid] = await buy({ ledger, base });
      const before = served();
      assert.equal((await send(`${base}${path}`, paid)).status, 200);
      if (isClosed) {
        await scheme.closeStreams();
      }
      for (let count = 0; count < 3; count += 1) {
        assert.equal((await send(`${base}${path}`, junk(paid))).status, 402);
        assert.equal((await send(`${base}${path}`, paid)).status, 402);
      }
      assert.equal(served(), before + 1);
    });

    test(`${described} buys once, whatever the verifier answers in between`, async () => {
      const ledger = await Ledger.start();
      const { base, scheme, served } = await shop(ledger);
      const [path, paid] = await buy({ ledger, base });
      const before = served();
      assert.equal((await send(`${base}${path}`, paid)).status, 200);
      if (isClosed) {
        await scheme.closeStreams();
      }
      for (const failure of FAILURES) {
        ledger.failures.push(failure);
        await send(`${base}${path}`, paid);
        ledger.failures.length = 0;
        await send(`${base}${path}`, paid);
      }
      assert.equal(served(), before + 1);
    });
  }

  test(`${name} buys once, however often it comes at once`, async () => {
    const ledger = await Ledger.start();
    const { base, served } = await shop(ledger);
    const [path, paid] = await buy({ ledger, base });
    const before = served();
    for (let round = 0; round < 3; round += 1) {
      ledger.failures.push(...[...FAILURES, undefined, { isAccepted: true }, { status: 503, isAccepted: true }]);
      const sent = Array.from({ length: 40 }, (_, count) => (count % 4 === 3 ? junk(paid) : paid));
      await Promise.all(sent.map((one) => send(`${base}${path}`, one)));
    }
    ledger.failures.length = 0;
    await send(`${base}${path}`, paid);
    assert.equal(served(), before + 1);
  });

  test(`${name} buys later where the verifier's answer was lost`, async () => {
    for (const failure of [{ status: 429 }, { status: 503, isAccepted: true }, { isAccepted: true }]) {
      const ledger = await Ledger.start();
      const { base, served } = await shop(ledger);
      const [path, paid] = await buy({ ledger, base });
      const before = served();
      ledger.failures.push(failure);
      assert.equal((await send(`${base}${path}`, paid)).reason, "unexpected_settle_error");
      assert.equal((await send(`${base}${path}`, paid)).status, 200);
      assert.equal((await send(`${base}${path}`, paid)).status, 402);
      assert.equal(served(), before + 1);
    }
  });
}

test("a payment that the verifier can't read, or finds too long, is refused", async () => {
  const ledger = await Ledger.start();
  const { base, served } = await shop(ledger);
  for (const status of [400, 413]) {
    ledger.failures.push({ status });
    const { reason } = await send(`${base}/report`, await payment(`${base}/report`));
    assert.equal(reason, "invalid_payload");
  }
  assert.equal(served(), 0);
});

test("what the opening of a hold bought, its voucher does not buy, and the other way round", async () => {
  const ledger = await Ledger.start();
  const { base, served } = await shop(ledger);
  const url = `${base}/tick`;
  for (const isOpeningFirst of [true, false]) {
    const opens = await opening(url);
    const alone = { ...opens, payload: opens.payload["voucher"] as Record<string, unknown> };
    const [first, then] = isOpeningFirst ? [opens, alone] : [alone, opens];
    const before = served();
    ledger.failures.push({ status: 503, isAccepted: true });
    assert.equal((await send(url, opens)).status, 402);
    assert.equal((await send(url, first)).status, 200);
    assert.equal((await send(url, then)).status, 402);
    assert.equal((await send(url, first)).status, 402);
    assert.equal(served(), before + 1);
  }
});

test("a voucher that was refused is no less served, and one that was not served no less owed", async () => {
  const ledger = await Ledger.start();
  const { base, on, served } = await shop(ledger);
  const opens = await opening(`${base}/tick`);
  await send(`${base}/tick`, opens);
  const second = { ...opens, payload: voucher(paymentIdOf(opens), 200) };
  on((_request, response) => response.status(500).send("failed"));
  assert.equal((await send(`${base}/tick`, second)).status, 500);
  on((_request, response) => response.send("served"));
  const forged = { ...second, payload: { ...second.payload, signature: "1".repeat(64) } };
  const { reason } = await send(`${base}/tick`, forged);
  assert.equal(reason, "invalid_auth_capture_svm_authorizer_signature");
  ledger.failures.push({ status: 503 }, { status: 400 });
  await send(`${base}/tick`, second);
  await send(`${base}/tick`, second);
  assert.equal((await send(`${base}/tick`, second)).status, 200);
  assert.equal((await send(`${base}/tick`, second)).status, 402);
  assert.equal(served(), 3);
});

test("only what the scheme has reaches the verifier", async () => {
  const ledger = await Ledger.start();
  const { base } = await shop(ledger);
  const opens = await opening(`${base}/named-tick`);
  const second = { ...opens, payload: voucher(paymentIdOf(opens), 200) };
  const id = "pay_0123456789abcdef";
  for (const [path, paid] of [
    ["/report", await payment(`${base}/report`)],
    ["/named", await payment(`${base}/named`)],
    ["/named-tick", opens],
    ["/named-tick", second],
  ] as const) {
    const { extensions, ...more } = junk(paid);
    const named = { ...extensions, "payment-identifier": { info: { required: false, id, more: nested(3) } } };
    const resource = { url: `${base}${path}?secret` };
    assert.equal((await send(`${base}${path}`, { ...more, resource, extensions: named })).status, 200);
    const [asked] = ledger.asked.splice(0);
    const identified = path === "/report" ? {} : { extensions: { "payment-identifier": { info: { id } } } };
    assert.deepEqual(asked, { ...paid, ...identified });
  }
});
