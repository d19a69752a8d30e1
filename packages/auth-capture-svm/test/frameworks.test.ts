/** Each framework sells, GET and POST, by its own adapter. */

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { after, test } from "node:test";

import { serve } from "@hono/node-server";
import { decodePaymentRequiredHeader } from "@x402/core/http";
import express from "express";
import { fastify } from "fastify";
import { Hono } from "hono";

import { charging, expressMiddleware, fastifyPlugin, honoMiddleware, sellByFetch, type Shop } from "../src/server.js";
import { payment, send, shop as open } from "./shop.js";

/** What each server answers: its headers and cookies must come through, and what it takes. */
const SERVED = { "content-type": "application/json", "x-served": "yes" };

interface Running {
  readonly port: number;
  readonly close: () => unknown;
}

const listening = async (server: Server): Promise<Running> => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const close = (): void => (server.closeAllConnections(), void server.close());
  return { port: (server.address() as AddressInfo).port, close };
};

const FRAMEWORKS: Record<string, (shop: Shop, keep: unknown) => Promise<Running>> = {
  async Express(shop, verify) {
    const app = express().use(express.text({ type: () => true, verify: verify as () => void }));
    app.use(expressMiddleware(shop));
    app.get("/report", (_request, response) => {
      response.cookie("a", "1").cookie("b", "2").set("x-served", "yes").json({ report: true });
    });
    app.post(
      "/words",
      ({ body }, response) => void response.set({ ...SERVED, ...charging("400") }).send(JSON.stringify({ body })),
    );
    app.get("/broken", (_request, response) => void response.status(500).send("broken"));
    app.get("/thrown", () => {
      throw new Error("thrown");
    });
    app.get("/free", (_request, response) => void response.send("free"));
    app.use((_error: unknown, _request: express.Request, response: express.Response, _next: unknown) => {
      response.status(500).send("thrown");
    });
    return listening(createServer(app));
  },
  async Hono(shop) {
    const app = new Hono();
    app.onError((_error, context) => context.text("thrown", 500));
    app.use(honoMiddleware(shop));
    app.get("/report", (context) => {
      context.header("set-cookie", "a=1; Path=/", { append: true });
      context.header("set-cookie", "b=2; Path=/", { append: true });
      return context.json({ report: true }, 200, { "x-served": "yes" });
    });
    app.post("/words", async (context) =>
      context.json({ body: await context.req.text() }, 200, { ...charging("400"), "x-served": "yes" }),
    );
    app.get("/broken", (context) => context.text("broken", 500));
    app.get("/thrown", () => {
      throw new Error("thrown");
    });
    app.get("/free", (context) => context.text("free"));
    const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }) as Server;
    await new Promise((resolve) => server.once("listening", resolve));
    const close = (): void => (server.closeAllConnections(), void server.close());
    return { port: (server.address() as AddressInfo).port, close };
  },
  async Fastify(shop) {
    const app = fastify({
      routerOptions: { ignoreDuplicateSlashes: true, ignoreTrailingSlash: true, caseSensitive: false },
    });
    app.setErrorHandler((_error, _request, reply) => void reply.code(500).send("thrown"));
    await app.register(fastifyPlugin(shop) as Parameters<typeof app.register>[0]);
    app.get("/report", (_request, reply) => {
      return reply
        .header("set-cookie", ["a=1; Path=/", "b=2; Path=/"])
        .headers({ "x-served": "yes" })
        .send({ report: true });
    });
    app.post("/words", ({ body }, reply) => reply.headers({ ...charging("400"), "x-served": "yes" }).send({ body }));
    app.get("/broken", (_request, reply) => reply.code(500).send("broken"));
    app.get("/thrown", () => {
      throw new Error("thrown");
    });
    app.get("/free", () => "free");
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { port: (app.server.address() as AddressInfo).port, close: () => app.close() };
  },
  /** Anything that speaks `fetch`. */
  async fetch(shop) {
    const handle = async (request: Request): Promise<Response> => {
      const { pathname } = new URL(request.url);
      switch (pathname) {
        case "/report": {
          const response = Response.json({ report: true }, { headers: { "x-served": "yes" } });
          response.headers.append("set-cookie", "a=1; Path=/");
          response.headers.append("set-cookie", "b=2; Path=/");
          return response;
        }
        case "/words":
          return Response.json({ body: await request.text() }, { headers: { ...charging("400"), "x-served": "yes" } });
        case "/broken":
          return new Response("broken", { status: 500 });
        case "/thrown":
          throw new Error("thrown");
        default:
          return new Response("free");
      }
    };
    const answer = async (request: Request): Promise<Response> => {
      try {
        return await sellByFetch(shop, request, () => handle(request));
      } catch {
        return new Response("thrown", { status: 500 });
      }
    };
    const server = serve({ fetch: answer, port: 0, hostname: "127.0.0.1" }) as Server;
    await new Promise((resolve) => server.once("listening", resolve));
    const close = (): void => (server.closeAllConnections(), void server.close());
    return { port: (server.address() as AddressInfo).port, close };
  },
};

