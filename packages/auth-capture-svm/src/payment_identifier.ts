/**
 * The extension `payment-identifier`: the client names its purchase, and asks for it again under the same id without
 * paying twice. `specs/extensions/payment_identifier.md` of x402.
 */

import { FieldError, Fields } from "./fields.js";

/** The extension's name. */
export const PAYMENT_IDENTIFIER = "payment-identifier";

/** The member of the requirements' `extra` by which a server tells the facilitator that it takes ids. */
export const PAYMENT_IDENTIFIER_EXTRA = "paymentIdentifier";

/** Whether clients may or must name their purchases. */
export type IdentifierOffer = "optional" | "required";

/** The extension as a server puts it into its challenge. */
export function identifierDeclaration(offer: IdentifierOffer): Record<string, unknown> {
  return {
    info: { required: offer === "required" },
    schema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      properties: {
        required: { type: "boolean" },
        id: { type: "string", minLength: 16, maxLength: 128, pattern: "^[A-Za-z0-9_-]+$" },
      },
      required: ["required"],
    },
  };
}

/** The extension as a server declared it in its challenge: clients echo it, whatever it has besides `info`. */
export interface IdentifierDeclared {
  readonly info: Readonly<Record<string, unknown>>;
}

/** The extension of a server's challenge; `undefined` where it takes no ids. */
export function identifierDeclared(
  extensions: Readonly<Record<string, unknown>> | undefined,
): IdentifierDeclared | undefined {
  const extension = extensions?.[PAYMENT_IDENTIFIER] as { info?: unknown } | null | undefined;
  return typeof extension?.info === "object" && extension.info !== null ? (extension as IdentifierDeclared) : undefined;
}

/** The extension as a client sends it: what the server declared, and the id. */
export function identifierExtension(id: string, declared?: IdentifierDeclared): Record<string, unknown> {
  return { [PAYMENT_IDENTIFIER]: { ...declared, info: { ...declared?.info, id } } };
}

/**
 * Reads the id that a client sent.
 *
 * @throws {FieldError} if the extension is not what belongs there
 */
export function readIdentifier(extensions: unknown): string | undefined {
  if (extensions === undefined || extensions === null) {
    return undefined;
  }
  const all = new Fields(extensions, "extensions");
  if (!all.has(PAYMENT_IDENTIFIER)) {
    return undefined;
  }
  const path = `extensions.${PAYMENT_IDENTIFIER}`;
  const info = new Fields(new Fields(all.object(PAYMENT_IDENTIFIER), path).object("info"), `${path}.info`);
  if (!info.has("id")) {
    return undefined;
  }
  const id = info.text("id");
  if (!/^[A-Za-z0-9_-]{16,128}$/.test(id)) {
    throw new FieldError(`${path}.info.id`, "must be 16 to 128 letters, digits, hyphens and underscores");
  }
  return id;
}
