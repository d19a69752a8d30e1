/** What an agent needs to pay: a session's key and the facts that its signatures are bound to. */

import { type Address, readBase58, shown, writeBase58 } from "../bytes.js";
import { publicKey } from "../ed25519.js";
import { readSecretFile } from "../secrets.js";
import { Fields } from "../fields.js";
import { AgentError } from "./errors.js";
import { ReceiverList } from "../receivers.js";

/**
 * A session, as the owner hands it to the agent. All of it is pinned: the agent signs for nothing
 * else.
 */
export interface Session {
  /** The cluster, as a CAIP-2 id. */
  readonly network: `${string}:${string}`;
  /** The escrow program. */
  readonly program: Address;
  /** The escrow that the session spends from. */
  readonly escrow: Address;
  /** The escrow's token. */
  readonly mint: Address;
  /** The token's decimals. */
  readonly decimals: number;
  /** The public key that the session was opened for. */
  readonly sessionKey: Address;
  /** The session's incarnation. */
  readonly incarnation: Address;
  /** Last second of the session, unix. */
  readonly expiresAt: number;
  /** Base URL of the verifier that drafts this agent's intents. */
  readonly verifier: string;
  /**
   * The only receivers that the session may pay, and without fees; absent for anyone. The chain has
   * the list's root.
   */
  readonly receivers?: ReceiverList;
  /**
   * What the files of nonces, spending and the journal are called, up to their extension: all that
   * sign for the session share them.
   */
  readonly files: string;
  /** RFC 8032's 32-byte seed. */
  readonly secretKey: Uint8Array;
}

/** A session file that can't be used. */
export class SessionError extends AgentError {
  override readonly name = "SessionError";

  constructor(message: string) {
    super("session_file", message, { field: "session" });
  }
}

/**
 * Reads the file that `agent session open` writes.
 *
 * @throws {SessionError} if it can't be read, is not a session file, can be read by others, its
 * keys don't belong together, or its list of receivers is too long
 */
export async function readSession(path: string): Promise<Session> {
  let text: string;
  try {
    text = await readSecretFile(path);
  } catch (error) {
    throw new SessionError((error as Error).message);
  }
  try {
    return parseSession(JSON.parse(text), path);
  } catch (error) {
    // What JSON.parse says can quote the file, and with it the key.
    const reason = error instanceof SyntaxError ? "it is not JSON" : (error as Error).message;
    throw new SessionError(`${path} is not a session file: ${reason}`);
  }
}

/**
 * Reads a session from what its file has, for agents that keep it elsewhere.
 *
 * @param files what the agent's files are called, up to their extension, such as `.nonces`. All that
 * sign for the session share them, on a disk that outlives them
 * @throws if a field is missing or wrong; the message never has the secret key
 */
export function parseSession(value: unknown, files: string): Session {
  const fields = new Fields(value, "");
  const network = fields.text("network");
  if (!isNetwork(network)) {
    throw new SessionError(`network: expected a CAIP-2 id, not ${shown(network)}`);
  }
  const verifier = fields.text("verifier");
  if (!URL.canParse(verifier) || !/^https?:$/.test(new URL(verifier).protocol)) {
    throw new SessionError(`verifier: expected an http or https URL, not ${shown(verifier)}`);
  }
  const secretKey = readSecretKey(fields);
  const sessionKey = fields.address("sessionKey");
  if (writeBase58(publicKey(secretKey)) !== sessionKey) {
    throw new SessionError("secretKey does not belong to sessionKey");
  }
  const session = {
    network,
    program: fields.address("program"),
    escrow: fields.address("escrow"),
    mint: fields.address("mint"),
    decimals: fields.integer("decimals"),
    sessionKey,
    incarnation: fields.address("incarnation"),
    expiresAt: fields.integer("expiresAt"),
    verifier: verifier.replace(/\/+$/, ""),
    ...readReceivers(fields),
    files,
    secretKey,
  };
  // A session that is logged must not show its key.
  return Object.defineProperty(session, "secretKey", { enumerable: false });
}

/** None of them stands for anyone, as where the member is missing. */
function readReceivers(fields: Fields): { receivers?: ReceiverList } {
  const receivers = fields.has("receivers") ? fields.items("receivers", (items, place) => items.address(place)) : [];
  return receivers.length === 0 ? {} : { receivers: new ReceiverList(receivers) };
}

function readSecretKey(fields: Fields): Uint8Array {
  try {
    return readBase58(fields.text("secretKey"), 32, "secretKey");
  } catch {
    // Without what it has instead, which may be a key in another form.
    throw new SessionError("secretKey: expected 32 bytes in base58");
  }
}

function isNetwork(text: string): text is Session["network"] {
  return /^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/.test(text);
}
