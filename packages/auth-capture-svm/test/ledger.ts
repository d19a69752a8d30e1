/** A verifier over HTTP that knows what was bought, by the real one's rules, and fails where a test wants it to. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

import { HTTPFacilitatorClient } from "@x402/core/server";
import type { PaymentPayload, PaymentRequirements, SettleResponse } from "@x402/core/types";

import { readBase58, readHex } from "../src/bytes.js";
import { verify } from "../src/ed25519.js";
import { captureSignedBytes, intentSignedBytes } from "../src/messages.js";
import { paymentIdOf } from "../src/server/payment.js";
import { intentOf, readExtra, readIntentPayload, readRequestPrice } from "../src/wire.js";
import { Facilitator, NETWORK } from "./shop.js";

/** The verifier's JSON reader goes no deeper. */
const DEEPEST = 127;

/** An answer that is no verdict: it breaks off where there is no status. */
export interface Failure {
  readonly status?: number;
  readonly body?: string;
  /** Whether the payment was accepted before the answer was lost. */
  readonly isAccepted?: boolean;
}

interface Hold {
  readonly sessionKey: Uint8Array;
  state: "authorized" | "captured" | "ended";
  vouched: bigint;
}

export class Ledger extends Facilitator {
  /** How the next settlements fail. */
  readonly failures: (Failure | undefined)[] = [];
  /** Whether captures and releases are only kept, and not on chain yet. */
  isReserving = false;
  readonly #server: Server;
  readonly #holds = new Map<string, Hold>();
  #client!: HTTPFacilitatorClient;

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
    ledger.#client = new HTTPFacilitatorClient({ url: `http://127.0.0.1:${port}` });
    return ledger;
  }

  override settle(payment: PaymentPayload, requirements: PaymentRequirements): Promise<SettleResponse> {
    return this.#client.settle(payment, requirements);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
    const text = Buffer.concat(chunks).toString();
    const failure = depth(text) > DEEPEST ? { status: 400 } : this.failures.shift();
    const { paymentPayload } = JSON.parse(text) as { paymentPayload: PaymentPayload };
    this.asked.push(paymentPayload);
    const answer = failure === undefined || failure.isAccepted === true ? this.#accept(paymentPayload) : {};
    if (failure === undefined) {
      response.setHeader("content-type", "application/json");
      return void response.end(JSON.stringify({ success: true, transaction: "tx", network: NETWORK, ...answer }));
    }
    if (failure.status === undefined) {
      return void request.socket.destroy();
    }
    response.writeHead(failure.status).end(failure.body ?? JSON.stringify({ error: { code: "no_verdict" } }));
  }

  #accept(payment: PaymentPayload): Partial<SettleResponse> {
    switch (payment.payload["type"]) {
      case undefined:
        return this.#hold(payment);
      case "voucher":
        return this.#vouch(payment.payload, readRequestPrice(payment.accepted) ?? 0n);
      default:
        return this.#end(payment.payload);
    }
  }

  #hold(payment: PaymentPayload): Partial<SettleResponse> {
    const { accepted, payload } = payment;
    const intent = intentOf(accepted, readExtra(accepted), readIntentPayload(payload));
    const sessionKey = readBase58(intent.sessionKey, 32, "sessionKey");
    if (!verify(sessionKey, intentSignedBytes(intent), readBase58(String(payload["signature"]), 64, "signature"))) {
      return refused("signature");
    }
    const id = paymentIdOf(payment);
    const known = this.#holds.get(id);
    const hold: Hold = known ?? { sessionKey, state: "authorized", vouched: 0n };
    this.#holds.set(id, hold);
    const voucher = payload["voucher"] as Record<string, unknown> | undefined;
    const repeats = voucher === undefined ? known !== undefined : this.#vouch(voucher, 0n).success === false;
    return { extra: { state: hold.state, status: "confirmed", alreadySettled: repeats } };
  }

  #vouch(voucher: Record<string, unknown>, price: bigint): Partial<SettleResponse> {
    const paymentId = String(voucher["paymentId"]);
    const amount = BigInt(String(voucher["amount"]));
    const hold = this.#holds.get(paymentId);
    const signed = { intentDigest: readHex(paymentId, 32, "id"), amount, fee: 0n, last: false };
    const signature = readBase58(String(voucher["signature"]), 64, "signature");
    if (hold === undefined || !verify(hold.sessionKey, captureSignedBytes(signed), signature)) {
      return refused(hold === undefined ? "payment_not_found" : "authorizer_signature");
    }
    if (amount <= hold.vouched || hold.state !== "authorized") {
      const reason = amount < hold.vouched ? "decreased" : amount === hold.vouched ? "repeated" : "hold_closed";
      return refused(`voucher_${reason}`);
    }
    if (amount - hold.vouched < price) {
      return refused("voucher_below_price");
    }
    const added = amount - hold.vouched;
    hold.vouched = amount;
    return { amount: added.toString(), extra: { state: hold.state, status: "confirmed", alreadySettled: false } };
  }

  #end({ type, paymentId }: Record<string, unknown>): Partial<SettleResponse> {
    const hold = this.#holds.get(String(paymentId));
    if (hold === undefined) {
      return refused("payment_not_found");
    }
    if (!this.isReserving) {
      hold.state = type === "capture" ? "captured" : "ended";
    }
    return { extra: { state: hold.state, status: this.isReserving ? "unsettled" : "finalized" } };
  }
}

function refused(reason: string): Partial<SettleResponse> {
  return { success: false, errorReason: `invalid_auth_capture_svm_${reason}`, transaction: "" };
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
