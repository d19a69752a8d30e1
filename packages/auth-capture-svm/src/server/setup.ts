/** Puts a merchant together from its settings, or says which of them is wrong. */

import type { Address } from "../bytes.js";
import { Authorizer } from "./authorizer.js";
import { Charger } from "./charger.js";
import { checkConfig, type MerchantConfig } from "./config.js";
import { Counter } from "./counter.js";
import { Ender } from "./ender.js";
import { Endings } from "./endings.js";
import { Facilitator } from "./facilitator.js";
import { openFolder } from "./folder.js";
import { decimalsOf, type Token } from "./price.js";
import { checkReceiver, followReceiver } from "./receiver.js";
import type { Records } from "./records.js";
import { Requests } from "./request.js";
import { Support } from "./support.js";
import type { Windows } from "./terms.js";
import { Till } from "./till.js";

/** The parts of a merchant. */
export interface Merchant {
  readonly facilitator: Facilitator;
  readonly support: Support;
  readonly token: Token;
  readonly authorizer: Address;
  readonly payTo: Address;
  readonly windows: Windows;
  readonly requests: Requests;
  readonly endings: Endings;
  readonly counter: Counter;
  /** Stops it, and lets another use its folder. */
  readonly close: () => void;
}

/**
 * @throws if a setting is wrong, the facilitator doesn't answer or doesn't settle for the merchant's
 * program, the receiver has no token account, or the folder can't be used
 */
export async function setUp(config: MerchantConfig): Promise<Merchant> {
  checkConfig(config);
  const requests = new Requests(config.publicUrl);
  const authorizer = new Authorizer(config.authorizer);
  const facilitator = new Facilitator(config.facilitator, config.fetch);
  const support = await Support.of(facilitator, config.program);
  try {
    const payTo = config.payTo ?? authorizer.address;
    const receiver = { facilitator, payTo, mint: config.token.mint };
    const onChain = await checkReceiver(receiver);
    const token = { mint: config.token.mint, decimals: decimals(config.token, support, onChain) };
    const [records, unlock] = await openFolder(config.state);
    const { endings, ...selling } = sell(config, authorizer, facilitator, support, records, requests);
    const unfollow = followReceiver(receiver);
    const close = (): void => {
      support.close();
      unfollow();
      endings.close();
      unlock();
    };
    const known = { facilitator, support, token, authorizer: authorizer.address, payTo, requests };
    return { ...known, ...selling, endings, close };
  } catch (error) {
    support.close();
    throw error;
  }
}

function sell(
  config: MerchantConfig,
  authorizer: Authorizer,
  facilitator: Facilitator,
  support: Support,
  records: Records,
  requests: Requests,
): Pick<Merchant, "windows" | "endings" | "counter"> {
  const { captureWindowSeconds = 3600, refundWindowSeconds = 0, streamIdleSeconds = 60 } = config;
  const windows = { captureSeconds: captureWindowSeconds, refundSeconds: refundWindowSeconds };
  const idleSeconds = config.closesStreams === false ? undefined : streamIdleSeconds;
  const endings = new Endings(new Ender(facilitator, authorizer, records, support), records, idleSeconds);
  const till = new Till(facilitator, authorizer, records, endings, config.captureCommitment);
  const charger = new Charger(facilitator, authorizer, records);
  const counter = new Counter(till, charger, windows, requests, (reason) => support.refused(reason));
  return { windows, endings, counter };
}

/** @throws if nobody knows the token's decimals, or the facilitator knows others */
function decimals(
  { mint, decimals: configured }: MerchantConfig["token"],
  { deployment }: Support,
  onChain: number | undefined,
): number {
  const told = onChain ?? decimalsOf(deployment.kind, mint);
  if (configured !== undefined && told !== undefined && configured !== told) {
    throw new TypeError(`token.decimals: is ${configured}, and the facilitator says that ${mint} has ${told}`);
  }
  const known = configured ?? told;
  if (known === undefined) {
    throw new TypeError(`token.decimals: the facilitator does not say how many ${mint} has; set them`);
  }
  return known;
}
