import assert from "node:assert/strict";
import { test } from "node:test";

import { readBase58, readHex, writeBase58 } from "../src/bytes.js";
import { LOCAL_PROGRAM } from "../src/deployment.js";
import { publicKey, verify } from "../src/ed25519.js";
import { refund } from "../src/server.js";
import { problemOf } from "../src/server/refund.js";
import { address, AUTHORIZER, AUTHORIZER_ADDRESS } from "./fixture.js";
import { serve } from "./peers.js";
import { SUPPORTED } from "./shop.js";

const COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111";
const PAYMENT_ID = "0a".repeat(32);
const [FEE_PAYER, SOURCE, ESCROW, VAULT, MINT, TOKENS] = [4, 11, 12, 13, 2, 14].map(address) as [
  string,
  string,
  string,
  string,
  string,
  string,
];

/** A message, laid out as Solana has it: the signers and then the other accounts, each once. */
interface Draft {
  signers: string[];
  instructions: { program: string; accounts: string[]; data: number[] }[];
}

function draft(): Draft {
  const amount = [0xf4, 1, 0, 0, 0, 0, 0, 0]; // 500
  const accounts = [AUTHORIZER_ADDRESS, SOURCE, ESCROW, VAULT, MINT, TOKENS];
  return {
    signers: [FEE_PAYER, AUTHORIZER_ADDRESS],
    instructions: [
      { program: COMPUTE_BUDGET, accounts: [], data: [2, 0, 0, 1, 0] },
      { program: LOCAL_PROGRAM, accounts, data: [2, ...amount, 1, ...readHex(PAYMENT_ID, 32, "id")] },
    ],
  };
}

function encode({ signers, instructions }: Draft): Uint8Array {
  const named = instructions.flatMap(({ program, accounts }) => [...accounts, program]);
  const keys = [...new Set([...signers, ...named])];
  const place = (key: string): number => keys.indexOf(key);
  return Uint8Array.from([
    ...[signers.length, 1, 2, keys.length],
    ...keys.flatMap((key) => [...readBase58(key, 32, "key")]),
    ...new Uint8Array(32).fill(99),
    instructions.length,
    ...instructions.flatMap(({ program, accounts, data }) => [
      ...[place(program), accounts.length, ...accounts.map(place)],
      ...[data.length, ...data],
    ]),
  ]);
}

const wanted = {
  program: LOCAL_PROGRAM,
  receiver: AUTHORIZER_ADDRESS,
  mint: MINT,
  digest: readHex(PAYMENT_ID, 32, "id"),
  amount: 500n,
};

/** Why an altered draft is not signed. */
function problem(alter: (draft: Draft, deposit: Draft["instructions"][number]) => void): string | undefined {
  const altered = draft();
  const [, deposit] = altered.instructions;
  assert.ok(deposit);
  alter(altered, deposit);
  return problemOf(encode(altered), wanted);
}

test("a deposit that names the payment, of what was asked for at most, is signed", () => {
  assert.equal(
    problem(() => {}),
    undefined,
  );
  assert.equal(
    problem((_, { data }) => void (data[1] = 1)),
    undefined,
  );
  assert.equal(problemOf(encode(draft()), { ...wanted, escrow: ESCROW }), undefined);
});

