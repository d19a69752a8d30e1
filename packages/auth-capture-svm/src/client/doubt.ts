/** Finds out whether a hold's last voucher bought something, where a key depends on it. */

import { InDoubtError } from "./errors.js";
import { isFinished, type Journal, type Purchase } from "./journal.js";
import { leastOf } from "./lookup.js";
import type { Stream } from "./streams.js";
import type { Verifier } from "./verifier.js";

/**
 * Returns what was bought of a hold, in base units. The verifier says so if the last voucher is, or
 * would be, that of a purchase with a key: it shares no voucher with another one. A purchase whose
 * voucher was not accepted is over.
 *
 * @param key of the purchase that is to be paid next
 * @throws {InDoubtError} if the verifier does not say
 */
export async function decideDoubt(
  { paymentId, signed, served }: Stream,
  key: string | undefined,
  journal: Journal,
  verifier: Verifier,
): Promise<bigint> {
  const ids = [paymentId, `${paymentId}_${signed}`];
  const isInDoubt = (one: Purchase): boolean =>
    ids.includes(one.purchase) && one.key !== undefined && !isFinished(one);
  const others = (await journal.all()).filter(isInDoubt);
  if (key === undefined && others.length === 0) {
    return served;
  }
  const report = await verifier.look(paymentId);
  if (report === undefined) {
    throw new InDoubtError(paymentId, verifier.url);
  }
  const accepted = report?.accepted ?? 0n;
  for (const other of others.filter((one) => leastOf(one) > accepted)) {
    // Its voucher goes to the next request: nothing is charged for this one.
    await journal.note(other.purchase, "over");
  }
  return accepted < signed ? accepted : signed;
}
