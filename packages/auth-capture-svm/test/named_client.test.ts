import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, test } from "node:test";

import { decodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentRequirements } from "@x402/core/types";

import { type IdentifierOffer, identifierDeclaration } from "../src/payment_identifier.js";
import { paymentIdOf, voucherOf } from "../src/server/payment.js";
import { answerWith, askFor, offerFor, payWith, serve, verifier } from "./peers.js";
import { streamedOffer } from "./streaming_shop.js";

type Answer = (response: ServerResponse, payment: string) => void;

const EXTENSION = "payment-identifier";

/** A server that takes ids, and answers the payments it gets one after the other; the last answer is kept. */
async function namedShop(
  payments: string[],
  answers: Answer[],
  identified: IdentifierOffer | null = "optional",
  offered?: (base: string) => PaymentRequirements,
): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    if (payment !== undefined) {
      payments.push(payment);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      return answer?.(response, body);
    }
    const url = `${base}${request.url}`;
    const accepted = offered?.(base) ?? offerFor(request.method ?? "", url, body);
    askFor(response, url, accepted, identified ?? undefined);
  });
  return base;
}

const served: Answer = (response, body) => response.end(`served ${body}`);
const hangsUp: Answer = (response) => response.socket?.destroy();
const breaksOff: Answer = (response) => {
  response.writeHead(200, { "content-length": "100" }).write("serv", () => response.socket?.destroy());
};
const says =
  (status: number): Answer =>
  (response) =>
    response.writeHead(status).end();
const refuses =
  (reason: string): Answer =>
  (response) =>
    answerWith(response, reason);

const idOf = (payment: string): unknown => {
  const { extensions } = decodePaymentSignatureHeader(payment);
  return (extensions?.[EXTENSION] as { info?: { id?: unknown } } | undefined)?.info?.id;
};

const LOST: [string, Answer][] = [
  ["hangs up", hangsUp],
  ["breaks off in the body", breaksOff],
  ["says 502", says(502)],
  ["says 503", says(503)],
  ["says 504", says(504)],
  ["says settlement_pending", refuses("settlement_pending")],
  ["says unexpected_settle_error", refuses("unexpected_settle_error")],
];
// At once, since each waits for two seconds.
describe("the same payment is sent again under its id, and nothing else is signed", { concurrency: true }, () => {
  for (const [name, lost] of LOST) {
    test(`to a server that ${name}`, async () => {
      const payments: string[] = [];
      const drafts: unknown[] = [];
      const base = await namedShop(payments, [lost, lost, served], "required");
      const pay = payWith(await verifier({}, drafts), { spendingLimit: 1000n });
      const response = await pay(`${base}/words`, { method: "POST", body: "hello" });
      assert.deepEqual([response.status, await response.text()], [200, "served hello"]);
      assert.deepEqual([payments.length, new Set(payments).size, drafts.length], [3, 1, 1]);
      const [payment = ""] = payments;
      assert.equal(idOf(payment), `pay_${paymentIdOf(decodePaymentSignatureHeader(payment))}`);
    });
  }
});

test("the server's declaration comes back with the id in it, as its middleware wants", async () => {
  const payments: string[] = [];
  assert.equal((await payWith(await verifier())(await namedShop(payments, [served], "required"))).status, 200);
  const [payment = ""] = payments;
  const declared = identifierDeclaration("required") as { info: object; schema: object };
  const echoed = decodePaymentSignatureHeader(payment).extensions?.[EXTENSION];
  assert.deepEqual(echoed, { ...declared, info: { ...declared.info, id: idOf(payment) } });
});

test("a payment is sent three times at most", async () => {
  const payments: string[] = [];
  const url = await verifier();
  await assert.rejects(payWith(url)(await namedShop(payments, [hangsUp])), (error: Error) => {
    const paymentId = paymentIdOf(decodePaymentSignatureHeader(payments[0] ?? ""));
    return error.name === "NoAnswerError" && error.message.includes(paymentId);
  });
  assert.deepEqual([payments.length, new Set(payments).size], [3, 1]);
  const busy: string[] = [];
  assert.equal((await payWith(url)(await namedShop(busy, [says(503)]))).status, 503);
  assert.deepEqual([busy.length, new Set(busy).size], [3, 1]);
});

