import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { test, type TestContext } from "node:test";
import { checkHealth } from "./health.ts";

const PORT_CHECK = { type: "port", endpoint: "" } as const;
const HTTP_CHECK = { type: "http", endpoint: "/health" } as const;

async function listening(t: TestContext, server: Server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}
const serve = (t: TestContext, answer: RequestListener) => {
  const server = createHttpServer(answer);
  t.after(() => server.closeAllConnections());
  return listening(t, server);
};

test("a port check is content with a connection", async (t) => {
  assert.equal(await checkHealth(PORT_CHECK, await listening(t, createServer()), 1000), null);
});

test("a port check of a closed port says why", async (t) => {
  const server = createServer();
  const at = await listening(t, server);
  server.close();
  await once(server, "close");
  assert.equal(
    await checkHealth(PORT_CHECK, at, 1000),
    `no connection to 127.0.0.1:${at.port}: ECONNREFUSED`,
  );
});

test("an http check asks for its endpoint and wants 200", async (t) => {
  const at = await serve(t, (request, response) => {
    response.statusCode = request.url === "/health" ? 200 : 404;
    response.end();
  });
  assert.equal(await checkHealth(HTTP_CHECK, at, 1000), null);
  assert.equal(await checkHealth({ type: "http", endpoint: "health" }, at, 1000), null);
  assert.equal(
    await checkHealth({ type: "http", endpoint: "/other" }, at, 1000),
    `GET /other on 127.0.0.1:${at.port} answered 404 instead of 200`,
  );
});

test("an http check does not wait for a body that never ends", async (t) => {
  const at = await serve(t, (_request, response) => response.writeHead(200).write("…"));
  assert.equal(await checkHealth(HTTP_CHECK, at, 60_000), null);
});

test("an http check is not waiting for ever when the app changes the protocol", async (t) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    );
    t.after(() => socket.destroy());
  });
  const at = await listening(t, server);
  assert.equal(
    await checkHealth(HTTP_CHECK, at, 60_000),
    `GET /health on 127.0.0.1:${at.port} answered 101 instead of 200`,
  );
});

test("an http check gives up after its time", async (t) => {
  const at = await serve(t, () => {});
  assert.match((await checkHealth(HTTP_CHECK, at, 20)) ?? "", /no answer within 20 ms/);
});

test("an http check may wait for longer than a timer can", async (t) => {
  const at = await serve(t, (_request, response) => response.end());
  assert.equal(await checkHealth(HTTP_CHECK, at, 5_000_000_000), null);
});

test("an http check of a path that no request line can carry fails, and nothing else does", async (t) => {
  const at = await serve(t, (_request, response) => response.end());
  for (const endpoint of ["/健康", "/a\u0001b"]) {
    assert.equal(
      await checkHealth({ type: "http", endpoint }, at, 1000),
      "the http check cannot be made: ERR_UNESCAPED_CHARACTERS",
    );
  }
});

test("a process check asks nobody", async () => {
  assert.equal(await checkHealth({ type: "process", endpoint: "" }, { host: "", port: 0 }, 1), null);
});
