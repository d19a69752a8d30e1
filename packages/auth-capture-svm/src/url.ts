/** URLs that settings have. */

import { shown } from "./bytes.js";

/** Names of this machine, which no network is between. */
const LOOPBACK = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])$/;

/**
 * Reads an absolute URL of the web.
 *
 * @param field names it in the message
 * @throws if it is anything else, or has a name, a password, a query or a fragment
 */
export function readWebUrl(text: unknown, field: string): URL {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`${field}: expected an http or https URL, not ${shown(text)}`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TypeError(`${field}: expected a URL without a password, a query or a fragment`);
  }
  return url;
}

/** Reads the same as a base: without a slash at its end. */
export function readBaseUrl(text: unknown, field: string): string {
  return readWebUrl(text, field).href.replace(/\/+$/, "");
}

/** Returns whether nobody between can read or change what is sent to a URL. */
export function isPrivate({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || LOOPBACK.test(hostname);
}
