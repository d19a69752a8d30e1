/** The merchant's side: registers `auth-capture` with `@x402/core`'s resource server. */

export { readKeypair } from "./server/keypair.js";
export type { Token } from "./server/price.js";
export { AuthCaptureSvmScheme, type MerchantConfig } from "./server/scheme.js";
