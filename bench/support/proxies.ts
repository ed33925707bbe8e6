/**
 * The proxies that are compared: same-shaped entries, one per program. All have one worker, an access log,
 * keep-alive on both sides and the X-Forwarded-* headers that a route needs.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Case } from "./cases.ts";
import type { CertificateFiles } from "./certificate.ts";
import { findProgram } from "../../test/support/needs.ts";
import { viaductFlags } from "./viaduct-flags.ts";

export interface Site {
  readonly folder: string;
  /** Where the proxy listens. */
  readonly port: number;
  readonly originPort: number;
  /** Null: clients come without TLS. */
  readonly tls: CertificateFiles | null;
  /** Clients upgrade to WebSockets. */
  readonly upgrades: boolean;
}

export interface Proxy {
  readonly name: string;
  /** Null when the program is not installed. */
  readonly program: () => string | null;
  readonly version: (program: string) => string;
  /** Writes the configuration and returns the command line. */
  readonly prepare: (program: string, site: Site) => readonly string[];
}

/** nginx closes a connection after 1000 requests unless told; no measurement should count that. */
const MANY_REQUESTS = 100_000_000;
const IDLE_UPSTREAMS = 256;

const ROUTER_PROCESS = join(import.meta.dirname, "router-process.ts");

export const proxies: readonly Proxy[] = [
  {
    name: "viaduct",
    program: () => process.execPath,
    version: () => `${packageVersion()} (Node ${process.versions.node})`,
    prepare: (node, { folder, port, originPort, tls }) => [
      node,
      ...viaductFlags,
      ROUTER_PROCESS,
      String(port),
      String(originPort),
      join(folder, "viaduct.access.log"),
      ...(tls === null ? [] : [tls.certificate, tls.key]),
    ],
  },
  {
    name: "nginx",
    program: () => findProgram("nginx"),
    version: (program) => firstMatch(program, ["-v"], /nginx\/(\S+)/),
    prepare: (program, site) => [
      program,
      "-p",
      site.folder,
      "-c",
      write(site, "nginx.conf", nginxProxy(site)),
    ],
  },
  {
    name: "nginx-full",
    program: () => findProgram("nginx"),
    version: (program) => firstMatch(program, ["-v"], /nginx\/(\S+)/),
    prepare: (program, site) => [
      program,
      "-p",
      site.folder,
      "-c",
      write(site, "nginx-full.conf", nginxProxy(site, FULL)),
    ],
  },
  {
    name: "haproxy",
    program: () => findProgram("haproxy"),
    version: (program) => firstMatch(program, ["-v"], /version (\S+)/),
    prepare: (program, site) => [program, "-db", "-f", write(site, "haproxy.cfg", haproxyProxy(site))],
  },
  {
    name: "caddy",
    program: () => findProgram("caddy"),
    version: (program) => firstMatch(program, ["version"], /v?(\d\S*)/),
    prepare: (program, site) => [
      program,
      "run",
      "--adapter",
      "caddyfile",
      "--config",
      write(site, "Caddyfile", caddyProxy(site)),
    ],
  },
];

/** What the proxies stand in front of, on the core of the load generator: nginx again, without a log, where it will do. */
export function prepareOrigin(
  { generator, uploadBytes }: Case,
  nginx: string,
  folder: string,
  port: number,
): readonly string[] {
  if (generator === "websocket")
    return [process.execPath, join(import.meta.dirname, "websocket-origin.ts"), String(port)];
  // nginx would answer before it has read the body.
  if (uploadBytes > 0) return [process.execPath, join(import.meta.dirname, "upload-origin.ts"), String(port)];
  writeFileSync(join(folder, "10k"), "x".repeat(10 * 1024));
  writeFileSync(join(folder, "1m"), "x".repeat(1024 * 1024));
  const text = `${nginxHead("origin")}
  access_log off;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /small-get { default_type text/plain; return 200 "hello from the origin\\n"; }
    location / { root ${folder}; open_file_cache max=10; }
  }
}
`;
  return [nginx, "-p", folder, "-c", write({ folder }, "origin.conf", text)];
}

