/** Clients that speak HTTP/2, in front of endpoints that speak HTTP/1.1. */
import assert from "node:assert/strict";
import { OWN_RESPONSE_LINES, requestToEndpoint, script, startEndpoint, withoutVariables } from "./support.ts";
import { ask, HOST, openSession, startHttp2Router } from "./http2-support.ts";

script(
  "a request of HTTP/2 reaches the endpoint as one of HTTP/1.1, and its answer comes back",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startHttp2Router(t, { routes: [{ uri: HOST, ports: [endpoint.port] }] });
    if (router === null) return;
    const session = openSession(t, router);
    const asked = ask(session, { ":path": "/a?b=c", cookie: ["a=1", "b=2"], "user-agent": "script/1" });
    const upstream = await endpoint.accept();
    assert.equal(
      withoutVariables(await upstream.message()),
      requestToEndpoint("GET /a?b=c HTTP/1.1", [
        `Host: ${HOST}`,
        "cookie: a=1; b=2",
        "user-agent: script/1",
      ]).replace("X-Forwarded-Proto: http\r\n", "X-Forwarded-Proto: https\r\n"),
    );
    upstream.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: yes\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n\r\nok",
    );
    const answer = await asked;
    assert.equal(answer.body, "ok");
    const { "x-vcap-request-id": id, date, ...headers } = answer.headers;
    assert.deepEqual({ ...headers }, { ":status": 200, "content-length": "2", "x-own": "yes" });
    assert.ok(OWN_RESPONSE_LINES.includes(String(date)));
    assert.match(
      router.accessLog()[0] ?? "",
      /"GET \/a\?b=c HTTP\/2\.0" 200 0 2 "-" "script\/1" .* x_forwarded_proto:"https"/,
    );
    assert.equal(router.router.findVerdict(String(id))?.status, 200);
  },
);
