/** The agent's side. */

export { Agent, type AgentOptions, type BuyOptions } from "./client/agent.js";
export { RefusedError } from "./client/draft.js";
export {
  JournalError,
  KeyUsedError,
  NoAnswerError,
  NoncesError,
  PlainHttpError,
  SpendingError,
  TooManyHoldsError,
} from "./client/errors.js";
export type { Amount, Limits } from "./client/limits.js";
export type { Found, Outcome, Receipt } from "./client/outcome.js";
export { parseSession, readSession, type Session, SessionError } from "./client/session.js";
export { NoDraftError } from "./client/verifier.js";
