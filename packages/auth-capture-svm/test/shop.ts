/** A shop that can be told what to do, and a facilitator that can be told what to answer. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, mock } from "node:test";

import {
  decodePaymentRequiredHeader,
  decodePaymentResponseHeader,
  encodePaymentSignatureHeader,
} from "@x402/core/http";
import type {
  PaymentPayload,
  PaymentRequirements,
  SettleResponse,
  SupportedResponse,
  VerifyResponse,
} from "@x402/core/types";
import express from "express";

import { LOCAL_PROGRAM } from "../src/deployment.js";
import { readHex, writeBase58 } from "../src/bytes.js";
import { LineFile } from "../src/durable.js";
import { sign } from "../src/ed25519.js";
import { captureSignedBytes, intentSignedBytes } from "../src/messages.js";
import { AuthCaptureSvmScheme, expressMiddleware, type MerchantConfig } from "../src/server.js";
import { PAYMENT_IDENTIFIER_EXTRA, readIdentifier } from "../src/payment_identifier.js";
import { paymentIdOf } from "../src/server/payment.js";
import { intentOf, readExtra, readIntentPayload } from "../src/wire.js";
import { address, AGENT_SEED, AUTHORIZER, draft, NETWORK } from "./fixture.js";

export const SUPPORTED: SupportedResponse = {
  kinds: [
    {
      x402Version: 2,
      scheme: "auth-capture",
      network: NETWORK,
      extra: { paymentFlow: "escrow", program: LOCAL_PROGRAM, feePayer: address(4) },
    },
  ],
  extensions: [],
  signers: {},
};

/** Answers yes, remembers what it was asked, and fails where a test wants it to. */
export class Facilitator {
  url = "http://facilitator.test";
  readonly asked: PaymentPayload[] = [];
  /** What it was asked whether it would settle it. */
  readonly verified: PaymentPayload[] = [];
  readonly #held = new Set<string>();
  /** Who pays fees now. */
  feePayer = address(4);
  /** What the next settlements are answered instead; an error is thrown. */
  readonly next: (Partial<SettleResponse> | Error | undefined)[] = [];
  /** What it says of the receiver. */
  receiver: { status: number; body: unknown } = { status: 404, body: {} };

  /** What the merchant asks with. */
  fetch: typeof fetch = async (url, init) => {
    if (String(url).includes("/receivers/")) {
      return Response.json(this.receiver.body, { status: this.receiver.status });
    }
    if (String(url).endsWith("/supported")) {
      return Response.json(await this.getSupported());
    }
    const { paymentPayload, paymentRequirements, claim } = JSON.parse(String(init?.body)) as {
      paymentPayload: PaymentPayload;
      paymentRequirements: PaymentRequirements;
      claim?: string;
    };
    assert.deepEqual(paymentPayload.accepted, paymentRequirements);
    const isOurs = ["capture", "void", "close"].includes(String(paymentPayload.payload["type"]));
    if (String(url).endsWith("/verify")) {
      assert.equal(claim, undefined, "nobody serves what is only asked about");
      return Response.json(await this.verify(paymentPayload));
    }
    assert.equal(claim === undefined, isOurs, "what a client sent has a claim, and nothing else");
    return !isOurs && lacksId(paymentPayload)
      ? Response.json({ error: { code: "bad_request", message: "the id is missing" } }, { status: 400 })
      : Response.json(await this.settle(paymentPayload));
  };

  /** Says yes, unless the next answer is another. */
  async verify(payment: PaymentPayload): Promise<VerifyResponse> {
    this.verified.push(payment);
    const next = this.next.shift();
    if (next instanceof Error) {
      throw next;
    }
    return { isValid: next?.success ?? true, ...(next?.errorReason && { invalidReason: next.errorReason }) };
  }

