/** Every framing of the corpus, to every origin: what we take for one message is one message for them. */
import assert from "node:assert/strict";
import test from "node:test";
import { type Peer, type RouterUnderTest, startRouter } from "../wire/support.ts";
import { readAnswer } from "./answers.ts";
import { type Origin, ORIGINS, startOrigin } from "./origins.ts";
import { type Framing, MARKER, MARKER_SEEN, REQUEST_FRAMINGS } from "./request-framings.ts";

const HOST = "shop.example.com";
const withHost = (text: string) => text.replaceAll("§", HOST);

test("the corpus is large, and no framing stands in it twice", () => {
  assert.ok(REQUEST_FRAMINGS.length >= 120, `${REQUEST_FRAMINGS.length} framings`);
  assert.equal(new Set(REQUEST_FRAMINGS.map(({ name }) => name)).size, REQUEST_FRAMINGS.length);
  assert.equal(new Set(REQUEST_FRAMINGS.map(({ send }) => send)).size, REQUEST_FRAMINGS.length);
});

for (const program of ORIGINS) {
  test(`${program.name} reads every framing as we do, or never sees it`, async (t) => {
    const origin = await startOrigin(t, program);
    if (origin === null) return;
    const router = await startRouter(t, { routes: [{ uri: HOST, ports: [origin.port] }] });
    const expected: string[] = [];
    for (const framing of REQUEST_FRAMINGS) {
      await t.test(framing.name, { timeout: 10_000 }, async () => {
        expected.push(...(await exchange(router, origin, framing, program.name)));
      });
    }
    // Whatever came later than the exchange that sent it, and was hidden in none.
    const probe = await router.connect();
    probe.send(withHost(MARKER));
    await readAnswer(probe);
    assert.deepEqual(origin.seen, [...expected, MARKER_SEEN]);
    assert.deepEqual([...new Set(origin.hosts)], [HOST]);
  });
}

/** @returns what the origin must have seen of it. */
async function exchange(
  router: RouterUnderTest,
  origin: Origin,
  { send, want, ends, refusedBy }: Framing,
  name: string,
): Promise<string[]> {
  const before = origin.seen.length;
  const client = await router.connect();
  client.send(withHost(send + MARKER));
  const seen: string[] = [];
  for (const one of want) {
    const message = typeof one === "string" ? one : "";
    const isHead = message.startsWith("HEAD ");
    const answer = await readAnswer(client, isHead ? "HEAD" : "GET");
    if (message === "") assert.equal(answer.status, one);
    else if (refusedBy.includes(name)) assert.ok(answer.status >= 400, `${name} answered ${answer.status}`);
    else {
      assert.equal(answer.status, 200);
      assert.equal(answer.body, isHead ? "" : message);
      seen.push(message);
    }
  }
  if (ends) assert.equal(await client.rest(), "");
  else {
    assert.equal((await readAnswer(client)).body, MARKER_SEEN);
    seen.push(MARKER_SEEN);
  }
  await disconnect(client);
  // The upstream connection that carried it is the one that the next client gets.
  const other = await router.connect();
  other.send(withHost(MARKER));
  assert.equal((await readAnswer(other)).body, MARKER_SEEN);
  seen.push(MARKER_SEEN);
  await disconnect(other);
  assert.deepEqual(origin.seen.slice(before), seen);
  return seen;
}

async function disconnect(client: Peer): Promise<void> {
  client.end();
  await client.rest();
}
