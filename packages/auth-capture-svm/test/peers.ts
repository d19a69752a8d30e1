/** A server that asks for payment and a verifier that drafts, which can be told to lie. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

import { encodePaymentRequiredHeader, encodePaymentResponseHeader } from "@x402/core/http";
import type { PaymentRequirements } from "@x402/core/types";

import { writeHex } from "../src/bytes.js";
import { Agent, type AgentOptions, type Limits, type Session } from "../src/client.js";
import { resourceHash } from "../src/messages.js";
import { type IdentifierOffer, identifierDeclaration, PAYMENT_IDENTIFIER } from "../src/payment_identifier.js";
import { draft, NETWORK, offer, session } from "./fixture.js";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const servers: { close(): void; closeAllConnections(): void }[] = [];
after(() => servers.forEach((server) => (server.closeAllConnections(), server.close())));

export async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => handler(request, response, Buffer.concat(chunks).toString()));
  });
  // A client that is slow must not meet a connection that the server is closing.
  server.keepAliveTimeout = 0;
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** An offer for `url`, as a server makes one at this time. */
export function offerFor(method: string, url: string, body: string): PaymentRequirements {
  const hash = writeHex(resourceHash(method, url, new TextEncoder().encode(body)));
  return { ...offer(), extra: { ...offer().extra, captureDeadline: now() + 600, resourceHash: hash } };
}

/** Asks for payment; with `identified`, by a server that takes ids. */
export function askFor(
  response: ServerResponse,
  url: string,
  accepted: PaymentRequirements,
  identified?: IdentifierOffer,
): void {
  const extensions =
    identified === undefined ? {} : { extensions: { [PAYMENT_IDENTIFIER]: identifierDeclaration(identified) } };
  const challenge = { x402Version: 2, resource: { url }, accepts: [accepted], ...extensions };
  response.writeHead(402, { "payment-required": encodePaymentRequiredHeader(challenge) }).end();
}

/** To a request with a payment: a status, the reason of a 402, or that the answer gets lost (0). */
export type Answer = number | string;

export function answerWith(response: ServerResponse, answer: Answer): void {
  if (answer === 0 || answer === "lost") {
    return void response.socket?.destroy();
  }
  if (typeof answer === "number") {
    return void response.writeHead(answer).end();
  }
  const refusal = { success: false, errorReason: answer, transaction: "", network: NETWORK } as const;
  response.writeHead(402, { "payment-response": encodePaymentResponseHeader(refusal) }).end();
}

/** A server that takes ids and answers payments as told, at last with 200. */
export async function answering(answers: Answer[], payments: string[] = []): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    if (payment === undefined) {
      const url = `${base}${request.url}`;
      return askFor(response, url, offerFor(request.method ?? "", url, body), "optional");
    }
    payments.push(payment);
    answerWith(response, answers.shift() ?? 200);
  });
  return base;
}

export interface Received {
  method: string;
  url: string;
  body: string;
  payment?: string | undefined;
}

/** A server that asks for payment until there is one, whatever it is. */
export async function shop(
  received: Received[],
  alter: (offered: PaymentRequirements) => void = () => {},
): Promise<string> {
  const base = await serve((request, response, body) => {
    const payment = request.headers["payment-signature"] as string | undefined;
    const { method = "", url = "" } = request;
    received.push({ method, url, body, payment });
    if (payment !== undefined) {
      return void (url === "/hangs-up" ? request.socket.destroy() : response.end("served"));
    }
    const offered = offerFor(method, `${base}${url}`, body);
    alter(offered);
    askFor(response, `${base}${url}`, offered);
  });
  return base;
}

/** A verifier that drafts `change` on top of an honest draft, and says what `report` does of payments. */
export function verifier(
  change: Record<string, unknown> = {},
  drafts: unknown[] = [],
  report: () => unknown = () => undefined,
): Promise<string> {
  return serve((request, response, body) => {
    if (request.url !== "/intents") {
      const reported = report();
      return void response.writeHead(reported === undefined ? 404 : 200).end(JSON.stringify(reported ?? {}));
    }
    const asked = JSON.parse(body) as { nonce: string; receiverProof?: string[] };
    drafts.push(asked);
    const { nonce, receiverProof } = asked;
    const payload = { ...draft(), nonce, receiverProof, authorizeBy: now() + 60, ...change };
    response.end(JSON.stringify({ unsigned: { x402Version: 2, payload } }));
  });
}

/** An agent's, in base units. */
export type TestLimits = Partial<Limits>;

export function agentOf(
  verifierUrl: string,
  limits: TestLimits = {},
  sessionChanges: Record<string, unknown> | Session = {},
  options: AgentOptions = {},
): Promise<Agent> {
  const given =
    "files" in sessionChanges ? (sessionChanges as Session) : session({ verifier: verifierUrl, ...sessionChanges });
  return Agent.open(given, { maximumAmount: 1000n, ...limits }, options);
}

export function payWith(verifierUrl: string, limits: TestLimits = {}, sessionChanges = {}): typeof fetch {
  const agent = agentOf(verifierUrl, limits, sessionChanges);
  return async (input, init) => (await agent).fetch(input, init);
}
