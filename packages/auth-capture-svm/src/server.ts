/** The merchant's side: registers `auth-capture` with `@x402/core`'s resource server. */

export type { MerchantConfig, PriceOptions } from "./server/config.js";
export type { IdentifierOffer } from "./payment_identifier.js";
export { Facilitator, FacilitatorError } from "./server/facilitator.js";
export { expressMiddleware, fastifyPlugin, honoMiddleware, nextRoutes, sellByFetch } from "./server/frameworks.js";
export { readKeypair } from "./server/keypair.js";
export { refund, type Refund, type Refunder } from "./server/refund.js";
export { AuthCaptureSvmScheme } from "./server/scheme.js";
export { type Shop } from "./server/shop.js";
export { charging } from "./server/taken.js";