  async settle(payment: PaymentPayload): Promise<SettleResponse> {
    this.asked.push(payment);
    const next = this.next.shift();
    if (next instanceof Error) {
      throw next;
    }
    if (payment.payload["type"] === undefined && payment.accepted.extra["feePayer"] !== this.feePayer) {
      return { success: false, errorReason: "invalid_auth_capture_svm_extra", transaction: "", network: NETWORK };
    }
    const id = payment.payload["type"] === undefined ? paymentIdOf(payment) : undefined;
    const alreadySettled = id !== undefined && this.#held.has(id);
    if (id !== undefined && next?.success !== false) {
      this.#held.add(id);
    }
    const isEnding = ["capture", "void", "close"].includes(String(payment.payload["type"]));
    const extra = { state: "authorized", status: isEnding ? "finalized" : "confirmed", alreadySettled };
    return { success: true, transaction: "tx", network: NETWORK, extra, ...next };
  }

  getSupported(): Promise<SupportedResponse> {
    const kinds = SUPPORTED.kinds.map((kind) => ({ ...kind, extra: { ...kind.extra, feePayer: this.feePayer } }));
    return Promise.resolve({ ...SUPPORTED, kinds });
  }

  /** The types of what was settled since the last look; a client's payment is a hold, or a charge. */
  settled(): string[] {
    const kindOf = ({ payload }: PaymentPayload): unknown => (payload["capture"] === undefined ? "hold" : "charge");
    return this.asked.splice(0).map((payment) => String(payment.payload["type"] ?? kindOf(payment)));
  }
}

/** Whether a client's payment has no id where the server says that it must have one. */
function lacksId({ accepted, extensions }: PaymentPayload): boolean {
  return accepted.extra[PAYMENT_IDENTIFIER_EXTRA] === "required" && readIdentifier(extensions) === undefined;
}

export const folder = mkdtempSync(join(tmpdir(), "x402-server-"));
export const opened: { server: Server; scheme: AuthCaptureSvmScheme }[] = [];
after(() => {
  for (const { server, scheme } of opened) {
    server.closeAllConnections();
    server.close();
    scheme.close();
  }
  rmSync(folder, { recursive: true });
});

// On a busy machine a merchant would settle again by itself before a test has looked.
mock.timers.enable({ apis: ["setInterval"] });

let files = 0;

/** How a shop gets the bytes of bodies: `lost` does not. */
type Parser = "raw" | "kept" | "lost";

type Terms = Partial<Omit<MerchantConfig, "facilitator" | "fetch" | "authorizer" | "state">>;