// At once, since each waits for a second or two.
describe("a repeat that the server has had before is no answer", { concurrency: true }, () => {
  for (const [name, lost] of LOST) {
    for (const count of [1, 2]) {
      test(`to a server that ${name} ${count === 1 ? "once" : "twice"}`, async () => {
        const payments: string[] = [];
        const before = Array<Answer>(count).fill(lost);
        const base = await namedShop(payments, [...before, refuses("duplicate_settlement")]);
        await assert.rejects(payWith(await verifier())(base), (error: Error) => {
          const paymentId = paymentIdOf(decodePaymentSignatureHeader(payments[0] ?? ""));
          return error.name === "NoAnswerError" && error.message.includes(paymentId);
        });
        assert.deepEqual([payments.length, new Set(payments).size], [count + 1, 1]);
      });
    }
  }

  test("where it is a voucher, which is followed by the next", async () => {
    const payments: string[] = [];
    const repeated = refuses("invalid_auth_capture_svm_voucher_repeated");
    const answers = [served, hangsUp, repeated, repeated, served];
    const base = await namedShop(payments, answers, "optional", streamedOffer);
    const pay = payWith(await verifier(), { maximumHold: 1000n });
    assert.equal((await pay(base)).status, 200);
    await assert.rejects(pay(base), { name: "NoAnswerError" });
    assert.equal((await pay(base)).status, 200);
    const amounts = payments.map((payment) => voucherOf(decodePaymentSignatureHeader(payment)).amount);
    assert.deepEqual(amounts, [100n, 200n, 200n, 200n, 300n]);
  });
});

test("an answer is an answer, and each purchase has an id of its own", async () => {
  const payments: string[] = [];
  const answers = [served, says(404), says(409), says(500), refuses("duplicate_settlement"), served];
  const base = await namedShop(payments, answers);
  const pay = payWith(await verifier());
  for (const status of [200, 404, 409, 500, 402, 200]) {
    assert.equal((await pay(base)).status, status);
  }
  assert.equal(new Set(payments.map(idOf)).size, 6);
});

test("to a server that takes no ids nothing is sent again", async () => {
  for (const answer of [hangsUp, says(503), refuses("settlement_pending")]) {
    const payments: string[] = [];
    const base = await namedShop(payments, [answer, served], null);
    const response = await payWith(await verifier())(base).catch((error: Error) => error.name);
    assert.ok(response === "NoAnswerError" || (response as Response).status !== 200);
    assert.deepEqual(payments.map(idOf), [undefined]);
  }
});

test("who gives up is not paid for again", async () => {
  const payments: string[] = [];
  const giveUp = new AbortController();
  const base = await namedShop(payments, [(response) => (giveUp.abort(), response.end())]);
  await assert.rejects(payWith(await verifier())(base, { signal: giveUp.signal }), { name: "NoAnswerError" });
  await new Promise((resolve) => setTimeout(resolve, 1200));
  assert.equal(payments.length, 1);
});

test("each voucher has an id of its own, and is sent again under it", async () => {
  const payments: string[] = [];
  const answers = [served, hangsUp, served, served, says(500), served];
  const base = await namedShop(payments, answers, "optional", streamedOffer);
  const pay = payWith(await verifier(), { maximumHold: 1000n });
  for (const status of [200, 200, 200, 500, 200]) {
    assert.equal((await pay(base)).status, status);
  }
  const id = `pay_${paymentIdOf(decodePaymentSignatureHeader(payments[0] ?? ""))}`;
  const ids = [id, `${id}_200`, `${id}_200`, `${id}_300`, `${id}_400`, `${id}_400`];
  assert.deepEqual(payments.map(idOf), ids);
  assert.equal(payments[1], payments[2]);
});
