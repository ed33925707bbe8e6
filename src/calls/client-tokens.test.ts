import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { createManualClock } from "../kernel/index.ts";
import { type ClientTokensOptions, createClientTokens } from "./client-tokens.ts";

interface Answer {
  readonly status: number;
  readonly body: object;
}

const granted = (token: string, seconds = 600): Answer => ({
  status: 200,
  body: { access_token: token, expires_in: seconds },
});

/** A token endpoint that gives these answers in order, then the last one again. */
async function startTokens(
  t: TestContext,
  answers: readonly Answer[],
  changes: Partial<ClientTokensOptions> = {},
) {
  const asked: { headers: IncomingMessage["headers"]; path: string; body: string }[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      asked.push({ headers: request.headers, path: request.url ?? "", body: await text(request) });
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      response.statusCode = answer?.status ?? 500;
      response.end(JSON.stringify(answer?.body));
      server.emit("asked");
    })();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const clock = createManualClock();
  const ending = new AbortController();
  t.after(() => ending.abort());
  const tokens = createClientTokens({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/oauth/token`,
    client: { name: "gorouter", secret: "s3:cret" },
    maxRetries: 3,
    retryIntervalMs: 5_000,
    expirationBufferMs: 30_000,
    clock,
    signal: ending.signal,
    ...changes,
  });
  return { tokens, asked, clock, ending, server };
}

test("a client asks under its own name, once, whoever wants the token", async (t) => {
  const { tokens, asked } = await startTokens(t, [granted("one")]);
  assert.deepEqual(await Promise.all([tokens.token(), tokens.token()]), ["one", "one"]);
  assert.equal(await tokens.token(), "one");
  assert.equal(asked.length, 1);
  const [request] = asked;
  assert.equal(request?.path, "/oauth/token");
  assert.equal(request?.body, "grant_type=client_credentials");
  assert.equal(request?.headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(request?.headers.authorization, `Basic ${Buffer.from("gorouter:s3:cret").toString("base64")}`);
});

test("a token is replaced shortly before its end", async (t) => {
  const { tokens, clock } = await startTokens(t, [granted("one", 600), granted("two")]);
  assert.equal(await tokens.token(), "one");
  clock.advance(569_999);
  assert.equal(await tokens.token(), "one");
  clock.advance(1);
  assert.equal(await tokens.token(), "two");
});

test("a refused token is replaced; one that was refused late is not taken for its successor", async (t) => {
  const { tokens } = await startTokens(t, [granted("one"), granted("two"), granted("three")]);
  assert.equal(await tokens.token(), "one");
  tokens.refuse("one");
  assert.equal(await tokens.token(), "two");
  tokens.refuse("one");
  assert.equal(await tokens.token(), "two");
});

test("a UAA that fails is asked again after the pause", async (t) => {
  const failure = { status: 503, body: {} };
  const { tokens, clock, asked, server } = await startTokens(t, [failure, failure, granted("one")]);
  const token = tokens.token();
  for (const tries of [1, 2]) {
    if (asked.length < tries) await once(server, "asked");
    // The pause begins in the turn in which the answer is read.
    while (asked.length === tries) {
      clock.advance(5_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  assert.equal(await token, "one");
  assert.equal(asked.length, 3);
});

const refusals: { name: string; answer: Answer; reason: string }[] = [
  {
    name: "a wrong secret",
    answer: { status: 401, body: { error: "unauthorized", error_description: "Bad credentials" } },
    reason: "401 unauthorized: Bad credentials",
  },
  { name: "an answer without a token", answer: { status: 200, body: {} }, reason: "status 200" },
];
for (const { name, answer, reason } of refusals) {
  test(`${name} is no reason to ask again, and is said without the secret`, async (t) => {
    const { tokens, asked } = await startTokens(t, [answer]);
    await assert.rejects(tokens.token(), (error: Error & { code: string }) => {
      assert.equal(error.code, "token_not_granted");
      assert.match(error.message, new RegExp(`^no token for client gorouter from http.*: ${reason}; check`));
      assert.ok(!error.message.includes("s3:cret"));
      return true;
    });
    assert.equal(asked.length, 1);
  });
}

test("after so many tries it gives up, and the next one who asks tries again", async (t) => {
  const { tokens, asked } = await startTokens(t, [{ status: 500, body: {} }, granted("one")], {
    maxRetries: 0,
  });
  await assert.rejects(tokens.token(), { code: "token_not_granted" });
  assert.equal(await tokens.token(), "one");
  assert.equal(asked.length, 2);
});

test("a fetch in its pause ends when its owner does", async (t) => {
  const { tokens, ending, server } = await startTokens(t, [{ status: 500, body: {} }]);
  const token = tokens.token();
  await once(server, "asked");
  ending.abort();
  await assert.rejects(token, { code: "token_not_granted" });
});
