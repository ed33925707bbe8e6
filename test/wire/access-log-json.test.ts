/**
 * The JSON access log of real exchanges: the facts that the classic line has no room for come from the exchange, at the
 * moment when it ends. Without them an operator would have to ask for the verdict while it is still kept.
 */
import assert from "node:assert/strict";
import { deadPort, script, startEndpoint, startRouter } from "./support.ts";

const JSON_LOG = { accessLogFormat: "json" } as const;
const GET = "GET /a?b=c HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";

function jsonLines(router: { accessLog(): readonly string[] }): Record<string, unknown>[] {
  return router.accessLog().map((line) => JSON.parse(line) as Record<string, unknown>);
}

script("a line says which route matched, its options, what was tried in vain and how it ended", async (t) => {
  const [dead, endpoint] = [await deadPort(), await startEndpoint(t)];
  const options = { loadbalancing: "least-connection", "idle-timeout": "30s" };
  const router = await startRouter(t, {
    config: { ...JSON_LOG, accessLogOptions: { extraHeaders: ["X-Tenant"] }, maxAttempts: 2 },
    routes: [{ uri: "shop.example.com/a", ports: [dead], options }],
  });
  const client = await router.connect();
  client.send(GET);
  assert.match(await client.message(), /^HTTP\/1.1 502 /);
  router.map({ uri: "shop.example.com/a", ports: [dead, endpoint.port], options });
  client.send(GET.replace("\r\n\r\n", "\r\nX-Tenant: blue\r\n\r\n"));
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  await client.message();

  const [failed, served] = jsonLines(router);
  const common = { route: "shop.example.com/a", options, balancer: "least-connection", target: "/a?b=c" };
  const facts = (line: Record<string, unknown> | undefined) => ({
    ...Object.fromEntries(Object.keys(common).map((name) => [name, line?.[name]])),
    status: line?.["status"],
    attempts: line?.["attempts"],
    failed_endpoints: line?.["failed_endpoints"],
    error: line?.["error"],
    headers: line?.["headers"],
  });
  const inVain = { endpoint: "<address>", error: "endpoint_dial_failed" };
  assert.deepEqual(facts(failed), {
    ...common,
    status: 502,
    attempts: 1,
    failed_endpoints: [inVain],
    error: "endpoint_dial_failed",
    headers: { "x-tenant": null },
  });
  assert.deepEqual(facts(served), {
    ...common,
    status: 200,
    // The one that refuses is marked: it is asked no more.
    attempts: 1,
    failed_endpoints: [],
    error: null,
    headers: { "x-tenant": "blue" },
  });
  assert.ok(Number(served?.["backend_time"]) >= 0);
  assert.equal(served?.["closed_first"], "nobody");
});

script("a line says who went away first, and that an unknown host has no route", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: JSON_LOG,
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const unknown = await router.connect();
  unknown.send(GET.replace("shop", "nobody"));
  await unknown.message();
  const impatient = await router.connect();
  impatient.send(GET);
  await (await endpoint.accept()).until("\r\n\r\n");
  impatient.reset();
  await router.eventually(() => router.router.counters.activeExchanges === 0);

  const lines = jsonLines(router);
  const facts = lines.map(({ status, route, options, error, closed_first: first }) => ({
    status,
    route,
    options,
    error,
    first,
  }));
  assert.deepEqual(facts, [
    { status: 404, route: null, options: null, error: "unknown_route", first: "nobody" },
    { status: 499, route: "shop.example.com", options: {}, error: "request_cancelled", first: "client" },
  ]);
});
