import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { silentLogger } from "../../kernel/index.ts";
import { createFront } from "./front.ts";

/** A worker whose status listener answers like this. */
async function startWorker(t: TestContext, slot: number, answer: RequestListener) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const ended = Promise.withResolvers<string>();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    slot,
    status: { url, authorization: "Basic eA==" },
    ended: ended.promise,
    lastMetrics: "",
    end() {
      ended.resolve("code 0");
      return ended.promise;
    },
  };
}

const counted = (count: number) => `# HELP a A.\n# TYPE a counter\na ${count}\n`;

test("a worker that cuts its answer is passed over", async (t) => {
  const front = createFront(silentLogger);
  front.add(await startWorker(t, 0, (request) => request.socket.destroy()));
  front.add(
    await startWorker(t, 1, (request, response) =>
      response.end(JSON.stringify({ asked: request.url, by: request.headers.authorization })),
    ),
  );
  const answer = await front.inspect(new URL("http://router/explain?url=a.b&method=GET"));
  assert.deepEqual(answer, {
    status: 200,
    body: { asked: "/explain?url=a.b&method=GET", by: "Basic eA==" },
  });
});

test("without a worker that can be asked the answer says so", async (t) => {
  const front = createFront(silentLogger);
  front.add({ ...(await startWorker(t, 0, () => {})), status: null });
  for (const path of ["/explain?url=a.b", "/verdicts", "/verdicts/1"]) {
    assert.deepEqual(
      await front.inspect(new URL(path, "http://router")),
      { status: 503, body: { error: "no worker serves at the moment" } },
      path,
    );
  }
  assert.equal(await front.metrics(), "");
});

test("a path that is no question is left to others", async () => {
  assert.equal(await createFront(silentLogger).inspect(new URL("http://router/other")), null);
});

test("what a worker counted is there after its end: by its last words, or as it was last seen", async (t) => {
  const front = createFront(silentLogger);
  const talks = await startWorker(t, 0, (_request, response) => response.end(counted(10)));
  const isKilled = await startWorker(t, 1, (_request, response) => response.end(counted(5)));
  front.add(talks);
  front.add(isKilled);
  assert.equal(await front.metrics(), counted(15));
  talks.lastMetrics = counted(12);
  await Promise.all([talks.end(), isKilled.end()]);
  assert.equal(await front.metrics(), counted(17));
  front.add(await startWorker(t, 0, (_request, response) => response.end(counted(1))));
  assert.equal(await front.metrics(), counted(18));
});

test("a table that is longer than a read comes through whole, whatever letters it has", async (t) => {
  const table = JSON.stringify(
    Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`ä${i}.example.com`, []])),
  );
  const front = createFront(silentLogger);
  front.add(await startWorker(t, 0, (_request, response) => response.end(table)));
  assert.equal((await Array.fromAsync(front.routes())).join(""), table);
});
