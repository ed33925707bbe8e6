/**
 * What `feeds.bench.ts` reads over HTTP, in a process of its own: the list of a Routing API, and the image of a route
 * table. Says its port once it listens; the first list lacks nothing, the next ones a tenth.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { endpointToJson, reservationToJson } from "../../src/routing-api/wire.ts";
import { encodeEvent } from "../../src/wire/sse/index.ts";
import { endpointOf, guid, hostOf, reservationOf } from "./feeds-samples.ts";

const routes = Number(process.argv[2]);
const EVENTS_PER_WRITE = 1_000;
let lists = 0;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "", "http://localhost");
  if (pathname === "/routing/v1/routes") response.end(list(lists++ === 0 ? 0 : 0.1));
  else if (pathname === "/routing/v1/route_table/events") void sendImage(response);
  else if (pathname === "/routing/v1/events") response.writeHead(200).flushHeaders();
  else response.writeHead(201).end("{}");
}).listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));

process.on("disconnect", () => process.exit());

function list(missingShare: number): string {
  const rows: string[] = [];
  for (let i = 0; i < routes; i++) {
    if (i % 1_000 < missingShare * 1_000) continue;
    const { host: ip, port } = endpointOf(i, 0);
    const modification_tag = { guid: guid(5, i), index: lists };
    const row = { route: hostOf(i), ip, port, ttl: 120, log_guid: guid(1, i), modification_tag };
    rows.push(JSON.stringify({ ...row, router_group_guid: "", tags: null }));
  }
  return `[${rows.join(",")}]`;
}

async function sendImage(response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const events = function* () {
    yield encodeEvent({ event: "Reset", data: "{}" });
    for (let i = 0; i < routes; i++) {
      const data = { ...reservationToJson(reservationOf(i), 0), state: "serving" };
      yield encodeEvent({ event: "RouteUpsert", data: JSON.stringify(data) });
      const endpoint = { route_guids: [guid(4, i)], endpoint: endpointToJson(endpointOf(i, 0)) };
      yield encodeEvent({ event: "EndpointUpsert", data: JSON.stringify(endpoint) });
    }
    yield encodeEvent({ id: "e-1", event: "Synced", data: JSON.stringify({ cursor: "e-1" }) });
  };
  let piece = "";
  let count = 0;
  const send = async () => {
    if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
    piece = "";
  };
  for (const event of events()) {
    piece += event;
    if (++count % EVENTS_PER_WRITE === 0) await send();
  }
  await send();
}
