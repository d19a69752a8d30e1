/** How each framework's requests and responses become the shop's. None of them is a dependency. */

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Readable } from "node:stream";

import { capture, combined, headersOf, write } from "./node.js";
import type { WebRequest } from "./request.js";
import type { Shop } from "./shop.js";
import { BodyTooLongError, readBody, responseOf, tooLong } from "./web.js";

/** The longest body that is read, in bytes. */
const LONGEST_BODY = 1024 * 1024;

/** What Express, Connect and the like call. */
export type NodeMiddleware = (
  request: IncomingMessage & WebRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => Promise<void>;

/** For Express: `app.use(expressMiddleware(shop))`, after the parsers of bodies. */
export function expressMiddleware(shop: Shop): NodeMiddleware {
  return async (request, response, next) => {
    let answer: Response;
    try {
      if (!shop.sells(request)) {
        return next();
      }
      answer = await shop.answer(request, () => {
        const captured = capture(response);
        next();
        return captured;
      });
    } catch (error) {
      return next(error);
    }
    await write(response, answer);
  };
}

/** What answers requests of `fetch`: Bun, Deno, service workers, and a route of Next. */
export type Handler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>;

/** For whatever speaks `fetch`. The handler gets the request as it came, with its body. */
export async function sellByFetch(
  shop: Shop,
  request: Request,
  handle: () => Response | Promise<Response>,
): Promise<Response> {
  const asked = ofFetch(request);
  if (!shop.sells(asked)) {
    return handle();
  }
  try {
    const body = request.body === null ? new Uint8Array() : await readBody(request.clone().body, LONGEST_BODY);
    return await shop.answer({ ...asked, body }, async () => handle());
  } catch (error) {
    if (error instanceof BodyTooLongError) {
      return tooLong(LONGEST_BODY);
    }
    throw error;
  }
}

/** Of a context of Hono what is used. */
export interface HonoContext {
  readonly req: { readonly raw: Request };
  res: Response;
}

/** For Hono: `app.use(honoMiddleware(shop))`. */
export function honoMiddleware(shop: Shop): (context: HonoContext, next: () => Promise<void>) => Promise<void> {
  return async (context, next) => {
    let isServed = false;
    const answer = await sellByFetch(shop, context.req.raw, async () => {
      isServed = true;
      await next();
      return context.res;
    });
    if (isServed) {
      // Hono would add the headers of the response before to those of this one.
      (context as { res: Response | undefined }).res = undefined;
    }
    context.res = answer;
  };
}

/**
 * For routes of Next: `export const GET = sold((request) => Response.json(…))`. Next loads the files of
 * an app more than once, and when it builds it: so the shop opens with the first request, once.
 *
 * @param open opens the shop
 */
export function nextRoutes(
  open: () => Promise<Shop>,
): <Rest extends unknown[]>(handler: Handler<Rest>) => (request: Request, ...rest: Rest) => Promise<Response> {
  const shops = globalThis as { [NEXT]?: Promise<Shop> };
  return (handler) =>
    async (request, ...rest) => {
      shops[NEXT] ??= open();
      const opening = shops[NEXT];
      let shop: Shop;
      try {
        shop = await opening;
      } catch (error) {
        // The next request tries again.
        delete shops[NEXT];
        throw error;
      }
      if (!shop.sells(ofFetch(request))) {
        throw new Error(`${request.method} ${new URL(request.url).pathname} has no price: add it to the shop's routes`);
      }
      return sellByFetch(shop, request, () => handler(request, ...rest));
    };
}

const NEXT = Symbol.for("@x402-escrow/svm next");

function ofFetch(request: Request): WebRequest {
  const { pathname, search, protocol, host } = new URL(request.url);
  const headers = { host, ...Object.fromEntries(request.headers) };
  return { method: request.method, url: `${pathname}${search}`, protocol: protocol.slice(0, -1), headers };
}

/** Of Fastify what is used. */
export interface FastifyLike {
  addHook(name: "preParsing" | "preHandler" | "onSend", hook: (...args: any[]) => Promise<unknown>): unknown;
}

interface FastifyRequest {
  readonly raw: IncomingMessage;
  readonly protocol: string;
}

interface FastifyReply {
  statusCode: number;
  code(status: number): FastifyReply;
  getHeaders(): OutgoingHttpHeaders;
  removeHeader(name: string): FastifyReply;
  header(name: string, value: unknown): FastifyReply;
  send(payload?: unknown): FastifyReply;
}

/** A request of Fastify's between its hooks. */
interface Sale {
  readonly asked: WebRequest;
  /** Is called with what the handler answered. */
  served?: (response: Response) => void;
  answer?: Promise<Response>;
}

/** For Fastify: `await fastifyPlugin(shop)(app)`, or `app.register(fastifyPlugin(shop))`, before the routes. */
export function fastifyPlugin(shop: Shop): (app: FastifyLike) => Promise<void> {
  const sales = new WeakMap<FastifyRequest, Sale>();
  const plugin = async (app: FastifyLike): Promise<void> => {
    app.addHook("preParsing", async (request: FastifyRequest, reply: FastifyReply, payload: Readable) => {
      const { method, url, headers } = request.raw;
      const asked = { method, url, headers, protocol: request.protocol } as WebRequest;
      if (!shop.sells(asked)) {
        return payload;
      }
      try {
        const body = await readBody(payload, LONGEST_BODY);
        sales.set(request, { asked: { ...asked, body } });
        const again = Readable.from([Buffer.from(body)], { objectMode: false });
        return Object.assign(again, { receivedEncodedLength: body.length });
      } catch (error) {
        if (!(error instanceof BodyTooLongError)) {
          throw error;
        }
        await send(reply, tooLong(LONGEST_BODY));
        return payload;
      }
    });
    app.addHook("preHandler", async (request: FastifyRequest, reply: FastifyReply) => {
      const sale = sales.get(request);
      if (sale === undefined) {
        return;
      }
      let serve = (): void => {};
      const isServed = new Promise<void>((resolve) => (serve = resolve));
      sale.answer = shop.answer(sale.asked, () => {
        serve();
        return new Promise((resolve) => (sale.served = resolve));
      });
      const answer = await Promise.race([isServed, sale.answer]);
      if (answer !== undefined) {
        sales.delete(request);
        await send(reply, answer);
      }
    });
    app.addHook("onSend", async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
      const sale = sales.get(request);
      if (sale?.served === undefined || sale.answer === undefined) {
        return payload;
      }
      sales.delete(request);
      sale.served(await ofReply(reply, payload));
      const answer = await sale.answer;
      return adopt(reply, answer);
    });
  };
  // Its hooks are for the whole app, and not only for what is registered within.
  return Object.assign(plugin, { [Symbol.for("skip-override")]: true });
}

async function ofReply(reply: FastifyReply, payload: unknown): Promise<Response> {
  const headers = headersOf(reply.getHeaders());
  headers.delete("content-length");
  const body = payload instanceof Readable ? await readBody(payload, Number.MAX_SAFE_INTEGER) : payload;
  const bytes = new Uint8Array(Buffer.from((body ?? "") as string | Uint8Array));
  for (const name of Object.keys(reply.getHeaders())) {
    reply.removeHeader(name);
  }
  return responseOf(reply.statusCode, headers, bytes);
}

/** Makes a reply what the shop answers; the result is its body. */
async function adopt(reply: FastifyReply, answer: Response): Promise<Buffer> {
  reply.code(answer.status);
  for (const [name, value] of combined((name) => reply.getHeaders()[name], answer.headers)) {
    reply.header(name, value);
  }
  return Buffer.from(await answer.arrayBuffer());
}

async function send(reply: FastifyReply, answer: Response): Promise<void> {
  reply.send(await adopt(reply, answer));
}