/** A shop with a handler that can be told what to do, and a facilitator. */
export async function shop(
  facilitator = new Facilitator(),
  state = join(folder, String(files++)),
  { server = createServer(), parser = "raw", ...terms }: { server?: Server; parser?: Parser } & Terms = {},
) {
  const token = { mint: address(2), decimals: 6 };
  const scheme = await AuthCaptureSvmScheme.connect({
    facilitator: facilitator.url,
    fetch: (url, init) => facilitator.fetch(url, init),
    publicUrl: "host",
    authorizer: AUTHORIZER,
    token,
    state,
    ...terms,
  });
  const routes = {
    "GET /report": { accepts: scheme.price("$0.001", { held: true }) },
    "GET /final": { accepts: scheme.price("$0.001", { held: true, commitment: "finalized" as const }) },
    "GET /charge": { accepts: scheme.price("$0.001") },
    "GET /charge-final": { accepts: scheme.price("$0.001", { commitment: "finalized" as const }) },
    "GET /charge-named": { accepts: scheme.price("$0.001", { identified: "optional" }) },
    "GET /listed": {
      accepts: scheme.price("$0.001"),
      extensions: { bazaar: { info: { input: { type: "http", method: "GET" } }, schema: { type: "object" } } },
    },
    "GET /tick": { accepts: scheme.price("$0.0001", { hold: "$0.001" }) },
    "GET /named": { accepts: scheme.price("$0.001", { held: true, identified: "optional" }) },
    "POST /must-be-named": { accepts: scheme.price("$0.001", { held: true, identified: "required" }) },
    "GET /named-tick": { accepts: scheme.price("$0.0001", { hold: "$0.001", identified: "optional" }) },
    "POST /translate": { accepts: scheme.price({ asset: token.mint, amount: "1000" }, { held: true }) },
  };
  const app = express();
  let served = 0;
  let handle = (_request: express.Request, response: express.Response): unknown => response.send("served");
  app.use(
    parser === "raw"
      ? express.raw({ type: () => true, inflate: false })
      : express.json(parser === "kept" ? { verify: scheme.keepBody } : {}),
  );
  app.use(expressMiddleware(await scheme.shop(routes)));
  app.use((request, response) => {
    served += 1;
    return handle(request, response);
  });
  // Express prints a handler's error otherwise.
  app.use((_error: unknown, _request: express.Request, response: express.Response, _next: unknown) => {
    response.status(500).send("failed");
  });
  server.removeAllListeners("request").on("request", app);
  // A client that is slow must not meet a connection that the server is closing.
  server.keepAliveTimeout = 0;
  if (!server.listening) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }
  opened.push({ server, scheme });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    facilitator,
    scheme,
    state,
    /** Ends it, and runs it again as it is after a crash. Its port stays taken, so that nobody else gets it. */
    restart: async () => {
      scheme.close();
      server.closeAllConnections();
      return shop(facilitator, state, { server, parser, ...terms });
    },
    base,
    served: () => served,
    on: (handler: typeof handle) => void (handle = handler),
    /** What is on disk and not over, by payment. */
    noted: () => {
      const noted: Record<string, string> = {};
      for (const line of new LineFile(join(state, "purchases.jsonl")).read().slice(1)) {
        const { hold, charge, state: is = charge } = line as { hold: string; state?: string; charge?: string };
        Object.assign(noted, is === undefined ? {} : { [hold]: is });
      }
      const isOver = (is: string): boolean => ["captured", "released", "lapsed", "offered"].includes(is);
      return Object.fromEntries(Object.entries(noted).filter(([, is]) => !isOver(is)));
    },
  };
}

let nonce = 0;

/** A payment for what `url` asks, signed by the agent. */
export async function payment(url: string, init: RequestInit = {}): Promise<PaymentPayload> {
  const response = await fetch(url, init);
  assert.equal(response.status, 402);
  const challenge = decodePaymentRequiredHeader(response.headers.get("payment-required") ?? "");
  const [accepted] = challenge.accepts;
  assert.ok(accepted);
  nonce += 1;
  const payload = { ...draft(), nonce: String(nonce) };
  const intent = intentOf(accepted, readExtra(accepted), readIntentPayload(payload));
  const signature = writeBase58(sign(AGENT_SEED, intentSignedBytes(intent)));
  return { x402Version: 2, accepted, payload: { ...payload, signature } };
}

/** A voucher of the agent's. */
export function voucher(paymentId: string, amount: number): Record<string, unknown> {
  const message = { intentDigest: readHex(paymentId, 32, "paymentId"), amount: BigInt(amount), fee: 0n, last: false };
  const signature = writeBase58(sign(AGENT_SEED, captureSignedBytes(message)));
  return { type: "voucher", paymentId, amount: amount.toString(), fee: "0", signature };
}

/** An intent for what `url` asks, with the voucher of the first request. */
export async function opening(url: string): Promise<PaymentPayload> {
  const paid = await payment(url);
  return { ...paid, payload: { ...paid.payload, voucher: voucher(paymentIdOf(paid), 100) } };
}

export async function send(url: string, paid: PaymentPayload, init: RequestInit = {}) {
  const headers = { ...init.headers, "payment-signature": encodePaymentSignatureHeader(paid) };
  const response = await fetch(url, { ...init, headers });
  const header = response.headers.get("payment-response");
  const settlement = header === null ? undefined : decodePaymentResponseHeader(header);
  const { status, headers: answered } = response;
  return { status, text: await response.text(), settlement, reason: settlement?.errorReason, headers: answered };
}
