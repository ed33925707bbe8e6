/** Headers that others put in front of a request or into it, and that the router believes only when they are right. */
import assert from "node:assert/strict";
import { routeServiceSignatureInvalid } from "../../../src/kernel/errors/route-services.ts";
import { ViaductError } from "../../../src/kernel/index.ts";
import { createSigner } from "../../../src/router/index.ts";
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from "../../../src/wire/proxy-protocol/index.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { mutate } from "./random.ts";

const V2 = "\r\n\r\n\0\r\nQUIT\n";
const PROXY_HEADERS: readonly string[] = [
  "PROXY TCP4 10.0.0.1 10.0.0.2 51842 8080\r\n",
  "PROXY TCP6 2001:db8::1 2001:db8::2 51842 8080\r\n",
  "PROXY UNKNOWN\r\n",
  "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n",
  `${V2}\x21\x11\0\x0c\x0a\0\0\x01\x0a\0\0\x02\xca\x82\x1f\x90`,
  `${V2}\x21\x21\0\x24${"\x20\x01\x0d\xb8".repeat(8)}\xca\x82\x1f\x90`,
  `${V2}\x20\0\0\0`,
  `${V2}\x21\x11\0\x13\x0a\0\0\x01\x0a\0\0\x02\xca\x82\x1f\x90\x04\0\x04abcd`,
];
const PROXY_WORDS: readonly string[] = [
  "PROXY ",
  " ",
  "\r\n",
  "\0",
  "\xff",
  "65536",
  "-1",
  "::",
  "256",
  V2,
  "GET / HTTP/1.1\r\n",
];

/** PROXY headers: decided at the same byte however they arrive, and never more than is there. */
const proxyHeaders: FuzzTarget = {
  name: "proxy-headers",
  run(random, say) {
    const text = mutate(random, random.pick(PROXY_HEADERS), PROXY_WORDS, PROXY_HEADERS);
    say(text);
    const bytes = Buffer.from(text, "latin1");
    const whole = outcome(bytes);
    for (let size = 1; size < bytes.length; size++) {
      const early = outcome(bytes.subarray(0, size));
      if (early === "more") {
        assert.ok(size < MAX_PROXY_HEADER_BYTES);
        continue;
      }
      assert.deepEqual(early, whole);
      return;
    }
  },
};

function outcome(bytes: Buffer): unknown {
  try {
    const result = readProxyHeader(bytes);
    if (result.kind === "header") assert.ok(result.size <= bytes.length);
    return result.kind === "more" ? "more" : result;
  } catch (error) {
    assert.ok(error instanceof ViaductError, `outside the catalogue: ${String(error)}`);
    return error.code;
  }
}

const SIGNER = createSigner("fuzz", "before");
/** Made once with the first secret; a nonce of today would make findings that no seed repeats. */
const SEALED = {
  signature:
    "9pC7C4bG-lB9bFG1MZ2OaFoekgh5uSKJRIsUmmv8t6hOb4efK2pTkL1GSKaiYr9-1E4o2bo_jlS4ImR1Smp0EBxoDUgmy01-vKxgr4KuhxHH5C-mczdVNcR-MGWByV3081miD-OiS9A=",
  metadata: "eyJub25jZSI6ImhoY0JkK1ZVUVJvLzQ2K2EifQ==",
};
const OPENED = SIGNER.open(SEALED);
const BASE64_WORDS: readonly string[] = [
  "=",
  "==",
  "-",
  "_",
  "+",
  "/",
  " ",
  "\0",
  "A",
  "e30=",
  "bnVsbA==",
  "eyJub25jZSI6IiJ9",
  "eyJub25jZSI6MX0=",
];

/**
 * Signatures of route services: whatever was changed about one, it is refused with the one error there is for it. How
 * the metadata's JSON is written aside, which changes nothing.
 */
const signatures: FuzzTarget = {
  name: "signatures",
  run(random, say) {
    const texts = [SEALED.signature, SEALED.metadata];
    const sealed = {
      signature: random.oneIn(2) ? SEALED.signature : mutate(random, SEALED.signature, BASE64_WORDS, texts),
      metadata: random.oneIn(2) ? SEALED.metadata : mutate(random, SEALED.metadata, BASE64_WORDS, texts),
    };
    say(sealed);
    if (sealed.signature === SEALED.signature && plainly(sealed.metadata) === SEALED.metadata) {
      assert.deepEqual(SIGNER.open(sealed), OPENED);
    } else assert.throws(() => SIGNER.open(sealed), routeServiceSignatureInvalid.is);
  },
};

/** The same metadata, when it is base64 of JSON that says the same otherwise. */
function plainly(metadata: string): string {
  const text = Buffer.from(metadata, "base64url").toString("latin1");
  if (toBase64Url(text) !== metadata) return metadata;
  try {
    return toBase64Url(JSON.stringify(JSON.parse(text)));
  } catch {
    return metadata;
  }
}

const toBase64Url = (text: string) =>
  Buffer.from(text, "latin1").toString("base64").replaceAll("+", "-").replaceAll("/", "_");

export const HEADER_TARGETS: readonly FuzzTarget[] = [proxyHeaders, signatures];
