// A server of version 2 with Hono.

import { serve } from "@hono/node-server";
import { paymentMiddleware } from "@x402/hono";
import { Hono } from "hono";

import { listenOn, report, routes, server } from "./offer.js";

const app = new Hono();
app.get("/", (context) => context.text("ready"));
app.use(paymentMiddleware(routes, server));
for (const path of Object.keys(routes)) {
  app.get(path.split(" ")[1], (context) => context.json(report));
}
serve({ fetch: app.fetch, port: listenOn, hostname: "127.0.0.1" });
