/**
 * Bytes of TLS: whatever a client sends, and however it is cut into reads, a session takes it or says why not; nothing of
 * it is left for the next session, which a client that means well shakes hands with.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OpenSsl, openOpenSsl, type ServerContext, ServerSession } from "../../../src/openssl/index.ts";
import { contextOf, converse, NO_CHOICES } from "../../../src/openssl/testing.ts";
import { findProgram } from "../../support/needs.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { cut, mutate } from "./random.ts";

/** First records of clients, of TLS 1.3 and 1.2, that name a host and offer protocols. */
const HELLOS: readonly [string, string] = [
  Buffer.from(
    "16030100d5010000d1030380357e157ce7df213a5552bd745ec2bcb2a40f9a6780a01040f1bf4dbc9f8e94201935a526" +
      "cf225ead000fe6600676a25e4d06f395f1d13709cbd0f7a86b0e16cb000213010100008600000015001300001073686f" +
      "702e6578616d706c652e636f6d000b000403000102000a00040002001d002300000010000e000c02683208687474702f" +
      "312e310016000000170000000d000400020403002b0003020304002d00020101003300260024001d002052d940c46403" +
      "ee9859bbd7668fa3ec6cc20136b94d3d049af0e9ace86edd6b3c",
    "hex",
  ).toString("latin1"),
  Buffer.from(
    "16030100830100007f0303accb8cd0af81acbcf2fbb1addd3f99ae0d2c9ab5c4314dbad48c88740aa071c0000002c02b" +
      "01000054ff0100010000000015001300001073686f702e6578616d706c652e636f6d000b000403000102000a00040002" +
      "001d002300000010000e000c02683208687474702f312e310016000000170000000d000400020403",
    "hex",
  ).toString("latin1"),
];
const WORDS: readonly string[] = [
  "\x16\x03\x01\0\x05",
  "\x14\x03\x03\0\x01\x01",
  "\x15\x03\x03\0\x02\x01\0",
  "\x17\x03\x03\x40\0",
  "\x17\x03\x03\0\0",
  "\0\x10\0\x05\0\x03\x02h2",
  "\0\0\0\x05\0\x03\0\0\0",
  "\xff\xff",
  "\x80\x2e\x01\x03\x01",
];

let ground: { readonly openssl: OpenSsl; readonly context: ServerContext } | null | undefined;

export const TLS_TARGET: FuzzTarget = {
  name: "tls",
  run(random, say) {
    ground ??= prepare();
    if (ground === null) return;
    const { openssl, context } = ground;
    const bytes = mutate(random, random.pick(HELLOS), WORDS, HELLOS);
    say(bytes);
    const choices = {
      chooseContext: () => (random.oneIn(2) ? context : null),
      chooseProtocol: (offered: readonly string[]) => (random.oneIn(4) ? null : random.pick(offered)),
    };
    const broken = new ServerSession(openssl, context, choices);
    for (const piece of cut(random, bytes)) converse(broken, Buffer.from(piece, "latin1"));
    if (random.oneIn(2)) broken.endWriting();
    broken.close();

    const good = new ServerSession(openssl, context, NO_CHOICES_BUT_ANY);
    const answer = converse(good, Buffer.from(HELLOS[0], "latin1"));
    assert.equal(good.reason, "");
    assert.equal(answer[0], 0x16, "the good client gets a hello");
    good.close();
  },
};

const NO_CHOICES_BUT_ANY = { ...NO_CHOICES, chooseProtocol: () => "h2" };

/** Null where OpenSSL cannot be called, or there is no program to make a certificate with. */
function prepare() {
  const opened = openOpenSsl();
  const program = findProgram("openssl");
  if (opened.openssl === null || program === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "viaduct-fuzz-tls-"));
  try {
    const request =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
    const files = ["-keyout", "key.pem", "-out", "certificate.pem"];
    execFileSync(program, [...request.split(" "), ...files], { cwd: folder, stdio: "ignore" });
    const read = (name: string) => readFileSync(join(folder, name), "utf8");
    const pair = { certificate: read("certificate.pem"), key: read("key.pem") };
    return { openssl: opened.openssl, context: contextOf(opened.openssl, pair) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
