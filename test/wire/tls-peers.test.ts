/** Programs that others wrote, as clients on TLS. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { selfSigned } from "../support/certificate.ts";
import { needs, type TestProgram } from "../support/needs.ts";
import { script, startEndpoint, startRouter, tlsListener } from "./support.ts";

const BODY = "0123456789abcdef".repeat(16 * 1024);
const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n";
const resolve = (port: number) => ["--resolve", `shop.example.com:${port}:127.0.0.1`];
const url = (port: number) => `https://shop.example.com:${port}/`;

const CLIENTS: readonly {
  readonly does: string;
  readonly program: TestProgram;
  readonly args: (port: number) => readonly string[];
  readonly input?: string;
}[] = [
  ...["--http1.1", "--http2"].flatMap((protocol) =>
    ["1.2", "1.3"].map((version) => ({
      does: `curl ${protocol}, TLS ${version}`,
      program: "curl" as const,
      args: (port: number) => [
        "-sk",
        protocol,
        `--tlsv${version}`,
        "--tls-max",
        version,
        ...resolve(port),
        url(port),
      ],
    })),
  ),
  ...["-tls1_2", "-tls1_3"].map((version) => ({
    does: `openssl s_client ${version}`,
    program: "openssl" as const,
    args: (port: number) => ["s_client", "-quiet", version, "-connect", `127.0.0.1:${port}`],
    input: GET,
  })),
];

for (const usesDirectTls of [true, false]) {
  for (const { does, program, args, input = "" } of CLIENTS) {
    script(`${does}: a large answer comes whole, direct_tls ${String(usesDirectTls)}`, async (t) => {
      const path = needs(t, program);
      const certificate = selfSigned(t);
      if (path === null || certificate === null) return;
      const endpoint = await startEndpoint(t);
      const router = await startRouter(t, {
        config: { tls: tlsListener([certificate]), usesDirectTls },
        routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
      });
      const output = run(t, path, args(router.router.tlsPort), input);
      const upstream = await endpoint.accept();
      await upstream.message();
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`);
      assert.ok((await output).endsWith(BODY));
    });
  }
}

/** @returns what it says until it ends */
async function run(t: TestContext, path: string, args: readonly string[], input: string): Promise<string> {
  const child = spawn(path, args, { stdio: ["pipe", "pipe", "ignore"] });
  t.after(() => child.kill());
  // Its input stays open: s_client ends with it.
  child.stdin.write(input);
  let output = "";
  for await (const chunk of child.stdout) output += String(chunk);
  return output;
}
