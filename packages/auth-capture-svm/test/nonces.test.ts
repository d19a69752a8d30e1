import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { SessionNonces } from "../src/client/nonces.js";
import { freshFile } from "./fixture.js";

const NOW = 1_700_000_000;
const SESSION = { sessionKey: "a", incarnation: "b" };

function idOf(number: number): string {
  return number.toString(16).padStart(64, "0");
}

test("processes that share a file never sign the same nonce", async () => {
  const path = freshFile();
  const program = fileURLToPath(new URL("nonce_taker.js", import.meta.url));
  const processes = Array.from({ length: 4 }, async () => {
    const child = spawn(process.execPath, [program, path, "12"], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.on("data", (text: Buffer) => (printed += text.toString()));
    const [status] = (await once(child, "close")) as [number];
    assert.equal(status, 0);
    return JSON.parse(printed) as string[];
  });
  const signed = (await Promise.all(processes)).flat().map(Number);
  assert.equal(signed.length, 4 * 8);
  assert.equal(new Set(signed).size, signed.length);
  assert.ok(Math.max(...signed) <= 4 * 12, "what was not signed was used again");
});

test("taken and signed nonces outlive the process, and only their owner can read them", async () => {
  const path = freshFile();
  const first = new SessionNonces(path, SESSION);
  await (await first.take(0n, NOW)).sign(idOf(1), NOW + 60);
  await (await first.take(0n, NOW)).sign(idOf(2), NOW + 60);
  await first.held(idOf(1));
  const next = await new SessionNonces(path, SESSION).take(0n, NOW);
  assert.equal(next.nonce, 3n);
  for (const file of [path, `${path}.lock`]) {
    assert.equal(statSync(file).mode & 0o777, 0o600);
  }
});

test("the file of the Rust agent is read, and its other sessions are kept", async () => {
  const path = freshFile();
  const other = { highestUsed: "7", highestTaken: "9", free: ["8"], outstanding: {} };
  const signed = { signed: { paymentId: idOf(3), authorizeBy: NOW + 60 } };
  const outstanding = { "3": signed, "4": { asked: { ticket: "18446744073709551615", until: NOW + 120 } } };
  const ours = { highestUsed: "2", highestTaken: "5", free: ["5"], outstanding };
  writeFileSync(path, `${JSON.stringify({ "a/b": ours, "a/c": other })}\n`);
  const nonces = new SessionNonces(path, SESSION);
  assert.equal((await nonces.take(0n, NOW)).nonce, 5n);
  await nonces.held(idOf(3));
  const after = JSON.parse(readFileSync(path, "utf8")) as Record<string, typeof ours>;
  assert.deepEqual(after["a/c"], other);
  assert.equal(after["a/b"]?.highestUsed, "3");
  assert.deepEqual(Object.keys(after["a/b"].outstanding), ["4", "5"]);
});

test("sessions that share a file share no nonces", async () => {
  const path = freshFile();
  for (const incarnation of ["b", "c"]) {
    assert.equal((await new SessionNonces(path, { ...SESSION, incarnation }).take(0n, NOW)).nonce, 1n);
  }
});

test("a draft that comes too late is not signed", async () => {
  const nonces = new SessionNonces(freshFile(), SESSION);
  const late = await nonces.take(0n, NOW);
  const next = await nonces.take(0n, NOW + 121);
  assert.equal(late.nonce, next.nonce);
  await assert.rejects(late.sign(idOf(1), NOW + 900), { name: "NoncesError", message: /took longer than 120 s/ });
  await next.sign(idOf(2), NOW + 900);
});

test("a damaged file stops payments and stays as it is", async () => {
  const path = freshFile();
  for (const damaged of ["", "{", "[]", '{"a/b":{"highestUsed":"1"}}', '{"a/b":null}']) {
    writeFileSync(path, damaged);
    const error = { name: "NoncesError", message: /nothing was signed.*--from-chain/ };
    await assert.rejects(new SessionNonces(path, SESSION).take(0n, NOW), error);
    assert.equal(readFileSync(path, "utf8"), damaged);
  }
});

test("errors say how long to wait, or how to go on", async () => {
  const path = freshFile();
  const largest = (2n ** 64n - 1n).toString();
  const outstanding = { [largest]: { signed: { paymentId: idOf(1), authorizeBy: NOW + 100 } } };
  const all = { "a/b": { highestUsed: largest, highestTaken: largest, free: [], outstanding } };
  writeFileSync(path, JSON.stringify(all));
  const nonces = new SessionNonces(path, SESSION);
  await assert.rejects(nonces.take(0n, NOW), /Wait 161 s/);
  await nonces.held(idOf(1));
  await assert.rejects(nonces.take(0n, NOW), /is used: .*--from-chain/);
});
