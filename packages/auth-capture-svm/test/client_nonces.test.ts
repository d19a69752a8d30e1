import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { test } from "node:test";

import { decodePaymentSignatureHeader, encodePaymentResponseHeader } from "@x402/core/http";

import { parseSession } from "../src/client.js";
import { ReceiverList } from "../src/receivers.js";
import { address, draft, session, sessionJson } from "./fixture.js";
import { agentOf, askFor, now, offerFor, payWith, type Received, serve, shop, verifier } from "./peers.js";

interface Asked {
  nonce: string;
  receiverProof?: string[];
}

/** What the file of nonces has of a session. */
interface Noted {
  highestUsed: string;
  free: string[];
  outstanding: Record<string, { signed?: unknown; asked?: unknown }>;
}

/** A fetch that pays, and its file of nonces. */
function agent(url: string, changes: Record<string, unknown> = {}) {
  const opened = session({ verifier: url, ...changes });
  const file = `${opened.files}.nonces`;
  const noted = (): Noted => Object.values(JSON.parse(readFileSync(file, "utf8")) as object)[0] as Noted;
  return { pay: payWith(url, {}, opened), noted };
}

/** A shop that answers payments as told. */
async function shopThat(answers: (response: ServerResponse) => void): Promise<string> {
  const base = await serve((request, response) => {
    if (request.headers["payment-signature"] !== undefined) {
      return answers(response);
    }
    askFor(response, `${base}/`, offerFor("GET", `${base}/`, ""));
  });
  return base;
}

/** A verifier that drafts, or answers otherwise where `refuses` does. */
function verifierThat(refuses: (asked: Asked, response: ServerResponse) => boolean): Promise<string> {
  return serve((_request, response, body) => {
    const asked = JSON.parse(body) as Asked;
    if (!refuses(asked, response)) {
      const payload = { ...draft(), ...asked, authorizeBy: now() + 60 };
      response.end(JSON.stringify({ unsigned: { payload } }));
    }
  });
}

function payloads(received: Received[]): Record<string, unknown>[] {
  const payments = received.flatMap(({ payment }) => (payment === undefined ? [] : [payment]));
  return payments.map((payment) => decodePaymentSignatureHeader(payment).payload);
}

test("each payment has a nonce of the agent's own, on disk before the verifier is asked", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const written: string[][] = [];
  const buyer = agent(await verifierThat(() => (written.push(Object.keys(buyer.noted().outstanding)), false)));
  await buyer.pay(base);
  await buyer.pay(base);
  assert.deepEqual(written, [["1"], ["2"]]);
  assert.deepEqual(
    payloads(received).map(({ nonce }) => nonce),
    ["1", "2"],
  );
  const { highestUsed, outstanding } = buyer.noted();
  assert.deepEqual([highestUsed, outstanding], ["2", {}], "both were served, and so are held");
});

test("a nonce for which nothing was signed is used for the next payment", async () => {
  const base = await shop([]);
  const asked: string[] = [];
  const lies = [{ escrow: address(9) }, { nonce: "77" }];
  const lying = await serve((_request, response, body) => {
    const { nonce } = JSON.parse(body) as Asked;
    asked.push(nonce);
    const payload = { ...draft(), nonce, authorizeBy: now() + 60, ...lies[asked.length - 1] };
    response.end(JSON.stringify({ unsigned: { payload } }));
  });
  const { pay } = agent(lying);
  await assert.rejects(pay(base), /payload\.escrow/);
  await assert.rejects(pay(base), /payload\.nonce: is 77, and 1 was asked for/);
  assert.equal((await pay(base)).status, 200);
  assert.deepEqual(asked, ["1", "1", "1"]);
});

test("a nonce is used once an answer says that the payment is held", async () => {
  const answers = [
    [402, undefined],
    [500, undefined],
    [402, { success: false }],
    [500, { success: true }],
    [200, undefined],
  ] as const;
  let answered = 0;
  const base = await shopThat((response) => {
    const [status, settlement] = answers[answered++] ?? [500];
    const says = settlement && { ...settlement, transaction: "tx", network: "solana:test" as const };
    response.writeHead(status, says && { "payment-response": encodePaymentResponseHeader(says) }).end();
  });
  const { pay, noted } = agent(await verifier());
  for (const [status] of answers) {
    assert.equal((await pay(base)).status, status);
  }
  const { highestUsed, outstanding } = noted();
  assert.deepEqual([highestUsed, Object.keys(outstanding)], ["5", ["1", "2", "3"]]);
});

test("nonces that were used elsewhere are passed in few requests, and no refusal raises the bound", async () => {
  const base = await shop([]);
  const asked: number[] = [];
  let used = 300;
  const refusing = await verifierThat(({ nonce }, response) => {
    asked.push(Number(nonce));
    const error = { code: "invalid_auth_capture_svm_nonce", message: `nonce ${nonce} is used` };
    const isUsed = Number(nonce) <= used;
    return isUsed && (response.writeHead(422).end(JSON.stringify({ error, passedOver: [] })), true);
  });
  const { pay } = agent(refusing);
  assert.equal((await pay(base)).status, 200);
  assert.deepEqual(asked.splice(0), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  assert.equal((await pay(base)).status, 200);
  assert.deepEqual(asked.splice(0), [513]);

  used = Number.POSITIVE_INFINITY;
  await assert.rejects(pay(base), { name: "NoncesError", message: /up to 1537, that it is used/ });
  assert.equal(Math.max(...asked), 514 + 1023);
});

test("other refusals of the verifier are no word on the nonce", async () => {
  const base = await shop([]);
  const { pay, noted } = agent(
    await verifierThat((_asked, response) => {
      const error = { code: "invalid_auth_capture_svm_session_revoked", message: "the session is revoked" };
      return response.writeHead(422).end(JSON.stringify({ error })) !== undefined;
    }),
  );
  await assert.rejects(pay(base), { name: "NoDraftError", code: "no_draft", reason: "invalid_auth_capture_svm_session_revoked" });
  assert.deepEqual([noted().free, noted().outstanding], [["1"], {}]);
});

test("a file of nonces that can't be used stops payments", async () => {
  const received: Received[] = [];
  const base = await shop(received);
  const opened = parseSession({ ...sessionJson(), verifier: await verifier() }, "/nowhere/session.json");
  const agent = await agentOf("", {}, opened);
  await assert.rejects(agent.fetch(base), { name: "NoncesError", message: /nothing was signed/ });
  assert.deepEqual([payloads(received), agent.signedFor], [[], 0n]);
});

test("a session with a list sends its proof, and asks nothing for a receiver that is not listed", async () => {
  const received: Received[] = [];
  const asked: Asked[] = [];
  const receivers = [address(5), address(8), address(9)];
  const { pay } = agent(await verifierThat((ask) => (asked.push(ask), false)), { receivers });
  const base = await shop(received);
  assert.equal((await pay(base)).status, 200);
  const proof = new ReceiverList(receivers).proof(address(5));
  assert.equal(proof?.length, 2);
  assert.deepEqual([asked[0]?.receiverProof, payloads(received)[0]?.["receiverProof"]], [proof, proof]);

  const elsewhere = await shop(received, (offered) => void (offered.payTo = address(6)));
  await assert.rejects(pay(elsewhere), { name: "RefusedError", field: "accepted.payTo" });
  assert.deepEqual([asked.length, payloads(received).length], [1, 1]);
});
