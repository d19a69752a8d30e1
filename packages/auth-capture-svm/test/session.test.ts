import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { inspect } from "node:util";

import { shown, writeBase58 } from "../src/bytes.js";
import { parseSession, readSession } from "../src/client/session.js";
import { ReceiverList } from "../src/receivers.js";
import { AGENT_SEED, address, sessionJson } from "./fixture.js";

const folder = mkdtempSync(join(tmpdir(), "x402-session-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

test("a session file is read", async () => {
  const session = await readSession(file("session.json", JSON.stringify(sessionJson())));
  assert.equal(session.escrow, address(1));
  assert.equal(session.expiresAt, 4_000_000_000);
  assert.deepEqual(session.secretKey, AGENT_SEED);
  assert.equal(session.receivers, undefined);
  assert.equal(session.files, join(folder, "session.json"));
});

test("a list of receivers is read, and an empty one stands for anyone", () => {
  const receivers = (list: unknown) => parseSession({ ...sessionJson(), receivers: list }, "session.json").receivers;
  const list = receivers([address(8), address(5), address(8)]);
  assert.deepEqual(list?.root, new ReceiverList([address(5), address(8)]).root);
  assert.equal(list?.proof(address(9)), undefined);
  assert.equal(receivers([]), undefined);
  assert.equal(receivers(null), undefined);
});

test("a file that others can read is refused", async () => {
  const path = file("open.json", JSON.stringify(sessionJson()), 0o640);
  await assert.rejects(readSession(path), { name: "SessionError", message: new RegExp(`chmod 600 ${path}`) });
});

test("a file that is missing or damaged is refused, and a damaged one not quoted", async () => {
  await assert.rejects(readSession(join(folder, "none.json")), /ENOENT/);
  const secret = String(sessionJson()["secretKey"]);
  await assert.rejects(readSession(file("damaged.json", `"${secret}`)), (error: Error) => {
    assert.match(error.message, /is not a session file: it is not JSON/);
    return !error.message.includes(secret);
  });
});

function numbered(number: number): string {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint16(0, number);
  return writeBase58(bytes);
}

const refusals: [string, unknown, RegExp][] = [
  ["network", "solana", /network: expected a CAIP-2 id, not "solana"/],
  ["program", "abc", /program: expected 32 bytes in base58, not "abc"/],
  ["program", undefined, /program: is missing/],
  ["decimals", "6", /decimals: expected an integer, not "6"/],
  ["verifier", "file:///etc/passwd", /verifier: expected an http or https URL/],
  ["receivers", address(9), /receivers: expected an array/],
  ["receivers", [address(9), "x"], /receivers\.1: expected 32 bytes in base58, not "x"/],
  [
    "receivers",
    Array.from({ length: 4097 }, (_, number) => numbered(number)),
    /receivers: expected 1 to 4096 addresses, not 4097/,
  ],
  ["sessionKey", address(9), /secretKey does not belong to sessionKey/],
];
for (const [field, value, message] of refusals) {
  test(`${field} ${shown(value)}: refused`, () => {
    assert.throws(() => parseSession({ ...sessionJson(), [field]: value }, "session.json"), message);
  });
}

test("a secret key in another form is refused without showing it", () => {
  const error = { message: "secretKey: expected 32 bytes in base58" };
  assert.throws(() => parseSession({ ...sessionJson(), secretKey: Array.from(AGENT_SEED) }, "session.json"), error);
  assert.throws(() => parseSession({ ...sessionJson(), secretKey: "0OIl" }, "session.json"), error);
});

test("the secret key is not printed", () => {
  const session = parseSession(sessionJson(), "session.json");
  assert.doesNotMatch(inspect(session), /secretKey/);
  assert.doesNotMatch(JSON.stringify(session), /secretKey/);
});
