/** The page that a person with a browser sees instead of a challenge. No I/O. */

import type { PaymentRequired, SettleResponse } from "@x402/core/types";

import { formatAmount } from "../amount.js";
import { isUsdc } from "../deployment.js";
import { SETTLE_ERROR } from "../reasons.js";
import { TEMPLATE } from "./page_template.js";
import type { Token } from "./price.js";

type Offer = PaymentRequired["accepts"][number];

/** The page for a challenge, and for the payment that was refused with it. */
export function page(
  { resource, accepts: [offer] }: PaymentRequired,
  refused: SettleResponse | undefined,
  method: string,
  token: Token,
): string {
  if (offer === undefined) {
    return fill({});
  }
  const { extra, network } = offer;
  const url = (resource?.url ?? "").replaceAll("'", "%27");
  const requestPrice = extra["requestPrice"] as string | undefined;
  const price = BigInt(requestPrice ?? offer.amount);
  const [captureDeadline, refundDeadline] = [Number(extra["captureDeadline"]), Number(extra["refundDeadline"] ?? 0)];
  return fill({
    what: resource?.description || url,
    price: tokens(price, offer, token),
    hold: requestPrice === undefined ? "" : tokens(BigInt(offer.amount), offer, token),
    refusal: refused === undefined || refused.success ? "" : reason(refused),
    command: command(method, url, offer, price, token),
    curl: `curl --include '${url}'${method === "GET" ? "" : ` --request ${method} --data @body`}`,
    method,
    url,
    token: isUsdc(offer.asset, network) ? `USDC, ${offer.asset}` : offer.asset,
    receiver: offer.payTo,
    network,
    refunds: refundDeadline > 0 ? duration(refundDeadline - captureDeadline) : "",
  });
}

/** An amount for people: `0.25 USDC`. */
export function tokens(units: bigint, { asset, network }: Pick<Offer, "asset" | "network">, token: Token): string {
  if (asset !== token.mint) {
    return `${units} base units`;
  }
  return `${formatAmount(units, token.decimals)} ${isUsdc(asset, network) ? "USDC" : "tokens"}`;
}

/** The command that pays for one request. */
function command(method: string, url: string, { amount, asset, extra }: Offer, price: bigint, token: Token): string {
  const written = (units: bigint): string => (asset === token.mint ? formatAmount(units, token.decimals) : "AMOUNT");
  const body = method === "GET" ? "" : ` --method ${method} --data @body`;
  const stream = extra["requestPrice"] === undefined ? "" : ` --stream ${written(BigInt(amount))}`;
  return `agent fetch '${url}'${body} \\\n    --session session.json --max-amount ${written(price)}${stream}`;
}

function reason({ errorReason = SETTLE_ERROR, errorMessage }: SettleResponse): string {
  return errorMessage === undefined ? errorReason : `${errorReason}: ${errorMessage}`;
}

/** Seconds in the largest unit that divides them. */
export function duration(seconds: number): string {
  const units: [number, string][] = [
    [86_400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const [size, unit] = units.find(([length]) => seconds % length === 0) ?? [1, "second"];
  return `${seconds / size} ${unit}${seconds === size ? "" : "s"}`;
}

/** `{{name}}` is a value, and a line that starts with `{{?name}}` is left out where the value is empty. */
function fill(values: Readonly<Record<string, string>>): string {
  const lines = TEMPLATE.split("\n").filter((line) => values[/^\{\{\?(\w+)\}\}/.exec(line)?.[1] ?? ""] !== "");
  return lines.join("\n").replace(/\{\{(\??\w+)\}\}/g, (_, name: string) => escape(values[name] ?? ""));
}

function escape(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
