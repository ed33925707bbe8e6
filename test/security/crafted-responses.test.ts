/**
 * What a hostile or broken endpoint can say, and what a strict client gets of it. Whatever it is, the next request of
 * somebody else gets its own answer.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { type Peer, script, startEndpoint, startRouter } from "../wire/support.ts";
import { readAnswer } from "./answers.ts";

const HOST = "shop.example.com";
const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";
/** A whole answer that wants to be taken for somebody else's. */
const EVIL = `${OK}Content-Length: 4\r\n\r\nevil`;
const INTERIM = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

interface Crafted {
  readonly name: string;
  readonly says: string;
  /** Ends its side behind that. */
  readonly ends?: boolean;
  /** `METHOD` and further header lines of the request. */
  readonly method?: string;
  readonly lines?: string;
  /** What the client gets; "cut" when its connection ends in the middle of the answer. */
  readonly want: { readonly status: number; readonly body: string } | "cut";
}

const bad = { status: 502, body: "502 Bad Gateway: Registered endpoint failed to handle the request.\n" };
const ok = (body: string, status = 200) => ({ status, body });
const shown = (text: string) => JSON.stringify(text).slice(1, -1);

const BROKEN_CHUNKS: readonly string[] = [
  "5\nhello\r\n0\r\n\r\n",
  "5;a\nhello\r\n0\r\n\r\n",
  "5\r\nhello!\r\n0\r\n\r\n",
  "5\r\nhello\n0\r\n\r\n",
  "5\r\nhello\r\n0\n\r\n",
  "5\r\nhello\r\n0\r\n\n",
  "-5\r\nhello\r\n0\r\n\r\n",
  "0x5\r\nhello\r\n0\r\n\r\n",
  "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n",
  "5\r\nhello\r\n0\r\nX: a\nb: c\r\n\r\n",
  "5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
];

