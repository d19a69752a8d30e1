/** The agent's side: registers `auth-capture` with `@x402/fetch`. */

export { RefusedError } from "./client/draft.js";
export { NoAnswerError, NoncesError, SpendingError } from "./client/errors.js";
export { AuthCaptureSvmScheme } from "./client/scheme.js";
export { parseSession, readSession, type Session, SessionError } from "./client/session.js";
export type { Limits } from "./client/signer.js";
export { NoDraftError } from "./client/verifier.js";
