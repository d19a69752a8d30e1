/** Has a lock until it is killed. */

import { lock } from "../src/lock.js";

const [path = ""] = process.argv.slice(2);
const unlock = await lock(path, 0);
console.log(unlock === undefined ? "taken" : "locked");
setInterval(() => unlock, 60_000);
