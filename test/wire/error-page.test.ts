/** The operator's page in place of the line of text. */
import assert from "node:assert/strict";
import { compileErrorPage } from "../../src/router/error-page.ts";
import { OWN_RESPONSE_LINES, script, startRouter, withoutVariables } from "./support.ts";

script("errors of the router are the operator's page, in which a client's host is only text", async (t) => {
  const verdict = compileErrorPage(
    '<h1>{{ .Status }} {{ .StatusText }}</h1>{{ .Message }} [{{ .Header.Get "X-Cf-RouterError" }}]\n',
  );
  assert.ok(verdict.ok);
  const { connect, log } = await startRouter(t, { config: { errorPage: verdict.page } });
  const client = await connect();
  client.send("GET / HTTP/1.1\r\nHost: a&b.example.com\r\n\r\n");
  const body =
    "<h1>404 Not Found</h1>Requested route (&#39;a&amp;b.example.com&#39;) does not exist. [unknown_route]\n";
  assert.equal(
    withoutVariables(await client.message()),
    "HTTP/1.1 404 Not Found\r\nCache-Control: no-cache, no-store\r\nContent-Type: text/html; charset=utf-8\r\n" +
      `X-Content-Type-Options: nosniff\r\nX-Cf-RouterError: unknown_route\r\n${OWN_RESPONSE_LINES}` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );

  // The log keeps the line of text.
  client.send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  assert.match(await client.message(), /<h1>400 Bad Request<\/h1>/);
  assert.deepEqual(
    log.filter(({ message }) => message === "status").map((line) => line["body"]),
    ["400 Bad Request: Request had empty Host header\n"],
  );
});
