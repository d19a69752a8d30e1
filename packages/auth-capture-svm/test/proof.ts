/**
 * A merchant against a client that sends anything again, altered and at once, and a verifier that
 * answers anything, with kills at random; in one process, decided by a seed. Every request, answer,
 * kill and second is a step.
 */

import assert from "node:assert/strict";

import type { PaymentPayload, SettleResponse } from "@x402/core/types";

import { Authorizer } from "../src/server/authorizer.js";
import { Charger, type ChargeSale } from "../src/server/charger.js";
import { Ender } from "../src/server/ender.js";
import { Endings } from "../src/server/endings.js";
import { Facilitator } from "../src/server/facilitator.js";
import { type Log, Records } from "../src/server/records.js";
import { type Accepted, isCharge } from "../src/server/terms.js";
import { type Sale, Till } from "../src/server/till.js";
import { AUTHORIZER, FEE_PAYER, NETWORK } from "./fixture.js";
import { Books, highest } from "./books.js";
import { Buyer, PRICE } from "./buyer.js";

/** What the verifier says instead of the truth. */
const ANYTHING: (number | object | string)[] = [
  ...[400, 401, 404, 413, 429, 500, 502, 503, 504],
  ...["garbage", "", "[]", '{"success":"yes"}', " ".repeat(1_048_577)],
  ...["settlement_pending", "unexpected_settle_error", "insufficient_funds", "duplicate_settlement"].map(
    (errorReason) => ({ success: false, errorReason }),
  ),
  { success: false, errorReason: "invalid_auth_capture_svm_voucher_repeated" },
  { success: false },
];

/** What a verifier says that lies: nothing of it is held. */
const LIES = ["processed", "finalized"].map((status) => ({ success: true, amount: "1000", extra: { status } }));

/** How a world is. */
export interface Nature {
  /** How often of a hundred times the disk takes nothing. */
  readonly full: number;
  /** Whether the verifier says yes to what it does not hold. */
  readonly lies: boolean;
}

/** A question to the verifier that is not answered yet. */
interface Asked {
  /** Whether it is only asked whether it would be settled. */
  readonly isVerify: boolean;
  readonly payment: PaymentPayload;
  readonly claim: string | undefined;
  readonly answer: (response: Response) => void;
}

/** One life of the merchant. */
interface Life {
  isAlive: boolean;
  readonly records: Records;
  readonly till: Till;
  readonly charger: Charger;
  readonly endings: Endings;
}

export class World {
  readonly books: Books;
  readonly #buyer: Buyer;
  readonly #random: (below: number) => number;
  /** What outlives the merchant. */
  #disk: unknown[] = [];
  readonly #nature: Nature;
  #full = 0;
  readonly #asked: Asked[] = [];
  readonly #sales: { sale: Sale | ChargeSale; life: Life }[] = [];
  /** How often each purchase was served. */
  readonly served = new Map<string, number>();
  /** What went wrong. */
  readonly failures: unknown[] = [];
  /** Purchases whose handler took something, also where the merchant was killed before the answer left. */
  readonly taken = new Set<string>();
  #life: Life;

