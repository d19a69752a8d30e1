/** Requests on their way through the payment middleware, which hands none of them on. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { ServerResponse } from "node:http";

import type { WebRequest } from "./request.js";

/** What `paymentMiddleware` returns. */
export type Middleware<Request, Response> = (
  request: Request,
  response: Response,
  next: (error?: unknown) => void,
) => Promise<void>;

/** What the payment middleware can't answer, since all that it refuses is 402. */
export interface Problem {
  readonly status: 400 | 409 | 500;
  readonly code: string;
  readonly message: string;
}

/** A request in the payment middleware. */
export interface Passing {
  readonly request: WebRequest;
  readonly response: ServerResponse;
  /** Whether its answer is to be kept. */
  isPaid: boolean;
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
 * @throws if it did not come through `scheme.wrap`
 */
export function current(): Passing {
  const one = passing.getStore();
  if (one === undefined) {
    throw new Error("put app.use(scheme.wrap(paymentMiddleware(routes, server))): nothing is sold without wrap");
  }
  return one;
}

/** Returns whether a handler was successful: only then is it paid for. */
export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}
