import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { lock, withLock } from "../src/lock.js";
import { freshFile } from "./fixture.js";

/** A process that has the lock until it is killed. */
async function holder(path: string) {
  const program = fileURLToPath(new URL("lock_holder.js", import.meta.url));
  const child = spawn(process.execPath, [program, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

test("a lock is one process's, and goes with it however it ends", async () => {
  const path = freshFile();
  const child = await holder(path);
  assert.equal(await lock(path, 0), undefined);
  const waiting = lock(path, 30_000);
  child.kill("SIGKILL");
  const unlock = await waiting;
  assert.ok(unlock);
  unlock();
});

test("a caller that waits too long gives up and leaves nobody waiting", async () => {
  const path = freshFile();
  const unlock = await lock(path, 0);
  assert.ok(unlock);
  assert.equal(await lock(path, 50), undefined);
  unlock();
  const next = await lock(path, 0);
  assert.ok(next, "a caller that gave up does not have it");
  next();
});

test("a lock that is given back twice takes nobody else's", async () => {
  const path = freshFile();
  const first = await lock(path, 0);
  first?.();
  const second = await lock(path, 0);
  first?.();
  assert.equal(await lock(path, 0), undefined);
  second?.();
});

test("locks of programs in other languages are respected, and they respect ours", async () => {
  const path = freshFile();
  // `cat` runs once the lock is there, and until its input ends.
  const other = spawn("flock", ["-x", path, "cat"], { stdio: ["pipe", "pipe", "inherit"] });
  other.stdin.write("locked");
  await once(other.stdout, "data");
  assert.equal(await lock(path, 0), undefined);
  other.stdin.end();
  await once(other, "close");
  const unlock = await lock(path, 0);
  const [status] = (await once(spawn("flock", ["-x", "-n", path, "true"]), "close")) as [number];
  assert.equal(status, 1);
  unlock?.();
});

test("work under a lock is done one after the other, also after work that failed", async () => {
  const path = freshFile();
  let inside = 0;
  const done: number[] = [];
  const works = Array.from({ length: 20 }, (_, index) =>
    withLock(path, () => {
      assert.equal(++inside, 1);
      done.push(index);
      inside -= 1;
      if (index === 5) {
        throw new Error("failed");
      }
      return index;
    }).catch((error: Error) => error.message),
  );
  const results = await Promise.all(works);
  assert.equal(results[5], "failed");
  assert.deepEqual(
    done,
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test("a file that can't be opened is named", async () => {
  await assert.rejects(lock("/nowhere/at/all", 0), /ENOENT.*\/nowhere\/at\/all/);
});
