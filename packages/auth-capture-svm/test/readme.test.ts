import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const folder = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), "utf8");

for (const readme of ["README.md", "../../README.md"]) {
  test(`${readme} shows the examples as they are`, () => {
    const shown = [...read(readme).matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
    assert.deepEqual(shown, [read("examples/agent.ts"), read("examples/server.ts")]);
  });
}
