/** The agent's side. */

export { Agent } from "./client/agent.js";
export {
  AgentError,
  type ErrorCode,
  InDoubtError,
  JournalError,
  KeyUsedError,
  NoAnswerError,
  NoncesError,
  PlainHttpError,
  RefusedError,
  SessionExpiredError,
  SpendingError,
  TooManyHoldsError,
} from "./client/errors.js";
export type { Amount, Limits } from "./client/limits.js";
export type { Found } from "./client/lookup.js";
export type { AgentOptions, BuyOptions } from "./client/options.js";
export type { Outcome } from "./client/outcome.js";
export type { Receipt } from "./client/receipt.js";
export { parseSession, readSession, type Session, SessionError } from "./client/session.js";
export { NoDraftError } from "./client/verifier.js";