const CRAFTED: readonly Crafted[] = [
  ...[
    "",
    "\r\n",
    " ",
    "\0",
    "evil",
    "HTTP/1.1\r\n\r\n",
    "HTTP/1.1 2OO OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 000 OK\r\n\r\n",
    "HTTP/1.1 -20 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1\t200 OK\r\n\r\n",
    "HTTP/1.1 200\tOK\r\n\r\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    "HTTP/1.1 200 O\0K\r\n\r\n",
    "HTTP/1.1 200 OK\n\n",
    "HTTP/1.1 200 OK\r\n\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    `${OK}X: a\nSet-Cookie: evil=1\r\n\r\n`,
    `${OK}X: a\rSet-Cookie: evil=1\r\n\r\n`,
    `${OK}X: a\r\n folded\r\n\r\n`,
    `${OK}X: a\0\r\n\r\n`,
    `${OK}X : a\r\n\r\n`,
    `${OK} X: a\r\n\r\n`,
    `${OK}no colon\r\n\r\n`,
    `${OK}: a\r\n\r\n`,
    `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`,
    `${OK}Content-Length: 2, 2\r\n\r\nab`,
    `${OK}Content-Length: +2\r\n\r\nab`,
    `${OK}Content-Length: -2\r\n\r\nab`,
    `${OK}Content-Length: 0x2\r\n\r\nab`,
    `${OK}Content-Length:\r\n\r\nab`,
    `${OK}Content-Length: 18446744073709551618\r\n\r\nab`,
    `${OK}Content-Length : 2\r\n\r\nab`,
    `${OK}Content-Length: 2\r\n${CHUNKED}\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}${CHUNKED}Content-Length: 2\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}${CHUNKED}${CHUNKED}\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}Transfer-Encoding : chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`,
    `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n2\r\nab\r\n0\r\n\r\n`,
    `${OK}Content-Length: 2\r\n`,
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    INTERIM,
    `${INTERIM.slice(0, -2)}X: a\nb: c\r\n\r\n`,
    INTERIM.repeat(33),
    `HTTP/1.1 103 Early Hints\r\n${`Link: <${"/a".repeat(4_000)}>\r\n`.repeat(10)}\r\n`,
  ].map((says) => ({
    name: says.length < 200 ? `«${shown(says)}»` : `«${shown(says.slice(0, 60))}…»`,
    says,
    ends: true,
    want: bad,
  })),
  { name: "a header bomb by size", says: `${OK}X: ${"x".repeat(1024 * 1024)}`, want: bad },
  { name: "a header bomb by lines", says: `${OK}${"X: y\r\n".repeat(200_000)}`, want: bad },

  ...BROKEN_CHUNKS.map((body) => ({
    name: `an answer with the chunked body «${shown(body)}»`,
    says: `${OK}${CHUNKED}\r\n${body}`,
    want: bad,
  })),
  ...["5\r\nhello", "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n"].map((body) => ({
    name: `the unfinished chunked body «${shown(body)}»`,
    says: `${OK}${CHUNKED}\r\n${body}`,
    ends: true,
    want: "cut" as const,
  })),
  { name: "a body that ends early", says: `${OK}Content-Length: 5\r\n\r\nhell`, ends: true, want: "cut" },

  { name: "a body until the end", says: `${OK}\r\nhello`, ends: true, want: ok("hello") },
  {
    name: "the same length twice",
    says: `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`,
    want: ok("ab"),
  },
  { name: "a body longer than its length", says: `${OK}Content-Length: 2\r\n\r\nab${EVIL}`, want: ok("ab") },
  { name: "an answer behind an empty one", says: `${OK}Content-Length: 0\r\n\r\n${EVIL}`, want: ok("") },
  {
    name: "an answer behind the last chunk",
    says: `${OK}${CHUNKED}\r\n2\r\nab\r\n0\r\n\r\n${EVIL}`,
    want: ok("ab"),
  },
  {
    name: "an answer inside a chunk",
    says: `${OK}${CHUNKED}\r\n${EVIL.length.toString(16)}\r\n${EVIL}\r\n0\r\n\r\n`,
    want: ok(EVIL),
  },
  { name: "a HEAD with a body", says: EVIL, method: "HEAD", want: ok("") },
  {
    name: "a HEAD with chunks",
    says: `${OK}${CHUNKED}\r\n4\r\nevil\r\n0\r\n\r\n`,
    method: "HEAD",
    want: ok(""),
  },
  {
    name: "a 204 with a body",
    says: `HTTP/1.1 204 No Content\r\nContent-Length: ${EVIL.length}\r\n\r\n${EVIL}`,
    want: ok("", 204),
  },
  {
    name: "a 204 with chunks",
    says: `HTTP/1.1 204 No Content\r\n${CHUNKED}\r\n4\r\nevil\r\n0\r\n\r\n`,
    want: ok("", 204),
  },
  {
    name: "a 304 with a body",
    says: `HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil`,
    want: ok("", 304),
  },
  {
    name: "a 304 with chunks",
    says: `HTTP/1.1 304 Not Modified\r\n${CHUNKED}\r\n4\r\nevil\r\n0\r\n\r\n`,
    want: ok("", 304),
  },
  {
    name: "a status that nobody knows",
    says: "HTTP/1.1 999 What\r\nContent-Length: 2\r\n\r\nab",
    want: ok("ab", 999),
  },
  {
    name: "Connection that names the length",
    says: `${OK}Connection: Content-Length\r\nContent-Length: 2\r\n\r\nab`,
    want: ok("ab"),
  },
  {
    name: "an interim answer with a length",
    says: `HTTP/1.1 103 Early Hints\r\nContent-Length: ${EVIL.length}\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nab`,
    want: ok("ab"),
  },
  {
    name: "an interim answer with chunks",
    says: `HTTP/1.1 103 Early Hints\r\n${CHUNKED}Connection: close\r\nKeep-Alive: timeout=1\r\nTrailer: X\r\n\r\n${OK}Content-Length: 2\r\n\r\nab`,
    want: ok("ab"),
  },
  {
    name: "a 102 and two 100 before the answer",
    says: `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\nab`,
    want: ok("ab"),
  },
  {
    name: "an upgrade that nobody asked for, on a plain answer",
    says: `${OK}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab`,
    want: ok("ab"),
  },
  ...[
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
  ].map((says) => ({
    name: `an upgrade answered with «${shown(says)}»`,
    says,
    lines: "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    want: bad,
  })),
];

test("every crafted answer stands here once", () => {
  assert.equal(new Set(CRAFTED.map(({ name, method }) => `${method} ${name}`)).size, CRAFTED.length);
});

