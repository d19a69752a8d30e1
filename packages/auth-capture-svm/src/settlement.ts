/** What a server says of a payment, in its answer's header. */

/** Why a server refused a payment, if it says so. */
export function refusalReason(response: Response): string | undefined {
  const { errorReason } = settlement(response);
  return typeof errorReason === "string" ? errorReason : undefined;
}

/** Whether a server says that a payment is settled. */
export function isSettled(response: Response): boolean {
  return settlement(response).success === true;
}

function settlement({ headers }: Response): { errorReason?: unknown; success?: unknown } {
  try {
    return (JSON.parse(atob(headers.get("payment-response") ?? "")) ?? {}) as ReturnType<typeof settlement>;
  } catch {
    return {};
  }
}
