/** Plays docs/conversations/agent.json: what servers and verifiers may say, and what an agent makes of it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { decodePaymentSignatureHeader } from "@x402/core/http";
import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../src/bytes.js";
import { Journal } from "../src/client/journal.js";
import { streamResourceHash } from "../src/messages.js";
import { voucherOf } from "../src/server/payment.js";
import { session } from "./fixture.js";
import { agentOf, type Answer, answerWith, askFor, now, offerFor, serve, verifier } from "./peers.js";

const PRICE = 1000n;

type Deadline = "authorizeBy" | "captureDeadline";

interface Conversation {
  readonly name: string;
  /** Whether the server takes ids. */
  readonly ids?: boolean;
  /** Whether it offers holds of ten times the price. */
  readonly stream?: boolean;
  /** What the verifier says of every payment; nothing: it knows none. */
  readonly verifier?: unknown;
  readonly fetches: {
    readonly key?: string;
    /** To each sending, in the order in which they arrive. */
    readonly answers: Answer[];
    /** A list if as many are begun at once, in alphabetical order. */
    readonly told: string | string[];
    /** The deadline of the payment until which it may settle. */
    readonly until?: Deadline;
  }[];
  /** How many are signed. */
  readonly intents: number;
  /** Amounts of all vouchers that are sent, in prices. */
  readonly vouchers: number[];
  /** What the journal has in the end of purchases with a key. */
  readonly journal?: { readonly key: string; readonly state: string; readonly authorizeBy: Deadline }[];
}

/** What a caller is told by an error; what a test found is no such. */
function errorOf(error: unknown): string {
  if (error instanceof assert.AssertionError) {
    throw error;
  }
  return "error";
}

/** Which of a payment's deadlines a time is: a minute from now, or ten. */
function deadlineOf(seconds: number): Deadline {
  return seconds - now() < 300 ? "authorizeBy" : "captureDeadline";
}

/** A server that answers as told, and the payments it was sent. */
async function server({ ids, stream }: Conversation, answers: Answer[], payments: string[]): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    const url = `${base}${request.url}`;
    if (payment === undefined) {
      const accepted = stream === true ? streamed(url) : offerFor(request.method ?? "", url, body);
      return askFor(response, url, accepted, ids === true ? "required" : undefined);
    }
    payments.push(payment);
    answerWith(response, answers.shift() ?? "lost");
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
      const opened = session({ verifier: await verifier({}, [], () => conversation.verifier) });
      const agent = await agentOf("", limits, opened);
      let sendings = 0;
      for (const [number, { key, answers: said, told, until }] of conversation.fetches.entries()) {
        answers.splice(0, answers.length, ...said);
        sendings += said.length;
        const buying = [told].flat().map(async () => {
          const outcome = await agent.buy(`${base}/report`, undefined, key === undefined ? {} : { key });
          if (until !== undefined && "maySettleUntil" in outcome) {
            assert.equal(deadlineOf(outcome.maySettleUntil ?? 0), until, `fetch ${number + 1}`);
          }
          return outcome.kind;
        });
        const settled = await Promise.allSettled(buying);
        const kinds = settled.map((one) => (one.status === "fulfilled" ? one.value : errorOf(one.reason)));
        assert.deepEqual(kinds.sort(), [told].flat(), `fetch ${number + 1}`);
        assert.equal(payments.length, sendings, `fetch ${number + 1}: each answer is to one sending`);
      }
      const sent = payments.map(decodePaymentSignatureHeader);
      const intents = sent.flatMap(({ payload }) => (payload["nonce"] === undefined ? [] : [payload["nonce"]]));
      assert.equal(new Set(intents).size, conversation.intents);
      const vouchers = conversation.stream === true ? sent.map((payment) => voucherOf(payment).amount / PRICE) : [];
      assert.deepEqual(vouchers.map(Number), conversation.vouchers);
      const journal = new Journal(`${opened.files}.journal`);
      for (const { key, ...expected } of conversation.journal ?? []) {
        const { state, authorizeBy } = (await journal.find(key)) ?? assert.fail(`${key} is not in the journal`);
        assert.deepEqual({ state, authorizeBy: deadlineOf(authorizeBy) }, expected);
      }
    });
  }
});