/** Asks for a path as it is written, which `fetch` would not. */
function raw(port: number, path: string): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`);
    });
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += String(chunk)));
    socket.once("error", reject);
    socket.once("close", () => resolve([Number(text.split(" ")[1]), text]));
  });
}

const running: Running[] = [];
after(async () => {
  for (const { close } of running) {
    await close();
  }
});

for (const [name, start] of Object.entries(FRAMEWORKS)) {
  test(`${name} sells`, async (context) => {
    context.mock.method(console, "warn", () => {});
    const { scheme, facilitator } = await open();
    const accepts = scheme.price("0.001", { held: true });
    const shop = await scheme.shop({
      "GET /report": { accepts, description: "A <report>" },
      "POST /words": { accepts },
      "GET /broken": { accepts },
      "GET /thrown": { accepts },
    });
    const server = await start(shop, scheme.keepBody);
    running.push(server);
    const base = `http://127.0.0.1:${server.port}`;

    await context.test("GET", async () => {
      const { status, text, headers, settlement } = await send(
        `${base}/report?a=b`,
        await payment(`${base}/report?a=b`),
      );
      assert.deepEqual([status, JSON.parse(text), settlement?.success], [200, { report: true }, true]);
      assert.equal(headers.get("x-served"), "yes");
      assert.deepEqual(headers.getSetCookie(), ["a=1; Path=/", "b=2; Path=/"]);
      assert.match(headers.get("cache-control") ?? "", /private/);
      assert.deepEqual(facilitator.settled(), ["hold", "capture"]);
    });

    await context.test("POST, bound to the body, for less than the price", async () => {
      const init = { method: "POST", body: "a few words", headers: { "content-type": "text/plain" } };
      const paid = await payment(`${base}/words`, init);
      const other = await send(`${base}/words`, paid, { ...init, body: "other words" });
      assert.deepEqual([other.status, facilitator.settled()], [402, []]);
      const { status, text, headers } = await send(`${base}/words`, paid, init);
      assert.deepEqual([status, JSON.parse(text)], [200, { body: "a few words" }]);
      assert.deepEqual([headers.get("x-served"), headers.has("settlement-overrides")], ["yes", false]);
      assert.deepEqual(
        facilitator.asked.map(({ payload }) => payload["amount"]),
        [undefined, "400"],
      );
      facilitator.settled();
    });

    await context.test("nothing is paid for a handler that fails", async () => {
      for (const path of ["/broken", "/thrown"]) {
        const { status, text, headers } = await send(`${base}${path}`, await payment(`${base}${path}`));
        assert.deepEqual([status, text], [500, path.slice(1)]);
        assert.deepEqual(facilitator.settled(), ["hold", "void"], path);
        assert.equal(headers.has("settlement-overrides"), false);
      }
    });

    await context.test("what has no price is free, and as it was", async () => {
      const response = await fetch(`${base}/free`);
      assert.deepEqual([response.status, await response.text()], [200, "free"]);
      assert.equal(response.headers.has("access-control-allow-origin"), false);
    });

    await context.test("no other way to write a path is free", async () => {
      for (const path of [
        "//report",
        "/./report",
        "/%72eport",
        "/report/",
        "/REPORT",
        "/report?",
        "//any.test/report",
      ]) {
        const [status, text] = await raw(server.port, path);
        assert.ok(status !== 200 || text.endsWith("free"), `${path} is answered ${status}: ${text}`);
      }
    });

    await context.test("HEAD costs what GET costs", async () => {
      assert.equal((await fetch(`${base}/report`, { method: "HEAD" })).status, 402);
    });

    await context.test("a machine gets JSON, a person a page", async () => {
      const machine = await fetch(`${base}/report`, { headers: { accept: "application/json" } });
      const challenge = decodePaymentRequiredHeader(machine.headers.get("payment-required") ?? "");
      assert.deepEqual([machine.status, await machine.json()], [402, JSON.parse(JSON.stringify(challenge))]);
      const person = await fetch(`${base}/report?q=<b>`, { headers: { accept: "text/html,*/*;q=0.8" } });
      const page = await person.text();
      assert.deepEqual([person.status, person.headers.get("content-type")], [402, "text/html; charset=utf-8"]);
      for (const part of [
        "A &lt;report&gt;",
        "0.001 tokens",
        `agent fetch &#39;${base}/report?q=%3Cb%3E&#39; \\\n    --session`,
      ]) {
        assert.ok(page.includes(part), `${part} is not in ${page}`);
      }
      assert.ok(!/<report>|<script|\{\{/.test(page));
      assert.ok(person.headers.has("payment-required"));
    });

    await context.test("pages of other origins may ask and pay", async () => {
      const origin = "https://page.example";
      const asks = {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "payment-signature",
      };
      const preflight = await fetch(`${base}/words`, { method: "OPTIONS", headers: asks });
      assert.equal(preflight.status, 204);
      for (const name of ["allow-origin", "allow-methods", "allow-headers"]) {
        assert.equal(preflight.headers.get(`access-control-${name}`), "*");
      }
      const plain = await fetch(`${base}/report`, { method: "OPTIONS" });
      assert.deepEqual([plain.status, await plain.text()], [204, ""]);
      const unpaid = await fetch(`${base}/report`, { headers: { origin } });
      assert.equal(unpaid.headers.get("access-control-allow-origin"), "*");
      assert.equal(unpaid.headers.get("access-control-expose-headers"), "PAYMENT-REQUIRED, PAYMENT-RESPONSE");
      const { headers } = await send(`${base}/report`, await payment(`${base}/report`));
      assert.equal(headers.get("access-control-allow-origin"), "*");
      facilitator.settled();
    });

    await context.test("a body that is too long is refused", async () => {
      if (name === "Express") {
        return; // Its parser says so.
      }
      const body = "x".repeat(1024 * 1024 + 1);
      const response = await fetch(`${base}/words`, {
        method: "POST",
        body,
        headers: { "content-type": "text/plain" },
      });
      assert.equal(response.status, 413);
    });
  });
}
