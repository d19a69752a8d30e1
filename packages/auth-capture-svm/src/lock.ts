/**
 * Locks on files by the operating system: `flock(2)`, which the Rust agent takes too. The system
 * drops a lock with the process that has it, however that ends, and knows it in every container
 * that shares the file's disk. Over NFS it is as good as the server's locks.
 *
 * Node has no call for it. A lock belongs to the opened file, not to the process that asked: on
 * Linux a child that shares the opened file, `flock` of util-linux or BusyBox, takes it and ends.
 * On macOS the file is opened with the lock.
 */

import { spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** How long to wait for others' changes, which take milliseconds. */
const PATIENCE_MILLISECONDS = 30_000;

/** `O_EXLOCK` of macOS. */
const OPEN_LOCKED = 0x20;

/** How often to look where nothing says that a lock is free. */
const INTERVAL_MILLISECONDS = 5;

/** The last change of each file that is under way in this process. */
const turns = new Map<string, Promise<unknown>>();

/**
 * Does `work` while nobody else, in this process or another, has the lock `path`. Waits for others.
 *
 * @throws if the lock can't be had, or what `work` throws
 */
export async function withLock<T>(path: string, work: () => T): Promise<T> {
  const before = turns.get(path);
  const turn = (async () => {
    await before?.catch(() => undefined);
    const unlock = await lock(path, PATIENCE_MILLISECONDS);
    if (unlock === undefined) {
      throw new Error(`${path} was locked by another process for ${PATIENCE_MILLISECONDS / 1000} s`);
    }
    try {
      return work();
    } finally {
      unlock();
    }
  })();
  turns.set(path, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(path) === turn) {
      turns.delete(path);
    }
  }
}

/**
 * Takes the lock `path`; the file is made if it is missing, and stays. The result gives it back.
 * `undefined` if another had it all the time.
 *
 * @param milliseconds how long to wait for others
 * @throws if the file can't be opened, or the system has no locks
 */
export async function lock(path: string, milliseconds: number): Promise<(() => void) | undefined> {
  const file = await (process.platform === "darwin" ? openLocked : openAndLock)(path, milliseconds);
  if (file === undefined) {
    return undefined;
  }
  let isOpen = true;
  return () => {
    // The number of a closed file may be another file's.
    if (isOpen) {
      isOpen = false;
      closeSync(file);
    }
  };
}

async function openLocked(path: string, milliseconds: number): Promise<number | undefined> {
  const flags = constants.O_CREAT | constants.O_WRONLY | constants.O_NONBLOCK | OPEN_LOCKED;
  const deadline = Date.now() + milliseconds;
  for (;;) {
    try {
      return openSync(path, flags, 0o600);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") {
        throw error;
      }
    }
    if (Date.now() >= deadline) {
      return undefined;
    }
    await setTimeout(INTERVAL_MILLISECONDS);
  }
}

async function openAndLock(path: string, milliseconds: number): Promise<number | undefined> {
  const file = openSync(path, "a", 0o600);
  try {
    if (await flock(file, milliseconds)) {
      return file;
    }
  } catch (error) {
    closeSync(file);
    throw new Error(`${path} can't be locked: ${(error as Error).message}`);
  }
  closeSync(file);
  return undefined;
}

/** Has a child take the lock of an opened file, which is the child's file 3. */
function flock(file: number, milliseconds: number): Promise<boolean> {
  const options = milliseconds === 0 ? ["-x", "-n"] : ["-x"];
  const child = spawn("flock", [...options, "3"], { stdio: ["ignore", "ignore", "pipe", file] });
  const timer = milliseconds === 0 ? undefined : globalThis.setTimeout(() => child.kill(), milliseconds);
  let complaint = "";
  child.stderr?.on("data", (text: Buffer) => (complaint += text.toString()));
  return new Promise<boolean>((resolve, reject) => {
    child.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const missing = "the program flock is missing: install util-linux";
      reject(new Error(code === "ENOENT" ? missing : message));
    });
    child.once("close", (status) => (complaint === "" ? resolve(status === 0) : reject(new Error(complaint.trim()))));
  }).finally(() => clearTimeout(timer));
}
