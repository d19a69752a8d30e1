/** Keypair files, as Solana's command line writes them. */

import { readSecretFile } from "../secrets.js";

/**
 * Reads a keypair file: a JSON array of 64 bytes.
 *
 * @throws if it can't be read, others can, or it is none; the message has nothing of the file
 */
export async function readKeypair(path: string): Promise<Uint8Array> {
  const text = await readSecretFile(path);
  const bytes = parse(text);
  const isByte = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 255;
  if (!Array.isArray(bytes) || bytes.length !== 64 || !bytes.every(isByte)) {
    throw new Error(`${path} is not a keypair file: expected a JSON array of 64 bytes`);
  }
  return Uint8Array.from(bytes as number[]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
