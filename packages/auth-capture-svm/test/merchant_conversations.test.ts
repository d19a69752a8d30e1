/**
 * Plays docs/conversations/merchant.json and merchant-charges.json: what clients send and verifiers say to one merchant
 * or to several instances of it, what it tells its clients, and what it asks its verifier for.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";

import type { PaymentPayload, SettleResponse } from "@x402/core/types";

import { charging } from "../src/server.js";
import { writeBase58 } from "../src/bytes.js";
import { UNDECIDED } from "../src/purchase/verdict.js";
import { paymentIdOf } from "../src/server/payment.js";
import { NETWORK, NOW } from "./fixture.js";
import { Facilitator, opening, payment, send, shop, voucher } from "./shop.js";

interface Conversation {
  readonly name: string;
  /** How many share one key. */
  readonly instances?: number;
  /** Whether holds are for many requests: of 1000, for requests at 100; else each is for one, of 1000. */
  readonly stream?: boolean;
  readonly steps: readonly Step[];
}

/** A request, or what else happens. */
interface Step {
  /** The instance; the first one has the number 1. */
  readonly at?: number;
  /** A request is paid by the payment with this name, which is signed when it is named first. */
  readonly pay?: string;
  /** It is paid by a voucher out of that hold, in base units. */
  readonly voucher?: number;
  /** What the client changed after it had signed. */
  readonly alter?: "junk" | "signature" | "capture";
  /** What the handler answers; or that the instance is killed while it runs. */
  readonly handler?: number | "dies";
  /** What it takes, if not the price, in base units. */
  readonly wants?: number;
  /** The instance was killed, and starts again. */
  readonly restart?: true;
  /** The instance is told to stop. */
  readonly close?: true;
  /** So many seconds pass at all instances. */
  readonly pass?: number;
  /** All that the verifier is asked for, and what it says to that: a status without a verdict, or a word. */
  readonly verifier?: readonly Expected[];
  /** What the client is told: a status, the reason of a refusal, or `again`. */
  readonly told?: number | string;
}

type Expected = readonly [asked: string, said: number | string];
type Shop = Awaited<ReturnType<typeof shop>>;

/** A verdict. */
function said(word: string, amount: bigint): Partial<SettleResponse> {
  const yes = (extra: Record<string, unknown>, added = amount): Partial<SettleResponse> => ({
    ...{ success: true, transaction: "", network: NETWORK, amount: added.toString(), extra },
  });
  switch (word) {
    case "yes":
      return yes({ status: "confirmed" });
    case "final":
      return yes({ status: "finalized" });
    case "again": // it was told yes to this claim before
      return yes({ status: "confirmed", alreadySettled: true, claimed: true });
    case "anothers": // and here to another one
      return yes({ status: "confirmed", alreadySettled: true });
    case "weak": // less final than any route asks for, and less than a request costs
      return yes({ status: "unsettled" }, 0n);
    default:
      return { success: false, errorReason: word, transaction: "", network: NETWORK };
  }
}

/** A verifier that says what is written. */
class Verifier {
  expected: Expected[] = [];
  /** What it was asked for and should not have been. */
  readonly unexpected: string[] = [];
  /** Each instance's. */
  readonly #claims = new Map<number, string>();

  /** As one instance knows it. */
  for(instance: number): Facilitator {
    const facilitator = new Facilitator();
    facilitator.fetch = async (url, init) => {
      if (String(url).endsWith("/supported")) {
        return Response.json(await facilitator.getSupported());
      }
      if (init?.body === undefined) {
        return Response.json({}, { status: 404 });
      }
      const text = String(init?.body);
      assert.ok(!text.includes("junk"), "junk was passed on");
      const { paymentPayload, claim } = JSON.parse(text) as { paymentPayload: PaymentPayload; claim?: string };
      return String(url).endsWith("/verify")
        ? this.#verify(paymentPayload, claim)
        : this.#settle(instance, paymentPayload, claim);
    };
    return facilitator;
  }

