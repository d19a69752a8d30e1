/** Requests on their way through `@x402/core`, which hands none of them on. */

import { AsyncLocalStorage } from "node:async_hooks";

import type { SettleResponse } from "@x402/core/types";

import type { WebRequest } from "./request.js";

/** What `@x402/core` can't answer, since all that it refuses is 402. */
export interface Problem {
  readonly status: 400 | 409 | 413 | 500;
  readonly code: string;
  readonly message: string;
}

/** A request that is being sold. */
export interface Passing {
  readonly request: WebRequest;
  /** The status that the handler answered with, once it has. */
  status?: number;
  /** Whether its answer is to be kept. */
  isPaid: boolean;
  /** Set of a payment that was charged, or of a request that cost nothing; with what the facilitator said of it. */
  charged?: { readonly receipt: SettleResponse | undefined };
  /** Why a payment that would be charged pays for nothing. */
  refusal?: SettleResponse;
  /** What it is answered instead of a 402. */
  problem?: Problem;
}

const passing = new AsyncLocalStorage<Passing>();

/** Does `work` as part of a request. */
export function pass<T>(one: Passing, work: () => T): T {
  return passing.run(one, work);
}

/**
 * The request at hand.
 *
 * @throws if it did not come through a `Shop`
 */
export function current(): Passing {
  const one = passing.getStore();
  if (one === undefined) {
    throw new Error("the scheme sells through its own shop only: await scheme.shop(routes)");
  }
  return one;
}

/** Returns whether a handler was successful: only then is it paid for. */
export function isSuccess(status: number | undefined): boolean {
  return status !== undefined && status >= 200 && status < 300;
}
