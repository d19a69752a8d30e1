import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { PaymentRequired, SettleResponse } from "@x402/core/types";

import { LOCAL_PROGRAM } from "../src/deployment.js";
import { prefersHtml } from "../src/server/browser.js";
import { duration, page } from "../src/server/page.js";
import { TEMPLATE } from "../src/server/page_template.js";
import { address, NETWORK } from "./fixture.js";

test("both merchant layers have the same page", () => {
  const template = readFileSync(new URL("../../../../merchant/src/page.html", import.meta.url), "utf8");
  assert.equal(TEMPLATE, template);
});

function challenge(extra: Record<string, unknown>, description = "A <report>"): PaymentRequired {
  const offer = { scheme: "auth-capture", network: NETWORK, amount: "250000", asset: address(2), payTo: address(3) };
  const terms = { captureDeadline: 1000, program: LOCAL_PROGRAM, ...extra };
  const resource = { url: "https://shop.test/report?q='&x", description, mimeType: "" };
  const accepts = [{ ...offer, maxTimeoutSeconds: 60, extra: terms }];
  return { x402Version: 2, resource, accepts } as unknown as PaymentRequired;
}

const TOKEN = { mint: address(2), decimals: 6 };

test("the page says what is sold, what it costs and how to pay, and has no HTML of others", () => {
  const shown = page(challenge({}), undefined, "POST", TOKEN);
  for (const part of [
    "<h1>A &lt;report&gt;</h1>",
    "<strong>0.25 tokens</strong>",
    "agent fetch &#39;https://shop.test/report?q=%27&amp;x&#39; --method POST --data @body \\\n    --session session.json --max-amount 0.25",
    "curl --include &#39;https://shop.test/report?q=%27&amp;x&#39; --request POST --data @body",
    address(3),
  ]) {
    assert.ok(shown.includes(part), `${part} is not in ${shown}`);
  }
  assert.ok(!/<report>|<script|\{\{|Refunds|One hold|Your payment/.test(shown));
});

test("a stream, a promise of refunds and a refusal are told", () => {
  const refused = { success: false, errorReason: "insufficient_funds", errorMessage: "<no>" } as SettleResponse;
  const shown = page(challenge({ requestPrice: "1000", refundDeadline: 1600 }), refused, "GET", TOKEN);
  for (const part of [
    "<strong>0.001 tokens</strong>",
    "One hold of 0.25 tokens",
    "--max-amount 0.001 --stream 0.25",
    "promised for 10 minutes",
    "insufficient_funds: &lt;no&gt;",
  ]) {
    assert.ok(shown.includes(part), `${part} is not in ${shown}`);
  }
});

test("without a description the page names the URL", () => {
  assert.ok(page(challenge({}, ""), undefined, "GET", TOKEN).includes("<h1>https://shop.test/report?q=%27&amp;x</h1>"));
});

test("durations are in the largest unit that divides them", () => {
  assert.deepEqual([86_400, 7200, 3660, 1].map(duration), ["1 day", "2 hours", "61 minutes", "1 second"]);
});

for (const [accept, expected] of [
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true],
  ["application/json, text/html;q=0.9", false],
  ["text/html, application/json", false],
  ["text/html, application/json;q=0.5", true],
  ["text/html;q=0", false],
  ["*/*", false],
  ["", false],
] as const) {
  test(`who accepts ${JSON.stringify(accept)} gets ${expected ? "a page" : "JSON"}`, () => {
    assert.equal(prefersHtml(accept), expected);
  });
}