test("a draft that does anything else is not signed", () => {
  const signers = /not paid for by the facilitator, and signed by it and the merchant alone/;
  assert.match(problem((draft) => void draft.signers.reverse()) ?? "", signers);
  assert.match(problem((draft) => void draft.signers.push(address(20))) ?? "", signers);
  assert.match(problem((draft) => void (draft.signers = [FEE_PAYER, address(20)])) ?? "", signers);
  const calls = /does not call the escrow program once, and no other/;
  assert.match(problem((draft, deposit) => void draft.instructions.push(deposit)) ?? "", calls);
  assert.match(problem((draft) => void draft.instructions.pop()) ?? "", calls);
  assert.match(problem((_, deposit) => void (deposit.program = address(21))) ?? "", calls);
  const transfer = { program: TOKENS, accounts: [SOURCE, VAULT, AUTHORIZER_ADDRESS], data: [3, 1] };
  assert.match(problem((draft) => void draft.instructions.push(transfer)) ?? "", calls);
  const deposit = /is no deposit that names the payment, or of more than was asked for/;
  for (const [place, byte] of [
    [0, 4], // withdraw
    [1, 0xf5], // a base unit more
    [8, 1],
    [9, 0], // names no payment
    [41, 0], // names another
  ] as const) {
    assert.match(problem((_, { data }) => void (data[place] = byte)) ?? "", deposit, `byte ${place}`);
  }
  assert.match(problem((_, { data }) => void data.push(0)) ?? "", deposit);
  assert.match(problem((_, { data }) => void data.splice(9, 33)) ?? "", deposit);
  assert.match(problem((_, { data }) => void data.fill(0, 1, 9)) ?? "", deposit);
  const accounts = /is no deposit of the merchant's, or of another token/;
  assert.match(problem((_, { accounts: all }) => void (all[0] = FEE_PAYER)) ?? "", accounts);
  assert.match(problem((_, { accounts: all }) => void (all[4] = address(22))) ?? "", accounts);
  assert.match(problem((_, { accounts: all }) => void all.push(SOURCE)) ?? "", accounts);
  const other = problemOf(encode(draft()), { ...wanted, escrow: address(23) });
  assert.match(other ?? "", /goes to .*, and not to the payer's escrow/);
});

test("bytes that are no legacy message are not signed", () => {
  const whole = encode(draft());
  for (let length = 0; length < whole.length; length += 1) {
    assert.match(problemOf(whole.slice(0, length), wanted) ?? "", /it is no legacy message of Solana/);
  }
  assert.match(problemOf(Uint8Array.of(...whole, 0), wanted) ?? "", /has more bytes/);
  assert.match(problemOf(Uint8Array.of(0x80, ...whole), wanted) ?? "", /it is no legacy message of Solana/);
  // The number of accounts in two bytes where one will do.
  const longer = Uint8Array.of(...whole.slice(0, 3), (whole[3] ?? 0) | 0x80, 0, ...whole.slice(4));
  assert.match(problemOf(longer, wanted) ?? "", /a length that is not minimal/);
});

/** A verifier that drafts refunds, and what it was sent. */
async function refunding(message: Uint8Array) {
  const sent: [string | undefined, Record<string, unknown>][] = [];
  const url = await serve((request, response, body) => {
    if (request.url === "/supported") {
      return void response.end(JSON.stringify(SUPPORTED));
    }
    sent.push([request.url, JSON.parse(body) as Record<string, unknown>]);
    const drafted = { message: Buffer.from(message).toString("base64"), returns: "500" };
    const settled = { success: true, transaction: "tx", network: "solana:test", amount: "500" };
    response.end(JSON.stringify(request.url === "/refunds" ? drafted : settled));
  });
  const merchant = {
    facilitator: url,
    authorizer: AUTHORIZER,
    token: { mint: MINT, decimals: 6 },
  };
  return { merchant, sent };
}

test("a refund is drafted, signed as it was drafted, and sent", async () => {
  const message = encode(draft());
  const { merchant, sent } = await refunding(message);
  const settled = await refund(merchant, { paymentId: PAYMENT_ID, amount: 500n, escrow: ESCROW });
  assert.equal(settled.success, true);
  const [[asked, wish] = [], [signed, answer] = []] = sent;
  assert.deepEqual([asked, wish], ["/refunds", { paymentId: PAYMENT_ID, amount: "500" }]);
  const { signature, ...rest } = answer ?? {};
  const base64 = Buffer.from(message).toString("base64");
  assert.deepEqual([signed, rest], ["/refunds/signed", { paymentId: PAYMENT_ID, amount: "500", message: base64 }]);
  assert.ok(verify(publicKey(AUTHORIZER), message, readBase58(signature, 64, "signature")));
});

test("a draft of more than was asked for, or for another receiver, is not sent back", async () => {
  const { merchant, sent } = await refunding(encode(draft()));
  await assert.rejects(refund(merchant, { paymentId: PAYMENT_ID, amount: 499n }), /was not signed: it is no deposit/);
  const other = { ...merchant, authorizer: new Uint8Array(32).fill(30) };
  await assert.rejects(refund(other, { paymentId: PAYMENT_ID, amount: 500n }), /was not signed: it is not paid for by/);
  assert.deepEqual(
    sent.map(([url]) => url),
    ["/refunds", "/refunds"],
  );
});

test("the verifier's reason is quoted where it drafts nothing", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/supported") {
      return void response.end(JSON.stringify(SUPPORTED));
    }
    response.writeHead(422).end(JSON.stringify({ error: { code: "x", message: "amount: 500 is refused" } }));
  });
  const merchant = {
    facilitator: url,
    authorizer: AUTHORIZER,
    token: { mint: MINT, decimals: 6 },
  };
  const asked = refund(merchant, { paymentId: PAYMENT_ID, amount: 500n });
  await assert.rejects(asked, /\/refunds answered 422: amount: 500 is refused/);
  const elsewhere = refund(
    { ...merchant, program: writeBase58(new Uint8Array(32)) },
    { paymentId: PAYMENT_ID, amount: 1n },
  );
  await assert.rejects(elsewhere, /the facilitator settles auth-capture of Esc.*, and not of 1111/);
});
