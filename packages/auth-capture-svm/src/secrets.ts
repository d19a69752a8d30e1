/** Files with secret keys. */

import { readFile, stat } from "node:fs/promises";

/**
 * Reads a file that nobody else on this machine can read.
 *
 * @throws if it can't be read, or others can
 */
export async function readSecretFile(path: string): Promise<string> {
  const [{ mode }, text] = await Promise.all([stat(path), readFile(path, "utf8")]);
  if (process.platform !== "win32" && (mode & 0o077) !== 0) {
    throw new Error(`${path} can be read by others on this machine: chmod 600 ${path}`);
  }
  return text;
}
