/**
 * Independent servers that read what our router forwards. Each is a real HTTP server of its own making: node:http
 * records by itself; nginx, Apache httpd and lighttpd pass on what they understood to a recorder behind them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { needs, type TestProgram } from "../support/needs.ts";

const START_LIMIT_MS = 15_000;
const START_POLL_MS = 20;

export interface Origin {
  readonly port: number;
  /** Complete messages so far, as `METHOD /target [body]`. */
  readonly seen: readonly string[];
  /** Host headers so far. */
  readonly hosts: readonly (string | undefined)[];
}

interface OriginProgram {
  readonly name: string;
  /** Null: nothing but Node is needed. */
  readonly program: TestProgram | null;
  readonly config: (site: Site) => string;
  readonly args: (configFile: string, site: Site) => readonly string[];
}

interface Site {
  readonly folder: string;
  readonly port: number;
  readonly recorderPort: number;
}

export const ORIGINS: readonly OriginProgram[] = [
  { name: "node:http", program: null, config: () => "", args: () => [] },
  {
    name: "nginx",
    program: "nginx",
    args: (configFile, { folder }) => ["-p", folder, "-c", configFile],
    config: ({ port, recorderPort }) => `daemon off;
master_process off;
error_log error.log error;
pid nginx.pid;
events { worker_connections 256; }
http {
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  access_log off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${recorderPort};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
    }
  }
}
`,
  },
  {
    name: "Apache httpd",
    program: "apache2",
    args: (configFile) => ["-D", "FOREGROUND", "-f", configFile],
    config: ({ folder, port, recorderPort }) => `ServerRoot ${folder}
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile ${folder}/apache.pid
Mutex pthread
ErrorLog ${folder}/error.log
${process.getuid?.() === 0 ? "User www-data\nGroup www-data\n" : ""}LoadModule mpm_event_module ${APACHE_MODULES}/mod_mpm_event.so
LoadModule authz_core_module ${APACHE_MODULES}/mod_authz_core.so
LoadModule proxy_module ${APACHE_MODULES}/mod_proxy.so
LoadModule proxy_http_module ${APACHE_MODULES}/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ProxyRequests Off
ProxyPreserveHost On
ProxyPass / http://127.0.0.1:${recorderPort}/
`,
  },
  {
    name: "lighttpd",
    program: "lighttpd",
    args: (configFile) => ["-D", "-f", configFile],
    config: ({ folder, port, recorderPort }) => `server.document-root = "${folder}"
server.bind = "127.0.0.1"
server.port = ${port}
server.modules = ("mod_proxy")
server.errorlog = "${folder}/error.log"
server.upload-dirs = ("${folder}")
server.max-keep-alive-requests = 10000
proxy.server = ("" => (("host" => "127.0.0.1", "port" => ${recorderPort})))
`,
  },
];

/** Where Debian keeps Apache's modules. */
const APACHE_MODULES = "/usr/lib/apache2/modules";

/** @returns null after marking the test as skipped, and the test must return. */
export async function startOrigin(t: TestContext, origin: OriginProgram): Promise<Origin | null> {
  const path = origin.program === null ? "" : needs(t, origin.program);
  if (path === null) return null;
  const recorder = await startRecorder(t);
  if (origin.program === null) return recorder;

  const folder = mkdtempSync(join(tmpdir(), "viaduct-origin-"));
  // The server may give up root for a user that must be able to write here.
  chmodSync(folder, 0o777);
  for (const name of ["body", "proxy"]) mkdirSync(join(folder, name), { mode: 0o777 });
  const site = { folder, port: await freePort(), recorderPort: recorder.port };
  const configFile = join(folder, "server.conf");
  writeFileSync(configFile, origin.config(site));
  const child = spawn(path, [...origin.args(configFile, site)], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  t.after(async () => {
    await stop(child);
    rmSync(folder, { recursive: true, force: true });
  });
  for (let waitedMs = 0; !(await answers(site.port)); waitedMs += START_POLL_MS) {
    if (waitedMs > START_LIMIT_MS || child.exitCode !== null) throw new Error(`${origin.name}: ${said}`);
    await sleep(START_POLL_MS);
  }
  return { ...recorder, port: site.port };
}

async function startRecorder(t: TestContext): Promise<Origin> {
  const seen: string[] = [];
  const hosts: (string | undefined)[] = [];
  const server = createHttpServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const message = `${request.method} ${request.url} [${Buffer.concat(chunks).toString("latin1")}]`;
      seen.push(message);
      hosts.push(request.headers.host);
      response.setHeader("Content-Length", message.length);
      response.end(message, "latin1");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen, hosts };
}

/** A port that nobody has at this moment: these servers cannot be asked for any. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    }).once("error", () => resolve(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  // At a SIGKILL Apache would leave its workers behind.
  child.kill("SIGTERM");
  await ended;
}
