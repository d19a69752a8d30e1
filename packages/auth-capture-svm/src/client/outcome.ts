/** What came of a request, and what may still come of a payment for it. */

/** A payment that was signed. */
export interface Receipt {
  /** 64 hex digits: any verifier that settled it knows it as `/payments/{id}`. */
  readonly paymentId: string;
  /** What was signed for, in base units. The server may take less. */
  readonly amount: bigint;
  readonly payTo: string;
}

/** What came of a request. */
export type Outcome =
  /** The server answered 2xx; without a payment if it asked for none. */
  | { readonly kind: "served"; readonly response: Response; readonly payment?: Receipt }
  /**
   * The server answered and did not serve. If a payment was signed, the server has it: it can still
   * settle, until then (unix seconds).
   */
  | {
      readonly kind: "refused";
      readonly response: Response;
      readonly reason?: string;
      readonly payment?: Receipt;
      readonly maySettleUntil?: number;
    }
  /**
   * It may be paid or not, and served or not. It must not be bought anew before `maySettleUntil`
   * (unix seconds); `resume` sends the same payment again.
   */
  | {
      readonly kind: "unknown";
      readonly response?: Response;
      readonly reason: string;
      readonly payment: Receipt;
      readonly maySettleUntil: number;
      readonly cause?: unknown;
    };

/** What is known of a purchase. */
export interface Found {
  readonly paymentId: string;
  /** In base units. */
  readonly amount: bigint;
  readonly payTo: string;
  /**
   * `served`; `charged` without an answer that was paid for; `over`, with nothing charged; or
   * `unknown` and `refused`, which may settle until then.
   */
  readonly state: "served" | "charged" | "over" | "unknown" | "refused";
  /** Last second at which money can still be taken for it, unix; absent if that is decided. */
  readonly maySettleUntil?: number;
}
