/** Plays docs/conversations/agent.json: what servers and verifiers may say, and what an agent makes of it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import {
  decodePaymentSignatureHeader,
  encodePaymentRequiredHeader,
  encodePaymentResponseHeader,
} from "@x402/core/http";
import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../src/bytes.js";
import { streamResourceHash } from "../src/messages.js";
import { identifierDeclaration } from "../src/payment_identifier.js";
import { voucherOf } from "../src/server/payment.js";
import { NETWORK } from "./fixture.js";
import { agentOf, offerFor, serve, verifier } from "./peers.js";

const PRICE = 1000n;

/** To each sending with a payment: a status, the reason of a refusal, or that the answer gets lost. */
type Answer = number | string;

interface Conversation {
  readonly name: string;
  /** Whether the server takes ids. */
  readonly ids?: boolean;
  /** Whether it offers holds of ten times the price. */
  readonly stream?: boolean;
  /** What the verifier says of every payment; nothing: it knows none. */
  readonly verifier?: unknown;
  readonly fetches: { readonly key?: string; readonly answers: Answer[]; readonly told: string }[];
  /** How many are signed. */
  readonly intents: number;
  /** Amounts of all vouchers that are sent, in prices. */
  readonly vouchers: number[];
}

/** A server that answers as told, and the payments it was sent. */
async function server({ ids, stream }: Conversation, answers: Answer[], payments: string[]): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    const url = `${base}${request.url}`;
    if (payment === undefined) {
      const accepts = [stream === true ? streamed(url) : offerFor(request.method ?? "", url, body)];
      const extensions = ids === true ? { "payment-identifier": identifierDeclaration("required") } : {};
      const challenge = { x402Version: 2 as const, resource: { url }, accepts, extensions };
      return void response.writeHead(402, { "payment-required": encodePaymentRequiredHeader(challenge) }).end();
    }
    payments.push(payment);
    const answer = answers.shift();
    if (answer === undefined || answer === "lost") {
      return void response.socket?.destroy();
    }
    if (typeof answer === "number") {
      return void response.writeHead(answer).end();
    }
    const refusal = { success: false, errorReason: answer, transaction: "", network: NETWORK } as const;
    response.writeHead(402, { "payment-response": encodePaymentResponseHeader(refusal) }).end();
  });
  return base;
}

function streamed(url: string): PaymentRequirements {
  const offer = offerFor("GET", url, "");
  const resourceHash = writeHex(streamResourceHash(new URL(url).origin));
  const extra = { ...offer.extra, captureAuthorizer: "sessionKey", requestPrice: PRICE.toString(), resourceHash };
  return { ...offer, amount: (10n * PRICE).toString(), extra };
}

const conversations = JSON.parse(
  readFileSync(new URL("../../../../docs/conversations/agent.json", import.meta.url), "utf8"),
) as Conversation[];

test("there are conversations", () => assert.ok(conversations.length > 15));

// At once, since some wait for seconds.
describe("each conversation ends as it is written", { concurrency: true }, () => {
  for (const conversation of conversations) {
    test(conversation.name, async () => {
      const answers: Answer[] = [];
      const payments: string[] = [];
      const base = await server(conversation, answers, payments);
      const limits = { maximumAmount: PRICE, ...(conversation.stream === true ? { maximumHold: 10n * PRICE } : {}) };
      const agent = await agentOf(await verifier({}, [], () => conversation.verifier), limits);
      let sendings = 0;
      for (const [number, { key, answers: said, told }] of conversation.fetches.entries()) {
        answers.splice(0, answers.length, ...said);
        sendings += said.length;
        const buying = agent.buy(`${base}/report`, undefined, key === undefined ? {} : { key });
        const kind = await buying.then((outcome) => outcome.kind).catch(() => "error");
        assert.equal(kind, told, `fetch ${number + 1}`);
        assert.equal(payments.length, sendings, `fetch ${number + 1}: each answer is to one sending`);
      }
      const sent = payments.map(decodePaymentSignatureHeader);
      const intents = sent.flatMap(({ payload }) => (payload["nonce"] === undefined ? [] : [payload["nonce"]]));
      assert.equal(new Set(intents).size, conversation.intents);
      const vouchers = conversation.stream === true ? sent.map((payment) => voucherOf(payment).amount / PRICE) : [];
      assert.deepEqual(vouchers.map(Number), conversation.vouchers);
    });
  }
});
