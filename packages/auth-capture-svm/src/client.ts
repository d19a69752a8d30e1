/** The agent's side: registers `auth-capture` with `@x402/fetch`. */

export { RefusedError } from "./client/draft.js";
export { NoAnswerError, SpendingError } from "./client/errors.js";
export { AuthCaptureSvmScheme, type Limits } from "./client/scheme.js";
export { parseSession, readSession, type Session, SessionError } from "./client/session.js";
export { NoDraftError } from "./client/verifier.js";
