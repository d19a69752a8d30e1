/** Node's responses, held back and written. */

import type { OutgoingHttpHeaders, ServerResponse } from "node:http";

import { responseOf } from "./web.js";

/**
 * Holds back what a handler writes to a response. The result is what it wrote, once it has ended; the
 * response is as it was then, and can be written to.
 */
export function capture(response: ServerResponse): Promise<Response> {
  const { writeHead, write, end, flushHeaders } = response;
  const before = { ...response.getHeaders() };
  const chunks: Buffer[] = [];
  const note = (args: readonly unknown[]): void => {
    const [chunk, encoding] = args;
    if (typeof chunk === "string") {
      chunks.push(Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8"));
    } else if (chunk instanceof Uint8Array) {
      chunks.push(Buffer.from(chunk));
    }
    const callback = args.find((argument) => typeof argument === "function") as (() => void) | undefined;
    if (callback !== undefined) {
      queueMicrotask(callback);
    }
  };
  return new Promise((resolve, reject) => {
    response.writeHead = (status: number, ...rest: unknown[]): typeof response => {
      response.statusCode = status;
      setHeaders(
        response,
        rest.find((argument) => typeof argument === "object"),
      );
      return response;
    };
    response.flushHeaders = () => {};
    response.write = (...args: unknown[]): boolean => (note(args), true);
    response.end = (...args: unknown[]): typeof response => {
      note(args);
      Object.assign(response, { writeHead, write, end, flushHeaders });
      try {
        resolve(
          responseOf(response.statusCode, headersOf(response.getHeaders()), new Uint8Array(Buffer.concat(chunks))),
        );
      } catch (error) {
        reject(error as Error);
      }
      for (const name of response.getHeaderNames()) {
        response.removeHeader(name);
      }
      setHeaders(response, before);
      return response;
    };
  });
}

/** Writes a response of `fetch`. */
export async function write(response: ServerResponse, answer: Response): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of combined((name) => response.getHeader(name), answer.headers)) {
    response.setHeader(name, value);
  }
  const body = Buffer.from(await answer.arrayBuffer());
  if (body.length > 0) {
    response.setHeader("content-length", body.length);
  }
  response.end(body);
}

/** Headers that are lists: an answer adds to them. */
const LISTS = ["access-control-expose-headers", "vary"];

/** What to set of an answer's headers, where some are set: who may ask is for the server to say. */
export function combined(
  isSet: (name: string) => number | string | readonly string[] | undefined,
  headers: Headers,
): [string, string | string[]][] {
  const all: [string, string | string[]][] = [];
  for (const [name, value] of headers) {
    const before = isSet(name);
    if (LISTS.includes(name)) {
      const items = `${String(before ?? "")},${value}`.split(",").map((item) => item.trim());
      const known = new Map(items.filter((item) => item !== "").map((item) => [item.toLowerCase(), item]));
      all.push([name, [...known.values()].join(", ")]);
    } else if (name !== "set-cookie" && !(name === "access-control-allow-origin" && before !== undefined)) {
      all.push([name, value]);
    }
  }
  const cookies = headers.getSetCookie();
  return cookies.length === 0 ? all : [...all, ["set-cookie", cookies]];
}

/** Headers as Node has them. */
export function headersOf(values: OutgoingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(values)) {
    for (const one of [value ?? []].flat()) {
      headers.append(name, String(one));
    }
  }
  return headers;
}

function setHeaders(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    for (let index = 0; index + 1 < headers.length; index += 2) {
      response.setHeader(String(headers[index]), headers[index + 1] as string);
    }
    return;
  }
  for (const [name, value] of Object.entries((headers ?? {}) as OutgoingHttpHeaders)) {
    if (value !== undefined) {
      response.setHeader(name, value);
    }
  }
}