// One process and no master: a worker whose master is killed lives on, and CPU time is that of one process anyway.
const nginxHead = (name: string) => `daemon off;
master_process off;
error_log ${name}.error.log error;
pid ${name}.pid;
events { worker_connections 4096; }
http {
  client_body_temp_path ${name}.body;
  proxy_temp_path ${name}.proxy;
  fastcgi_temp_path ${name}.fastcgi;
  uwsgi_temp_path ${name}.uwsgi;
  scgi_temp_path ${name}.scgi;
  sendfile on;
  tcp_nopush on;
  keepalive_requests ${MANY_REQUESTS};`;

interface NginxJob {
  readonly name: string;
  /** Of the access log, and what declares it. */
  readonly format: string;
  readonly formatDeclaration: string;
  readonly headers: readonly string[];
}

const GUID = "2f8c7a4e-5b1d-4c3a-9e6f-0a1b2c3d4e5f";
const FORWARDED = [
  "X-Forwarded-For $proxy_add_x_forwarded_for",
  "X-Forwarded-Proto $scheme",
  "X-Request-Id $request_id",
];
const NGINX: NginxJob = { name: "nginx", format: "combined", formatDeclaration: "", headers: FORWARDED };

/** The router's own job: the same headers for the endpoint, the same fields in the log. */
const FULL: NginxJob = {
  name: "nginx-full",
  format: "classic",
  formatDeclaration: `log_format classic '$http_host - [$time_iso8601] "$request" $status $request_length $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$remote_addr:$remote_port" "$upstream_addr" '
    'x_forwarded_for:"$proxy_add_x_forwarded_for" x_forwarded_proto:"$scheme" vcap_request_id:"$request_id" '
    'response_time:$request_time gorouter_time:$upstream_response_time app_id:"${GUID}" app_index:"0" '
    'instance_id:"${GUID}" x_cf_routererror:"-"';`,
  headers: [
    ...FORWARDED,
    "X-Request-Start $msec",
    "X-Vcap-Request-Id $request_id",
    `X-CF-ApplicationID ${GUID}`,
    `X-CF-InstanceID ${GUID}`,
    "X-CF-InstanceIndex 0",
  ],
};

// The log is buffered because ours is: unbuffered, nginx would pay one more system call per request than we do.
const nginxProxy = ({ port, originPort, tls, upgrades }: Site, job = NGINX) => `${nginxHead(job.name)}
  ${job.formatDeclaration}
  access_log ${job.name}.access.log ${job.format} buffer=64k flush=1s;
  upstream origin {
    server 127.0.0.1:${originPort};
    keepalive ${IDLE_UPSTREAMS};
    keepalive_requests ${MANY_REQUESTS};
  }
  server {
    listen 127.0.0.1:${port}${tls === null ? "" : " ssl http2"} backlog=4096;
    client_max_body_size 0;
    proxy_request_buffering off;
    ${tls === null ? "" : `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:1m;`}
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection ${upgrades ? "upgrade" : '""'};
      ${upgrades ? "proxy_set_header Upgrade $http_upgrade;" : ""}
      proxy_set_header Host $http_host;
${job.headers.map((header) => `      proxy_set_header ${header};\n`).join("")}    }
  }
}
`;

const haproxyProxy = ({ port, originPort, tls }: Site) => `global
  nbthread 1
  maxconn 8192
  log stdout format raw local0 info
defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port} backlog 4096${tls === null ? "" : ` ssl crt ${tls.both} alpn h2,http/1.1`}
  http-request set-header X-Forwarded-Proto ${tls === null ? "http" : "https"}
  unique-id-format %{+X}o%ci%cp%rt%pid
  unique-id-header X-Request-Id
  default_backend origin
backend origin
  server origin 127.0.0.1:${originPort} pool-max-conn ${IDLE_UPSTREAMS}
`;

const caddyProxy = ({ folder, port, originPort, tls }: Site) => `{
  admin off
  auto_https off
}
${tls === null ? "http" : "https"}://:${port} {
  bind 127.0.0.1
  ${tls === null ? "" : `tls ${tls.certificate} ${tls.key}`}
  log {
    output file ${join(folder, "caddy.access.log")} {
      roll_disabled
    }
  }
  reverse_proxy 127.0.0.1:${originPort} {
    header_up X-Request-Id {http.request.uuid}
    transport http {
      keepalive_idle_conns_per_host ${IDLE_UPSTREAMS}
    }
  }
}
`;

function write({ folder }: Pick<Site, "folder">, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function firstMatch(program: string, args: readonly string[], pattern: RegExp): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? "unknown version";
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8"),
  );
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown version";
}
