/** The facilitator, over HTTP. */

import type { FacilitatorClient } from "@x402/core/server";
import type {
  PaymentPayload,
  PaymentRequirements,
  SettleResponse,
  SupportedKind,
  SupportedResponse,
  VerifyResponse,
} from "@x402/core/types";

import { ask, errorOf, reasonOf } from "../answer.js";
import { shown } from "../bytes.js";
import { Fields } from "../fields.js";
import { readBaseUrl } from "../url.js";

/** The facilitator itself waits up to a minute for a payment to become final. */
const TIMEOUT_MILLISECONDS = 90_000;

/** The facilitator gave no answer that can be read. */
export class FacilitatorError extends Error {
  override readonly name = "FacilitatorError";

  /**
   * @param status of the answer, if one came
   * @param code the facilitator's, if it has one
   */
  constructor(
    message: string,
    readonly status?: number,
    readonly code?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Settles payments. Also what `x402ResourceServer` gets. */
export class Facilitator implements FacilitatorClient {
  readonly #url: string;
  readonly #fetch: typeof fetch;

  /**
   * @param url its base
   * @param send what sends requests
   * @throws if the URL can't be one
   */
  constructor(url: string, send: typeof fetch = fetch) {
    this.#url = readBaseUrl(url, "facilitator");
    this.#fetch = send;
  }

  /**
   * Asks whether a client's payload would be settled.
   *
   * @throws {FacilitatorError} if there is no verdict
   */
  async verify(paymentPayload: PaymentPayload, paymentRequirements: PaymentRequirements): Promise<VerifyResponse> {
    const answer = await this.ask("/verify", { x402Version: 2, paymentPayload, paymentRequirements });
    return this.#reading("/verify", () => readVerification(answer));
  }

  /**
   * Settles a payload.
   *
   * @param claim who serves what it pays for, where it is a client's
   * @throws {FacilitatorError} if there is no verdict
   */
  settle(
    paymentPayload: PaymentPayload,
    paymentRequirements: PaymentRequirements,
    claim?: string,
  ): Promise<SettleResponse> {
    const claimed = claim === undefined ? {} : { claim };
    return this.#verdict("/settle", { x402Version: 2, paymentPayload, paymentRequirements, ...claimed });
  }

  /**
   * Sends a refund that the merchant signed.
   *
   * @throws {FacilitatorError} if there is no verdict
   */
  refund(signed: Readonly<Record<string, string>>): Promise<SettleResponse> {
    return this.#verdict("/refunds/signed", signed);
  }

  /** @throws {FacilitatorError} if there is no answer */
  async getSupported(): Promise<SupportedResponse> {
    const answer = await this.ask("/supported");
    return this.#reading("/supported", () => {
      const fields = new Fields(answer, "");
      return {
        kinds: fields.items("kinds", (kinds, place) => readKind(kinds.object(place), `kinds.${place}`)),
        extensions: fields.has("extensions") ? fields.items("extensions", (names, place) => names.text(place)) : [],
        signers: (fields.has("signers") ? fields.object("signers") : {}) as SupportedResponse["signers"],
      };
    });
  }

  /**
   * Asks for a path, by `POST` if there is a body.
   *
   * @throws {FacilitatorError} if the answer is none of 200 and JSON
   */
  async ask(path: string, body?: unknown): Promise<unknown> {
    const url = `${this.#url}${path}`;
    let answer;
    try {
      answer = await ask(url, body, { fetch: this.#fetch, timeoutMilliseconds: TIMEOUT_MILLISECONDS });
    } catch (error) {
      throw new FacilitatorError(`${url}: ${reasonOf(error)}`, undefined, undefined, { cause: error });
    }
    const { status, json } = answer;
    if (status !== 200 || json === undefined) {
      const { code, message } = errorOf(json);
      throw new FacilitatorError(`${url} answered ${status}: ${message ?? shown(json ?? "no JSON")}`, status, code);
    }
    return json;
  }

  async #verdict(path: string, body: unknown): Promise<SettleResponse> {
    const answer = await this.ask(path, body);
    return this.#reading(path, () => readSettlement(answer));
  }

  #reading<T>(path: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw new FacilitatorError(`${this.#url}${path} sent an unreadable answer: ${(error as Error).message}`, 200);
    }
  }
}

function readKind(value: unknown, path: string): SupportedKind {
  const kind = new Fields(value, path);
  return {
    x402Version: kind.integer("x402Version"),
    scheme: kind.text("scheme"),
    network: kind.text("network") as SupportedKind["network"],
    ...(kind.has("extra") ? { extra: kind.object("extra") } : {}),
  };
}

function readVerification(value: unknown): VerifyResponse {
  const fields = new Fields(value, "");
  const optional = (name: "invalidReason" | "invalidMessage" | "payer"): object =>
    fields.has(name) ? { [name]: fields.text(name) } : {};
  return {
    isValid: fields.boolean("isValid"),
    ...optional("invalidReason"),
    ...optional("invalidMessage"),
    ...optional("payer"),
  };
}

/** A verdict, with the members that it has and no others. */
function readSettlement(value: unknown): SettleResponse {
  const fields = new Fields(value, "");
  const optional = (name: "errorReason" | "errorMessage" | "payer"): object =>
    fields.has(name) ? { [name]: fields.text(name) } : {};
  return {
    success: fields.boolean("success"),
    ...optional("errorReason"),
    ...optional("errorMessage"),
    ...optional("payer"),
    transaction: fields.has("transaction") ? fields.text("transaction") : "",
    network: fields.text("network") as SettleResponse["network"],
    ...(fields.has("amount") ? { amount: fields.decimal("amount").toString() } : {}),
    ...(fields.has("extra") ? { extra: fields.object("extra") } : {}),
  };
}
