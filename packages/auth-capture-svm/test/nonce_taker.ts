/** Takes nonces, signs two of three, and prints those as JSON. */

import { SessionNonces } from "../src/client/nonces.js";

const [path = "", count = ""] = process.argv.slice(2);
const nonces = new SessionNonces(path, { sessionKey: "a", incarnation: "b" });
const take = async (index: number): Promise<string[]> => {
  const taken = await nonces.take(0n, 1_700_000_000);
  if (index % 3 === 0) {
    await taken.release();
    return [];
  }
  await taken.sign(`${process.pid}`.padStart(62, "0") + String(index).padStart(2, "0"), 1_700_000_060);
  return [String(taken.nonce)];
};
const signed = await Promise.all(Array.from({ length: Number(count) }, (_, index) => take(index)));
console.log(JSON.stringify(signed.flat()));
