/** How an agent works beyond its limits. */

/** How an agent works beyond its limits. */
export interface AgentOptions {
  /** What sends requests, also to the verifier; the global `fetch` if absent. */
  readonly fetch?: typeof fetch;
  /**
   * Whether servers and the verifier may be asked over plain HTTP, where others can read and change
   * what is paid. Without it only this machine may.
   */
  readonly allowHttp?: boolean;
}

/** How one purchase is made. */
export interface BuyOptions {
  /** The caller's own name for it: a purchase under one key is made once, over restarts. */
  readonly key?: string;
}
