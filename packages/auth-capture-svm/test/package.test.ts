/** The package as its README has it installed: packed, put into an empty folder, and used from there. */

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { publicKey } from "../src/ed25519.js";
import { address, AUTHORIZER } from "./fixture.js";
import { Facilitator, payment, send } from "./shop.js";

const run = promisify(execFile);
const root = new URL("../../", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "x402-package-"));
const children: ChildProcess[] = [];
const facilitator = new Facilitator();
/** Answers over HTTP what the facilitator of the tests does. */
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  const body = Buffer.concat(chunks).toString();
  const answer = await facilitator.fetch(`http://facilitator.test${request.url}`, { method: "POST", body });
  response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
});

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const packed = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], { cwd: root });
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  assert.ok(
    files.every(({ path }) => /^(build\/src\/|LICENSE-|README\.md|package\.json)/.test(path)),
    "nothing else is packed",
  );
  const quietly = ["--no-audit", "--no-fund", "--prefer-offline"];
  const { devDependencies, overrides } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
    devDependencies: Readonly<Record<string, string>>;
    overrides: object;
  };
  // What Next takes for images is under the LGPL: another package stands in for it.
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", overrides }));
  const others = ["express", "next", "react", "react-dom"].map((name) => `${name}@${devDependencies[name]}`);
  await run("npm", ["install", ...quietly, `./${filename}`, ...others], { cwd: folder });
});
after(() => {
  children.forEach((child) => child.kill());
  server.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

/** The facilitator's URL, with the merchant's key on disk. */
function prepare(): string {
  const secret = [...AUTHORIZER, ...publicKey(AUTHORIZER)];
  writeFileSync(join(folder, "merchant.json"), JSON.stringify(secret), { mode: 0o600 });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * A port that nobody listens on. Not one of those that systems give to outgoing connections, which could take it before
 * the server does.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const free = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      free.once("error", () => resolve(false));
      free.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (isFree) {
      await new Promise((resolve) => free.close(resolve));
      return port;
    }
  }
}

test("every entry point can be imported", async () => {
  const source = ["client", "messages", "server"].map((name) => `await import("@x402-escrow/svm/${name}");`).join("\n");
  writeFileSync(join(folder, "imports.mjs"), source);
  await run(process.execPath, ["imports.mjs"], { cwd: folder });
});

test("the README's server sells as it is shown", async () => {
  const [, example] = [...readFileSync(new URL("README.md", root), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
  writeFileSync(join(folder, "server.mjs"), example?.[1] ?? "");
  const port = await freePort();
  const child = spawn(process.execPath, ["server.mjs", prepare(), "merchant.json", address(2), String(port)], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const line = await new Promise<string>((resolve) =>
    child.stdout.once("data", (text: Buffer) => resolve(String(text))),
  );
  assert.equal(line, `selling at http://127.0.0.1:${port}\n`);

  const report = `http://127.0.0.1:${port}/report`;
  const sold = await send(report, await payment(report));
  assert.deepEqual([sold.status, sold.text], [200, '{"report":"wheat is up"}']);
  const words = `http://127.0.0.1:${port}/words`;
  const init = { method: "POST", body: "one two three" };
  const counted = await send(words, await payment(words, init), init);
  assert.deepEqual([counted.status, counted.text], [200, '{"words":3}']);
  const { amount } = facilitator.asked.at(-1)?.payload["capture"] as { amount: string };
  assert.equal(amount, "30000");
  child.kill();
  await new Promise((resolve) => child.once("exit", resolve));
});

test("the README's agent says what is missing", async () => {
  const [example] = [...readFileSync(new URL("README.md", root), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)];
  writeFileSync(join(folder, "agent.mjs"), example?.[1] ?? "");
  await assert.rejects(run(process.execPath, ["agent.mjs"], { cwd: folder }), /SessionError.*session\.json/s);
});

test("the README's Next app sells as it is shown", { timeout: 300_000 }, async () => {
  const shown = [...readFileSync(new URL("README.md", root), "utf8").matchAll(/^```js\n(.*?)^```$/gms)];
  const app = shown.map(([, code = ""]) => code).find((code) => code.startsWith("// app/shop.js")) ?? "";
  for (const [, path = "", code = ""] of app.matchAll(/^\/\/ (\S+)\n(.*?)(?=^\/\/ \S+\n|$(?![^]))/gms)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
  }
  writeFileSync(join(folder, "app", "layout.js"), "export default ({ children }) => children;\n");
  const [facilitatorUrl, port] = [prepare(), await freePort()];
  const base = `http://127.0.0.1:${port}`;
  const child = spawn(
    process.execPath,
    ["node_modules/next/dist/bin/next", "dev", "-H", "127.0.0.1", "-p", String(port)],
    {
      cwd: folder,
      env: {
        ...process.env,
        FACILITATOR: facilitatorUrl,
        PUBLIC_URL: base,
        MINT: address(2),
        NEXT_TELEMETRY_DISABLED: "1",
      },
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    },
  );
  try {
    await new Promise<void>((resolve) => {
      let printed = "";
      child.stdout.on("data", (text: Buffer) => (printed += String(text)).includes("Ready") && resolve());
    });
    const report = `${base}/report`;
    const sold = await send(report, await payment(report));
    assert.deepEqual([sold.status, sold.text], [200, '{"report":"wheat is up"}']);
    const init = { method: "POST", body: "what of rye?" };
    const asked = await send(report, await payment(report, init), init);
    assert.deepEqual([asked.status, asked.text], [200, '{"asked":"what of rye?"}']);
    const again = await send(report, await payment(report, init), { ...init, body: "and of oats?" });
    assert.equal(again.status, 402);
  } finally {
    // Next has children of its own.
    process.kill(-(child.pid ?? 0));
    await new Promise((resolve) => child.once("close", resolve));
  }
});
