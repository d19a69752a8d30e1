/** A verifier over HTTP with books, which fails where a test wants it to. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

import type { PaymentPayload } from "@x402/core/types";

import { NETWORK } from "./fixture.js";
import { Books } from "./books.js";
import { Facilitator, SUPPORTED } from "./shop.js";

/** The verifier's JSON reader goes no deeper. */
const DEEPEST = 127;

/** An answer that is no verdict: it breaks off where there is no status. */
export interface Failure {
  readonly status?: number;
  readonly body?: string;
  /** Whether the payment was accepted before the answer was lost. */
  readonly isAccepted?: boolean;
}

export class Ledger extends Facilitator {
  /** How the next settlements fail. */
  readonly failures: (Failure | undefined)[] = [];
  readonly books = new Books();
  readonly #server: Server;

  private constructor() {
    super();
    this.#server = createServer((request, response) => void this.#respond(request, response));
    this.#server.keepAliveTimeout = 0;
    after(() => (this.#server.closeAllConnections(), this.#server.close()));
  }

  static async start(): Promise<Ledger> {
    const ledger = new Ledger();
    await new Promise<void>((resolve) => ledger.#server.listen(0, "127.0.0.1", resolve));
    const { port } = ledger.#server.address() as AddressInfo;
    ledger.url = `http://127.0.0.1:${port}`;
    ledger.fetch = fetch;
    return ledger;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    response.setHeader("content-type", "application/json");
    if (request.url === "/supported") {
      return void response.end(JSON.stringify(SUPPORTED));
    }
    if (request.method === "GET") {
      return void response.writeHead(404).end("{}");
    }
    const text = Buffer.concat(chunks).toString();
    const failure = depth(text) > DEEPEST ? { status: 400 } : this.failures.shift();
    const { paymentPayload, claim } = JSON.parse(text) as { paymentPayload: PaymentPayload; claim?: string };
    this.asked.push(paymentPayload);
    const isAccepted = failure === undefined || failure.isAccepted === true;
    const answer = isAccepted ? this.books.settle(paymentPayload, claim) : {};
    if (failure === undefined) {
      return void response.end(JSON.stringify({ success: true, transaction: "tx", network: NETWORK, ...answer }));
    }
    if (failure.status === undefined) {
      return void request.socket.destroy();
    }
    response.writeHead(failure.status).end(failure.body ?? JSON.stringify({ error: { code: "no_verdict" } }));
  }
}

/** How deep the text nests. None of what is sent here has brackets in a string. */
function depth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of text) {
    depth += "[{".includes(character) ? 1 : "]}".includes(character) ? -1 : 0;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