  constructor(seed: number, nature: Nature) {
    this.#nature = nature;
    this.#random = randomly(seed);
    this.#buyer = new Buyer(this.#random);
    this.books = new Books((_key, _message, signature) => this.#buyer.hasSigned(signature));
    this.#life = this.#start();
    this.#full = nature.full;
  }

  /** Does one thing, and lets others go on for a moment. */
  async step(tick: (milliseconds: number) => void): Promise<void> {
    const action = this.#random(100);
    if (action < 35) {
      this.#noting(this.#send(this.#buyer.payment(Date.now() / 1000)));
    } else if (action < 70) {
      this.#answer(this.#random(3) > 0);
    } else if (action < 88) {
      this.#serve();
    } else if (action < 98) {
      tick(this.#random(4_000));
      this.#noting(this.#life.endings.settleDue());
    } else if (action === 98) {
      this.#noting(this.#life.endings.closeStreams());
    } else {
      this.#kill();
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets all that is under way end, with a verifier that is well again. */
  async finish(tick: (milliseconds: number) => void): Promise<void> {
    this.#full = 0;
    this.#kill();
    for (let rounds = 0; rounds < 20; rounds += 1) {
      tick(310_000);
      this.#noting(this.#life.endings.closeStreams());
      do {
        this.#answer(true);
        await new Promise((resolve) => setImmediate(resolve));
      } while (this.#asked.length > 0);
    }
    this.#life.endings.close();
  }

  /**
   * @throws if somebody was served what is not paid for, or is charged for what was refused; the
   * word of a verifier that lies is worth nothing
   */
  check(): void {
    if (this.#nature.lies) {
      return;
    }
    for (const [id, booked] of this.books.payments) {
      if (booked.state === "paid") {
        assert.ok(this.taken.has(id), `${id}: was charged, and no handler took anything`);
        continue;
      }
      const vouchers = [...booked.vouchers.keys()].filter((amount) => (this.served.get(`${id} ${amount}`) ?? 0) > 0);
      const last = highest(booked);
      // The verifier captures the last voucher of a stream that nobody closes.
      const paid = booked.state === "authorized" ? last : booked.captured;
      const isServed = booked.captured === 0n || this.taken.has(`${id} ${booked.captured}`);
      assert.ok(booked.vouchers.size === 0 || isServed, `${id}: ${booked.captured} was paid, and is not served`);
      assert.ok(paid >= BigInt(vouchers.length) * PRICE, `${id}: vouchers were served that are not paid for`);
      if (last === 0n && booked.vouchers.size === 0) {
        assert.equal(paid > 0n, this.taken.has(id), `${id}: ${paid} was paid`);
        assert.ok(paid > 0n || !this.served.has(id), `${id}: was served and is not paid for`);
      }
    }
    for (const [purchase] of this.served) {
      assert.ok(this.books.payments.has(purchase.split(" ")[0] ?? ""), `${purchase}: was served and is not paid`);
    }
  }

  #start(): Life {
    const [first, ...lines] = this.#disk;
    const claim = (first as { claim: string } | undefined)?.claim ?? "0a".repeat(16);
    const life: { isAlive: boolean } = { isAlive: true };
    const write = (change: () => void): void => {
      if (!life.isAlive || this.#random(100) < this.#full) {
        throw new Error(life.isAlive ? "the disk is full" : "the merchant is dead");
      }
      change();
    };
    const log: Log = {
      append: (line) => write(() => this.#disk.push(JSON.parse(JSON.stringify(line)))),
      rewrite: (all) => write(() => (this.#disk = JSON.parse(JSON.stringify(all)) as unknown[])),
    };
    const records = new Records(log, claim, lines);
    const authorizer = new Authorizer(AUTHORIZER);
    const facilitator = new Facilitator("http://verifier.test", (url, init) =>
      this.#ask(String(url).endsWith("/verify"), String(init?.body)),
    );
    const endings = new Endings(new Ender(facilitator, authorizer, records, FEE_PAYER), records, 10);
    const till = new Till(facilitator, authorizer, records, endings);
    const charger = new Charger(facilitator, authorizer, records);
    return Object.assign(life, { records, till, charger, endings });
  }

  #kill(): void {
    const full = this.#full;
    this.#life.isAlive = false;
    this.#life.endings.close();
    this.#sales.length = 0;
    this.#full = 0; // a merchant that can't write its record does not start
    this.#life = this.#start();
    this.#full = full;
  }

  #ask(isVerify: boolean, body: string): Promise<Response> {
    const { paymentPayload: payment, claim } = JSON.parse(body) as { paymentPayload: PaymentPayload; claim?: string };
    return new Promise((answer) => this.#asked.push({ isVerify, payment, claim, answer }));
  }

  async #send(accepted: Accepted): Promise<void> {
    const life = this.#life;
    const { till, charger } = life;
    const sold = await (isCharge(accepted.payment.accepted)
      ? charger.begin(accepted)
      : accepted.isStreamed
        ? till.accept(accepted, PRICE)
        : till.hold(accepted));
    if ("accepted" in sold && life.isAlive) {
      this.#sales.push({ sale: sold, life });
    }
  }

  /** Answers one of the questions: the truth, or after the truth or instead of it anything else. */
  #answer(isTrue: boolean): void {
    const [asked] = this.#asked.splice(this.#random(this.#asked.length || 1), 1);
    if (asked === undefined) {
      return;
    }
    const { isVerify, payment, claim, answer } = asked;
    if (isVerify && isTrue) {
      return answer(Response.json(this.books.verify(payment)));
    }
    if (!isVerify && (isTrue || this.#random(2) === 0)) {
      const says: Partial<SettleResponse> = this.books.settle(payment, claim);
      if (isTrue) {
        return answer(Response.json({ success: true, transaction: "", network: NETWORK, ...says }));
      }
    }
    const all = this.#nature.lies ? [...ANYTHING, ...LIES, ...LIES, ...LIES] : ANYTHING;
    const anything = all[this.#random(all.length)] ?? 500;
    answer(
      typeof anything === "number"
        ? new Response("{}", { status: anything })
        : typeof anything === "string"
          ? new Response(anything)
          : Response.json({ transaction: "", network: NETWORK, isValid: "success" in anything, ...anything }),
    );
  }

  #noting(work: Promise<unknown>): void {
    work.catch((error: unknown) => this.failures.push(error));
  }

  /** A handler ends: well, for less than the price, for nothing, or with an error. */
  #serve(): void {
    const [one] = this.#sales.splice(this.#random(this.#sales.length || 1), 1);
    if (one === undefined) {
      return;
    }
    const { sale, life } = one;
    const { paymentId, amount, isStreamed } = sale.accepted;
    const takes = this.#random(4) === 0 ? 0n : BigInt(1 + this.#random(Number(amount)));
    const purchase = isStreamed ? `${paymentId} ${amount}` : paymentId;
    const isHeld = "held" in sale;
    if (!isHeld && takes > 0n) {
      this.taken.add(purchase);
    }
    const ending = isHeld
      ? life.till.end(sale, takes).then(({ success }) => success)
      : life.charger.end(sale, takes > 0n, takes).then((ended) => "settled" in ended);
    const answered = ending.then((isServed) => {
      if (takes > 0n && isServed && life.isAlive) {
        this.served.set(purchase, (this.served.get(purchase) ?? 0) + 1);
        assert.equal(this.served.get(purchase), 1, `${purchase} was served twice`);
      }
    });
    this.#noting(answered);
    const { state, served } = life.records.get(paymentId);
    if (isStreamed ? served.has(amount) : takes > 0n && state === "capturing") {
      this.taken.add(purchase);
    }
  }
}

/** Numbers from 0 to below a limit, decided by a seed. */
function randomly(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
