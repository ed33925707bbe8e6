/**
 * The whole way: a mutated request, and a marker behind it, at once or in pieces, from a raw client through a router to
 * node:http. Whatever the endpoint read as a message, the client got as that message's answer, in order, and nothing else.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { createLogger, createManualClock, loadConfig } from "../../../src/kernel/index.ts";
import {
  createHttpRouter,
  createRoutePrograms,
  routerConfigFrom,
  routerSection,
} from "../../../src/router/index.ts";
import { createTable } from "../../../src/table/index.ts";
import { registrationOf } from "../registration.ts";
import { MARKER } from "../request-framings.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { cut, mutate } from "./random.ts";
import { HTTP_WORDS, REQUESTS } from "./targets.ts";

const HOST = "shop.example.com";

export interface RouterTarget extends FuzzTarget {
  close(): Promise<void>;
}

export async function createRouterTarget(): Promise<RouterTarget> {
  let seen: string[] = [];
  const endpoint = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const token = `<${seen.length}>`;
      seen.push(`${request.method} ${request.url} [${Buffer.concat(chunks).toString("latin1")}]`);
      response.setHeader("X-Token", token);
      response.end(request.method === "HEAD" ? undefined : token);
    });
  });
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");

  const panics: string[] = [];
  const log = createLogger({
    level: "error",
    sink: { write: (line) => void (line.includes('"panic-check"') && panics.push(line)) },
  });
  const clock = createManualClock();
  const section = loadConfig([routerSection], { flags: { "router.host": "127.0.0.1", "router.port": "0" } });
  const config = routerConfigFrom(section.get(routerSection));
  const table = createTable(createRoutePrograms({ config, log }));
  table.register(registrationOf((endpoint.address() as AddressInfo).port), 0);
  const router = createHttpRouter({ config, table, log, clock, accessLog: { write() {} } });
  await router.start();

  return {
    name: "router",
    async run(random, say) {
      const text = mutate(random, random.pick(REQUESTS), HTTP_WORDS, REQUESTS) + MARKER.replaceAll("§", HOST);
      const pieces = random.oneIn(2) ? [text] : cut(random, text);
      say(pieces);
      seen = [];
      const answers = await converse(router.port, pieces);
      assert.deepEqual(panics, []);
      const tokens = [...answers.matchAll(/^X-Token: (<\d+>)\r$/gm)].map((match) => match[1]);
      assert.deepEqual(
        tokens,
        seen.map((_, i) => `<${i}>`),
        `${JSON.stringify(seen)} and ${JSON.stringify(answers)}`,
      );
    },
    async close() {
      await router.stop();
      endpoint.closeAllConnections();
      endpoint.close();
    },
  };
}

/** Sends pieces, each by itself, ends, and returns all that came back. */
async function converse(port: number, pieces: readonly string[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1"))).on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([once(socket, "connect"), closed]);
  for (const piece of pieces) {
    socket.write(piece, "latin1");
    // The router, in this process, reads it by itself.
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
  return received;
}
