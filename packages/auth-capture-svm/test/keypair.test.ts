import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { publicKey } from "../src/ed25519.js";
import { readKeypair } from "../src/server.js";
import { Authorizer } from "../src/server/authorizer.js";
import { writeBase58 } from "../src/bytes.js";

const folder = mkdtempSync(join(tmpdir(), "x402-keypair-"));
after(() => rmSync(folder, { recursive: true }));

const seed = new Uint8Array(32).fill(8);
const keypair = Uint8Array.of(...seed, ...publicKey(seed));

function file(text: string, mode = 0o600): string {
  const path = join(folder, "keypair.json");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test("a keypair file is read, and signs with its key", async () => {
  const bytes = await readKeypair(file(JSON.stringify(Array.from(keypair))));
  assert.equal(new Authorizer(bytes).address, writeBase58(publicKey(seed)));
  assert.equal(new Authorizer(seed).address, writeBase58(publicKey(seed)));
});

test("a file that is none, or that others can read, is refused", async () => {
  for (const text of ["", "{}", "[1,2]", JSON.stringify(Array(64).fill(256)), JSON.stringify(Array(64).fill("1"))]) {
    await assert.rejects(readKeypair(file(text)), /is not a keypair file: expected a JSON array of 64 bytes$/);
  }
  await assert.rejects(readKeypair(file(JSON.stringify(Array.from(keypair)), 0o644)), /chmod 600/);
});

test("halves that don't belong together are refused", () => {
  assert.throws(() => new Authorizer(Uint8Array.of(...seed, ...seed)), /not the public key of the first 32/);
  assert.throws(() => new Authorizer(seed.subarray(1)), /expected 32 or 64 bytes, not 31/);
});
