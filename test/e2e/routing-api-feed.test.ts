/**
 * The router with a Routing API beside NATS, as a deployment has it: TLS with client certificates to the API, tokens
 * from a UAA, both played by servers that follow the documented wire format. Tokens are signed and checked for real.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get as httpGet, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { hasScope } from "../../src/auth/index.ts";
import { createAuthority } from "../support/authority.ts";
import { startGorouter } from "../support/gorouter.ts";
import { ACCESS_TTL_MS, EMITTER, startIssuer } from "../support/issuer.ts";
import { startNats } from "../support/nats.ts";
import { type RoutingApiV1, startRoutingApiV1, startUaa } from "../support/routing-api-v1.ts";

/** An API and its UAA; null when the machine has no openssl. */
async function startPlatform(t: TestContext) {
  const authority = createAuthority(t);
  if (authority === null) return null;
  const server = authority.issue({ subject: "/CN=platform", alternativeNames: "DNS:localhost,IP:127.0.0.1" });
  const client = authority.issue({ subject: "/CN=gorouter" });
  const { issuer, clock } = await startIssuer(t);
  const tls = { cert: server.certificate, key: server.key };
  const uaa = await startUaa(t, { tls, grant: (id) => issuer.grantClientCredentials({ client: id }) });
  const api = await startRoutingApiV1(t, {
    tls: { ...tls, ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
    async check(authorization) {
      try {
        const claims = await issuer.verifyToken(authorization.replace(/^bearer /i, ""));
        return hasScope(claims, "routing.routes.read")
          ? null
          : "You are not authorized to perform the requested action";
      } catch {
        return "Token is expired";
      }
    },
  });
  return { authority, client, uaa, api, issuerClock: clock };
}

type Platform = NonNullable<Awaited<ReturnType<typeof startPlatform>>>;

function configOf(
  { authority, client, uaa, api }: Platform,
  natsPort: number,
  secret = EMITTER.secret,
): string {
  return JSON.stringify({
    port: 0,
    viaduct: { host: "127.0.0.1" },
    status: { host: "127.0.0.1", port: 0, user: "ops", pass: "secret", routes: { port: 0 } },
    prometheus: { enabled: true, port: 0 },
    nats: { hosts: [{ hostname: "127.0.0.1", port: natsPort }] },
    start_response_delay_interval: "10ms",
    prune_stale_droplets_interval: "400ms",
    routing_api: {
      uri: "https://127.0.0.1",
      port: api.port,
      ca_certs: authority.certificate,
      cert_chain: client.certificate,
      private_key: client.key,
    },
    oauth: {
      token_endpoint: "127.0.0.1",
      port: uaa.port,
      client_name: EMITTER.id,
      client_secret: secret,
      ca_certs: authority.certificate,
    },
    logging: { level: "info" },
  });
}

async function get(port: number, host: string, path = "/") {
  const request = httpGet({ host: "127.0.0.1", port, path, headers: { host }, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

async function startApp(t: TestContext) {
  const server = createServer((request, response) =>
    response.end(`${request.headers.host} ${request.headers["x-cf-applicationid"]}`),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { ip: "127.0.0.1", port: (server.address() as AddressInfo).port, log_guid: "platform" };
}

test("routes of the Routing API are served beside those of NATS, come and go, and outlast a token", {
  timeout: 60_000,
}, async (t) => {
  const nats = await startNats(t);
  const platform = nats === null ? null : await startPlatform(t);
  if (nats === null || platform === null) return;
  const { api, uaa, issuerClock } = platform;
  const app = await startApp(t);
  api.upsert({ ...app, route: "first.example.com" });
  const { log, started } = startGorouter(t, configOf(platform, nats.port));
  const port = Number((await started()).data["port"]);
  assert.deepEqual(await get(port, "first.example.com"), { status: 200, body: "first.example.com platform" });

  await log.line("Successfully-subscribed-to-routing-api-event-stream");
  api.upsert({ ...app, route: "second.example.com/path" });
  await log.line("route-registered", 2);
  assert.equal((await get(port, "second.example.com", "/path/x")).status, 200);
  api.delete({ ...app, route: "second.example.com/path" });
  await log.line("route-unregistered");
  assert.equal((await get(port, "second.example.com", "/path/x")).status, 404);

  // The list knows what no event said.
  api.forget({ ...app, route: "first.example.com" });
  await log.line("route-unregistered", 2);
  assert.equal((await get(port, "first.example.com")).status, 404);
  assert.equal(uaa.grants, 1);

  // For the API the token has ended; the router thinks it has not.
  issuerClock.advance(ACCESS_TTL_MS + 1_000);
  api.endStreams();
  await untilSubscribed(api, 2);
  api.upsert({ ...app, route: "third.example.com" });
  await log.line("route-registered", 3);
  assert.equal((await get(port, "third.example.com")).status, 200);
  assert.ok(uaa.grants >= 2);

  const metricsPort = Number((await log.line("status-listeners-started")).data["metrics"]);
  const metrics = (await get(metricsPort, "metrics", "/metrics")).body.split("\n");
  assert.ok(metrics.includes('registry_message{component="",action="endpoint-added"} 3'));
  // A list without the second route may come before the event that deletes it, which then is the third message.
  const unregistered = log.lines.filter(({ message }) => /^endpoint-(not-)?unregistered$/.test(message));
  assert.ok(metrics.includes(`unregistry_message{component=""} ${unregistered.length}`));
  assert.ok(metrics.includes("token_fetch_errors 0"));
});

/** The reader's pause is a second of real time. */
async function untilSubscribed(api: RoutingApiV1, times: number): Promise<void> {
  await api.subscribed(times);
  const lists = api.lists;
  await api.listed(lists + 1);
}

test("a client that the UAA does not know ends the start", { timeout: 30_000 }, async (t) => {
  const nats = await startNats(t);
  const platform = nats === null ? null : await startPlatform(t);
  if (nats === null || platform === null) return;
  const { log, exit } = startGorouter(t, configOf(platform, nats.port, "wrong"));
  assert.equal(await exit, 1);
  const line = log.lines.at(-1);
  assert.equal(line?.message, "routing-api-connection-failed");
  const error = String(line?.data["error"]);
  assert.match(error, /^no token for client emitter from https:.*: 401 unauthorized: Bad credentials; check/);
  assert.ok(!error.includes("wrong"));
});

test("an API that asks for a certificate that we have not got ends the start", {
  timeout: 30_000,
}, async (t) => {
  const nats = await startNats(t);
  const platform = nats === null ? null : await startPlatform(t);
  if (nats === null || platform === null) return;
  const config = JSON.parse(configOf(platform, nats.port)) as { routing_api: Record<string, unknown> };
  delete config.routing_api["cert_chain"];
  delete config.routing_api["private_key"];
  const { log, exit } = startGorouter(t, JSON.stringify(config));
  assert.equal(await exit, 1);
  assert.equal(log.lines.at(-1)?.message, "routing-api-connection-failed");
  assert.match(String(log.lines.at(-1)?.data["error"]), /the routing API at https:.* did not answer/);
});

test("a signal ends a start that waits for a UAA which does not answer", { timeout: 30_000 }, async (t) => {
  const nats = await startNats(t);
  const platform = nats === null ? null : await startPlatform(t);
  if (nats === null || platform === null) return;
  const silent = createNetServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const sockets: Socket[] = [];
  t.after(() => {
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = silent.address() as AddressInfo;
  const { log, signals, exit } = startGorouter(
    t,
    configOf({ ...platform, uaa: { port, grants: 0 } }, nats.port),
  );
  const [socket] = (await once(silent, "connection")) as [Socket];
  sockets.push(socket);
  signals.emit("SIGTERM");
  assert.equal(await exit, 0);
  assert.equal(log.messages().at(-1), "gorouter.exited");
});
