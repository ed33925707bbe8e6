/** The example app is what newcomers and the end-to-end tests run, so it must do what its README says. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const SERVER = fileURLToPath(new URL("../../examples/hello/server.js", import.meta.url));

async function startHello(t: TestContext) {
  const app = spawn(process.execPath, [SERVER], {
    env: {
      PORT: "0",
      CF_INSTANCE_INDEX: "3",
      VCAP_APPLICATION: '{"application_name":"shop"}',
    },
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => app.kill("SIGKILL"));
  const lines = createInterface({ input: app.stdout });
  const [line] = (await once(lines, "line")) as [string];
  const port = /^shop\/3 listens on port (\d+)$/.exec(line)?.[1] ?? "";
  const send = (path: string, body = "", method = "GET") =>
    new Promise<{ status: number; text: string; instance: unknown }>((resolve, reject) => {
      const sent = request({ port, path, method, agent: false }, (response) => {
        const { statusCode = 0, headers } = response;
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (text += part));
        response.on("end", () => resolve({ status: statusCode, text, instance: headers["x-instance"] }));
      });
      sent.on("error", reject).end(body);
    });
  return { app, port, send };
}

test("the example says who answered, repeats headers and bodies, waits, and knows no other path", async (t) => {
  const { send } = await startHello(t);
  assert.deepEqual(await send("/"), { status: 200, text: "hello from shop, instance 3\n", instance: "3" });
  assert.match((await send("/headers")).text, /"host": "localhost:\d+"/);
  const body = "x".repeat(300_000);
  assert.equal((await send("/echo", body, "POST")).text, body);
  assert.equal((await send("/slow?ms=1")).text, "waited 1 ms\n");
  assert.equal((await send("/health")).status, 200);
  assert.equal((await send("/unknown")).status, 404);
});

test("the example crashes when asked to, and leaves with code 0 when told to stop", async (t) => {
  const first = await startHello(t);
  const crashed = once(first.app, "exit");
  await first.send("/crash");
  assert.deepEqual(await crashed, [1, null]);
  const second = await startHello(t);
  second.app.kill("SIGTERM");
  assert.deepEqual(await once(second.app, "exit"), [0, null]);
});

test("the example's WebSocket sends messages of every length back, answers pings and closes politely", async (t) => {
  const { port } = await startHello(t);
  const socket = new WebSocket(`ws://localhost:${port}/ws`);
  await once(socket, "open");
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    const sent = Buffer.alloc(length, 0xe9);
    socket.send(sent);
    const [received, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
    assert.equal(isBinary, true);
    assert(received.equals(sent));
  }
  socket.send("héllo");
  assert.equal(String(((await once(socket, "message")) as [Buffer])[0]), "héllo");
  socket.ping("are you there");
  assert.equal(String(((await once(socket, "pong")) as [Buffer])[0]), "are you there");
  socket.close(1000, "bye");
  assert.equal(((await once(socket, "close")) as [number])[0], 1000);
});