for (const { name, says, ends = false, method = "GET", lines = "", want } of CRAFTED) {
  script(`${name} ${want === "cut" ? "is cut off" : `is ${want.status} for the client`}`, async (t) => {
    const { router, endpoint, client } = await start(t);
    client.send(`${method} /evil HTTP/1.1\r\nHost: ${HOST}\r\n${lines}\r\n`);
    // Broken before any answer is tried again where that is safe: always the same bytes.
    void serve(() => endpoint.accept(), says, ends);
    if (want === "cut") {
      await assert.rejects(readAnswer(client, method), /ended/);
    } else {
      const { status, body } = await readAnswer(client, method);
      assert.deepEqual({ status, body }, want);
      if (want === bad) {
        // The client's own connection is not to blame.
        client.send("GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n");
        assert.equal((await readAnswer(client)).status, 404);
      }
    }
    const other = await router.connect();
    other.send(`GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal((await readAnswer(other)).body, "good");
  });
}

for (const body of BROKEN_CHUNKS) {
  script(`the chunked body «${shown(body)}» behind a head that is out is cut off`, async (t) => {
    const { endpoint, client } = await start(t);
    client.send(`GET /evil HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send(`${OK}${CHUNKED}\r\n3\r\nxyz\r\n`);
    await client.until("xyz\r\n");
    upstream.send(body);
    assert.doesNotMatch(
      await client.rest(),
      /(?:^|\n)0\r\n/,
      "the client must not take what it has for the whole",
    );
    assert.equal(await upstream.rest(), "");
  });
}

for (const lines of ["Content-Length: 42\r\n", CHUNKED]) {
  script(`a 204 that announces «${shown(lines)}» cannot bring it to the next client`, async (t) => {
    const { router, endpoint, client } = await start(t);
    client.send(`GET /evil HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const first = await endpoint.accept();
    await first.message();
    first.send(`HTTP/1.1 204 No Content\r\n${lines}\r\n`);
    assert.equal((await readAnswer(client)).status, 204);
    void serve(() => endpoint.accept(), "", false);
    const other = await router.connect();
    other.send(`GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal((await readAnswer(other)).body, "good");
    assert.equal(await first.rest(), "", "nothing was asked on it again");
  });
}

script("an answer that comes while nobody asks is given to nobody", async (t) => {
  const { router, endpoint, client } = await start(t);
  client.send(`GET /evil HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  const first = await endpoint.accept();
  await first.message();
  first.send(`${OK}Content-Length: 2\r\n\r\nab`);
  assert.equal((await readAnswer(client)).body, "ab");
  first.send(EVIL);
  assert.equal(await first.rest(), "", "the connection is given up");
  void serve(() => endpoint.accept(), "", false);
  const other = await router.connect();
  other.send(`GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
  assert.equal((await readAnswer(other)).body, "good");
});

script(
  "an answer before the request is complete leaves nothing on the connection for the next one",
  async (t) => {
    const { router, endpoint, client } = await start(t);
    client.send(`POST /evil HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${1024 * 1024}\r\n\r\nhello`);
    const first = await endpoint.accept();
    await first.until("hello");
    first.send(EVIL);
    assert.equal((await readAnswer(client)).body, "evil");
    assert.equal(await first.rest(), "");
    void serve(() => endpoint.accept(), "", false);
    const other = await router.connect();
    other.send(`GET /next HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    assert.equal((await readAnswer(other)).body, "good");
  },
);

async function start(t: Parameters<typeof startRouter>[0]) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: HOST, ports: [endpoint.port] }] });
  return { endpoint, router, client: await router.connect() };
}

/** Answers `/evil` with `says` and `/next` with «good», on every connection, until there is none. */
async function serve(accept: () => Promise<Peer>, says: string, ends: boolean): Promise<void> {
  for (;;) void answer(await accept(), says, ends).catch(() => {});
}

async function answer(peer: Peer, says: string, ends: boolean): Promise<void> {
  for (;;) {
    const head = await peer.until("\r\n\r\n");
    if (head.includes(" /next ")) peer.send(`${OK}Content-Length: 4\r\n\r\ngood`);
    else {
      peer.send(says);
      if (ends) peer.end();
    }
  }
}