  #verify({ payload }: PaymentPayload, claim: string | undefined): Response {
    assert.deepEqual([payload["capture"], claim], [undefined, undefined]);
    return this.#answer("verify", (word) =>
      word === "yes" ? { isValid: true } : { isValid: false, invalidReason: word },
    );
  }

  #settle(instance: number, { accepted, payload }: PaymentPayload, claim: string | undefined): Response {
    const {
      type,
      capture,
      amount = capture?.amount ?? accepted.amount,
    } = payload as {
      type?: string;
      capture?: { amount: string };
      amount?: string;
    };
    const kind = type ?? (capture === undefined ? "hold" : "charge");
    this.#checkClaim(instance, type, claim);
    const added = type === "voucher" ? String(accepted.extra["requestPrice"]) : amount;
    const asked = kind === "hold" || kind === "void" ? kind : `${kind} ${amount}`;
    return this.#answer(asked, (word) => said(word, BigInt(added)));
  }

  #answer(asked: string, verdict: (word: string) => object): Response {
    const place = this.expected.findIndex(([expected]) => expected === asked);
    const [expected] = place < 0 ? [] : this.expected.splice(place, 1);
    if (expected === undefined) {
      this.unexpected.push(asked);
      throw new Error("this was not expected");
    }
    const [, word] = expected;
    if (word === "lost") {
      throw new Error("connection reset");
    }
    return typeof word === "number" ? Response.json({}, { status: word }) : Response.json(verdict(word));
  }

  /** What clients sent is settled with the instance's claim, which it keeps; nothing else has one. */
  #checkClaim(instance: number, type: string | undefined, claim: string | undefined): void {
    if (type !== undefined && type !== "voucher") {
      return assert.equal(claim, undefined);
    }
    assert.ok(claim !== undefined);
    assert.equal(this.#claims.get(instance) ?? claim, claim);
    this.#claims.set(instance, claim);
    assert.equal(new Set(this.#claims.values()).size, this.#claims.size, "each instance has a claim of its own");
  }
}

/** What merchants do every second by themselves. */
async function round(): Promise<void> {
  mock.timers.tick(1_000);
  // Nothing of it waits for more than what this process does itself.
  for (let turn = 0; turn < 50; turn += 1) {
    await setImmediate();
  }
}

class Player {
  readonly #verifier = new Verifier();
  readonly #shops: Shop[] = [];
  readonly #payments = new Map<string, PaymentPayload>();
  readonly #path: string;
  #now = NOW;

  private constructor(path: string) {
    this.#path = path;
  }

  static async start({ instances = 1 }: Conversation, path: string, context: TestContext): Promise<Player> {
    const player = new Player(path);
    context.mock.method(Date, "now", () => player.#now * 1000);
    for (let instance = 1; instance <= instances; instance += 1) {
      const terms = { publicUrl: "https://shop.test", closesStreams: instances === 1 };
      player.#shops.push(await shop(player.#verifier.for(instance), undefined, terms));
    }
    return player;
  }

  /** Lets nothing more happen by itself. */
  close(): void {
    this.#shops.forEach(({ scheme }) => scheme.close());
  }

  async play(step: Step): Promise<void> {
    this.#verifier.expected = [...(step.verifier ?? [])];
    const { at = 1, restart, close, pass } = step;
    if (restart === true) {
      this.#shops[at - 1] = await this.#shop(at).restart();
      await round();
    }
    if (close === true) {
      await this.#shop(at).scheme.closeStreams();
    }
    if (pass !== undefined) {
      this.#now += pass;
      // What is found out in one round is acted upon in the next at the latest.
      for (let count = 1; count <= 2; count += 1) {
        await round();
        this.#now += 1;
      }
    }
    const told = step.pay === undefined ? undefined : await this.#pay(step, step.pay);
    assert.equal(told, step.told);
    assert.deepEqual(this.#verifier.unexpected, [], "the verifier was asked for this too");
    assert.deepEqual(this.#verifier.expected, [], "the verifier was not asked for this");
  }

  async #pay({ at = 1, voucher: amount, alter, handler = 200, wants }: Step, name: string) {
    const { base, on } = this.#shop(at);
    let paid = await this.#payment(name);
    if (amount !== undefined) {
      paid = { ...paid, payload: voucher(paymentIdOf(paid), amount) };
    }
    if (alter !== undefined) {
      const deep = JSON.parse(`${"[".repeat(100)}"junk"${"]".repeat(100)}`) as unknown;
      const signature = writeBase58(new Uint8Array(64).fill(9));
      const altered = {
        junk: { junk: deep },
        signature: { signature },
        capture: { capture: { amount: "1", signature } },
      };
      paid = { ...paid, payload: { ...paid.payload, ...altered[alter] } };
    }
    const runs = new Promise<void>((resolve) => {
      on((_request, response) => {
        resolve();
        if (wants !== undefined) {
          response.set(charging(String(wants)));
        }
        return handler === "dies" ? undefined : response.status(handler).send();
      });
    });
    const sent = send(`${base}${this.#path}`, paid);
    if (handler === "dies") {
      // It is killed with the restart that follows.
      sent.catch(() => undefined);
      return runs;
    }
    const { status, reason } = await sent;
    if ([502, 503].includes(status) || (status === 402 && UNDECIDED.includes(reason ?? ""))) {
      return "again";
    }
    return status === 402 ? (reason ?? "payment required") : status;
  }

  /** The payment with a name, for what the first instance asks. */
  async #payment(name: string): Promise<PaymentPayload> {
    const url = `${this.#shop(1).base}${this.#path}`;
    const known = this.#payments.get(name);
    const paid = known ?? (await (this.#path === "/tick" ? opening(url) : payment(url)));
    const { authorizeBy } = paid.payload;
    assert.ok(known !== undefined || authorizeBy === NOW + 60);
    this.#payments.set(name, paid);
    return paid;
  }

  #shop(at: number): Shop {
    return this.#shops[at - 1] ?? assert.fail(`there is no instance ${at}`);
  }
}

function play(file: string, atLeast: number, pathOf: (conversation: Conversation) => string): void {
  const conversations = JSON.parse(
    readFileSync(new URL(`../../../../docs/conversations/${file}`, import.meta.url), "utf8"),
  ) as Conversation[];

  test(`there are conversations in ${file}`, () => assert.ok(conversations.length > atLeast));

  for (const conversation of conversations) {
    test(conversation.name, async (context) => {
      const player = await Player.start(conversation, pathOf(conversation), context);
      for (const [number, step] of conversation.steps.entries()) {
        try {
          await player.play(step);
        } catch (error) {
          throw new Error(`step ${number + 1}: ${(error as Error).message}`, { cause: error });
        }
      }
      player.close();
    });
  }
}

play("merchant.json", 20, ({ stream }) => (stream === true ? "/tick" : "/report"));
play("merchant-charges.json", 10, () => "/charge");
