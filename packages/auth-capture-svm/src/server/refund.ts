/**
 * Refunds: deposits of the receiver into the payer's escrow that name the payment. The facilitator
 * drafts the transaction and pays for it, the merchant looks at it and signs it.
 */

import type { SettleResponse } from "@x402/core/types";

import { type Address, equal, readHex, writeBase58 } from "../bytes.js";
import { Fields } from "../fields.js";
import { Layout } from "../layout.js";
import type { MerchantConfig } from "./config.js";
import { Facilitator } from "./facilitator.js";
import { Authorizer } from "./authorizer.js";
import { readMessage } from "./message.js";
import { deploymentOf } from "./support.js";

const COMPUTE_BUDGET_PROGRAM = "ComputeBudget111111111111111111111111111111";

/** The program's instruction `deposit`, as in its IDL. */
const DEPOSIT = 2;

/** A refund to make. */
export interface Refund {
  /** 64 hex digits. */
  readonly paymentId: string;
  /** All that is to be refunded of the payment, earlier refunds included, in base units. */
  readonly amount: bigint;
  /**
   * The payer's escrow, as the payment had it. If it is absent, the facilitator's word is taken for
   * it.
   */
  readonly escrow?: Address;
}

/** The receiver, who gives back: its key is `authorizer`. */
export type Refunder = Pick<MerchantConfig, "facilitator" | "authorizer" | "token" | "program" | "fetch">;

/**
 * Returns captured money to the payer's escrow until `amount` is refunded of the payment in all,
 * and waits until that is final enough. A refund that was refused is no error: the answer says so.
 *
 * @throws if the facilitator gives no verdict or drafts something else, which is not signed then
 */
export async function refund(merchant: Refunder, { paymentId, amount, escrow }: Refund): Promise<SettleResponse> {
  const authorizer = new Authorizer(merchant.authorizer);
  const facilitator = new Facilitator(merchant.facilitator, merchant.fetch);
  const { program } = deploymentOf(await facilitator.getSupported(), merchant.program);
  const wanted = { paymentId, amount: amount.toString() };
  const message = new Fields(await facilitator.ask("/refunds", wanted), "the drafted refund").text("message");
  const bytes = Buffer.from(message, "base64");
  const problem = problemOf(bytes, {
    program,
    receiver: authorizer.address,
    mint: merchant.token.mint,
    digest: readHex(paymentId, 32, "paymentId"),
    amount,
    ...(escrow === undefined ? {} : { escrow }),
  });
  if (problem !== undefined) {
    throw new Error(`the drafted refund was not signed: ${problem}`);
  }
  const signature = writeBase58(authorizer.sign(bytes));
  return facilitator.refund({ ...wanted, message, signature });
}

/** The one deposit that the merchant's signature may make. */
export interface Wanted {
  readonly program: Address;
  readonly receiver: Address;
  readonly mint: Address;
  /** Of the payment. */
  readonly digest: Uint8Array;
  readonly amount: bigint;
  readonly escrow?: Address;
}

/**
 * Why a drafted message does something else than one deposit of the receiver's, of at most
 * `amount`, that names the payment; `undefined` if that is all it does.
 */
export function problemOf(bytes: Uint8Array, wanted: Wanted): string | undefined {
  let message;
  try {
    message = readMessage(bytes);
  } catch (error) {
    return (error as Error).message;
  }
  const { signers, instructions } = message;
  if (signers.length !== 2 || signers[0] === wanted.receiver || signers[1] !== wanted.receiver) {
    return "it is not paid for by the facilitator, and signed by it and the merchant alone";
  }
  const [deposit, ...more] = instructions.filter(({ program }) => program !== COMPUTE_BUDGET_PROGRAM);
  if (deposit === undefined || deposit.program !== wanted.program || more.length > 0) {
    return "it does not call the escrow program once, and no other";
  }
  const { data, accounts } = deposit;
  const [depositor, _source, escrow, _vault, mint] = accounts;
  const returns = data.length === 42 ? new DataView(data.buffer, data.byteOffset).getBigUint64(1, true) : 0n;
  if (returns === 0n || returns > wanted.amount || !equal(data, depositData(returns, wanted.digest))) {
    return "it is no deposit that names the payment, or of more than was asked for";
  }
  if (accounts.length !== 6 || depositor !== wanted.receiver || mint !== wanted.mint) {
    return "it is no deposit of the merchant's, or of another token";
  }
  return wanted.escrow === undefined || escrow === wanted.escrow
    ? undefined
    : `it goes to ${String(escrow)}, and not to the payer's escrow ${wanted.escrow}`;
}

function depositData(amount: bigint, digest: Uint8Array): Uint8Array {
  const layout = new Layout(42);
  layout.byte(DEPOSIT);
  layout.unsigned64(amount, "amount");
  layout.byte(1); // a payment is named
  layout.bytes32(digest, "digest");
  return layout.whole();
}
