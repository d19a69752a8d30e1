/**
 * The nonces of an agent's intents, kept on disk: no two processes with one session file sign the
 * same nonce.
 *
 * A nonce is taken, durably, before the verifier is asked for a draft. It is free again at once if
 * nothing was signed, and a minute after the intent's authorize-by time if no answer said that it
 * was held; a held one is used for good. The agent never takes one that is more than 1,024 above
 * the highest it knows to be used, since the program would refuse it: this is the agent's own
 * bound, which no verifier can move.
 *
 * The file, its lock and the rules are the Rust agent's: both can use one session file at once.
 */

import { randomBytes } from "node:crypto";
import { resolve } from "node:path";

import { Fields } from "../fields.js";
import { readJson, writeJson } from "../durable.js";
import { withLock } from "../lock.js";
import { NoncesError } from "./errors.js";
import { DRAFT_SECONDS, type NoneLeft, Nonces } from "./nonces/state.js";

/** Identifies a session in the file: sessions that share it don't share nonces. */
export interface SessionName {
  readonly sessionKey: string;
  readonly incarnation: string;
}

/** A nonce that is one request's alone. Exactly one of its methods is to be called. */
export interface Taken {
  readonly nonce: bigint;
  /** Notes, durably, that the payment is signed now. Before that its signature must not leave. */
  sign(paymentId: string, authorizeBy: number): Promise<void>;
  /** Notes that the verifier says it is used. */
  refuse(): Promise<void>;
  /** Notes that nothing was signed: it is free again. */
  release(): Promise<void>;
}

/** The nonces of one incarnation of one session. */
export class SessionNonces {
  readonly #path: string;
  readonly #session: string;

  /** @param path the file; none is one in which nothing was used */
  constructor(path: string, { sessionKey, incarnation }: SessionName) {
    this.#path = resolve(path);
    this.#session = `${sessionKey}/${incarnation}`;
  }

  /**
   * Takes the lowest free nonce above `above`, for a draft that is asked for now.
   *
   * @throws {NoncesError} if none is left, or the file can't be used
   */
  async take(above: bigint, now: number): Promise<Taken> {
    const ticket = randomBytes(8).readBigUInt64BE();
    const nonce = await this.#change((nonces) => {
      const taken = nonces.take(above, ticket, now);
      return typeof taken === "bigint" ? taken : new NoncesError(this.#noneLeft(nonces.bound, taken, above, now));
    });
    if (nonce instanceof NoncesError) {
      throw nonce;
    }
    return {
      nonce,
      sign: async (paymentId, authorizeBy) => {
        if (!(await this.#change((nonces) => nonces.sign(nonce, ticket, paymentId, authorizeBy)))) {
          const late = `took longer than ${DRAFT_SECONDS} s and was not signed: try again`;
          throw new NoncesError(`the draft of nonce ${nonce} ${late}`);
        }
      },
      refuse: () => this.#change((nonces) => nonces.refuse(nonce, ticket)),
      release: () => this.#change((nonces) => nonces.release(nonce, ticket)),
    };
  }

  /** Notes that a payment is held. One that is not outstanding changes nothing. */
  held(paymentId: string): Promise<void> {
    return this.#change((nonces) => nonces.held(paymentId));
  }

  async #change<T>(change: (nonces: Nonces) => T): Promise<T> {
    try {
      return await withLock(`${this.#path}.lock`, () => {
        const all = new Fields({ sessions: readJson(this.#path) ?? {} }, "").object("sessions");
        const known = all[this.#session];
        const nonces = known === undefined ? new Nonces() : Nonces.read(known, this.#session);
        const unchanged = JSON.stringify(nonces);
        const result = change(nonces);
        if (JSON.stringify(nonces) !== unchanged) {
          writeJson(this.#path, { ...all, [this.#session]: nonces });
        }
        return result;
      });
    } catch (error) {
      throw new NoncesError(
        `the file of nonces ${this.#path}: ${(error as Error).message}; nothing was signed. If it is damaged, move it ` +
          `away and set the next nonce with agent session nonces --session FILE --from-chain`,
        { cause: error },
      );
    }
  }

  #noneLeft(bound: bigint, { freeAt }: NoneLeft, above: bigint, now: number): string {
    return above === 0n && freeAt !== undefined
      ? `the next nonce would be above ${bound}, more than 1,024 above the last that is known to be used: payments that ` +
          `were signed before are neither held nor expired. Wait ${freeAt - now} s, until the first of them expires`
      : `the verifier says of every nonce that may be signed, up to ${bound}, that it is used: the session file was ` +
          `probably used elsewhere. Set the next nonce with agent session nonces --session FILE --from-chain`;
  }
}
