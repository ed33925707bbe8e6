/**
 * The operator's `http_rewrite`: headers that are removed from what goes to clients, then those that are added where
 * there is none. Upstream does it to every answer, the router's own errors and what the router adds to an endpoint's
 * answer included: `Strict-Transport-Security` is wanted on a 404 too.
 */
import type { RouterConfig } from "./config.ts";

/**
 * They say where a message ends and what becomes of the connection: removed, or said twice, they would let a client and
 * us disagree about it.
 */
const FRAMING = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** @param name  in any case */
export const isFraming = (name: string): boolean => FRAMING.has(name.toLowerCase());

/** @param head  status line, lines and the empty one */
export function rewriteHead(
  head: string,
  { removeResponseHeaders, addResponseHeaders }: RouterConfig,
): string {
  if (removeResponseHeaders.length === 0 && addResponseHeaders.length === 0) return head;
  const present = new Set<string>();
  let at = head.indexOf("\r\n") + 2;
  let out = head.slice(0, at);
  while (at < head.length - 2) {
    const end = head.indexOf("\r\n", at) + 2;
    const name = head.slice(at, head.indexOf(":", at)).toLowerCase();
    if (!removeResponseHeaders.includes(name)) {
      present.add(name);
      out += head.slice(at, end);
    }
    at = end;
  }
  for (const { name, value } of addResponseHeaders) {
    if (!present.has(name.toLowerCase())) out += `${name}: ${value}\r\n`;
  }
  return `${out}\r\n`;
}
