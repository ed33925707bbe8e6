/** What a gorouter configuration file says about the Routing API, and about the token for it. */
import { readFileSync } from "node:fs";
import type { TlsFiles } from "../calls/index.ts";
import { systemReason } from "../kernel/index.ts";
import type { RoutingApiFeedConfig } from "./feeds/routing-api.ts";
import type { GorouterFile } from "./gorouter-config.ts";
import { checkKeyPair } from "./tls/key-pair.ts";

/** Null when the file names none. */
export function mapRoutingApi(
  file: GorouterFile,
  feed: Pick<
    RoutingApiFeedConfig,
    | "dropletStaleThresholdMs"
    | "pruneStaleDropletsIntervalMs"
    | "routingTableShardingMode"
    | "isolationSegments"
  >,
): RoutingApiFeedConfig | null {
  const { get } = file;
  const [uri, port] = [get("routing_api.uri"), get("routing_api.port")];
  if (uri === "" || port === 0) {
    if (uri !== "") {
      file.warn("routing_api.uri", "has no effect without routing_api.port; its routes are not fetched");
    }
    return null;
  }
  const url = URL.parse(uri);
  if (url === null || !/^https?:$/.test(url.protocol) || url.port !== "" || url.pathname !== "/") {
    file.problem("routing_api.uri", `${uri} is not «https://HOST» or «http://HOST»`);
    return null;
  }
  return {
    ...feed,
    url: `${url.origin}:${port}`,
    tls: mapTls(file),
    oauth: get("routing_api.auth_disabled") ? null : mapOauth(file),
  };
}

function mapTls(file: GorouterFile): TlsFiles {
  const { get } = file;
  const [ca, cert, key] = [
    get("routing_api.ca_certs"),
    get("routing_api.cert_chain"),
    get("routing_api.private_key"),
  ];
  if (cert !== "" || key !== "") {
    checkKeyPair(cert, key, (reason) =>
      file.problem("routing_api.cert_chain", `Error loading key pair: ${reason}`),
    );
  }
  return { ...(ca !== "" && { ca }), ...(cert !== "" && { cert, key }) };
}

function mapOauth(file: GorouterFile): RoutingApiFeedConfig["oauth"] {
  const { get } = file;
  const [host, port] = [get("oauth.token_endpoint"), get("oauth.port")];
  if (host === "" || port === 0) {
    file.problem(
      "oauth.token_endpoint",
      "oauth.token_endpoint and oauth.port are needed for a token for the Routing API; or set routing_api.auth_disabled",
    );
  }
  const ca = readCertificates(file);
  return {
    url: `https://${host}:${port}/oauth/token`,
    client: { name: get("oauth.client_name"), secret: get("oauth.client_secret") },
    tls: { ...(ca !== "" && { ca }), rejectUnauthorized: !get("oauth.skip_ssl_validation") },
    maxRetries: get("token_fetcher_max_retries"),
    retryIntervalMs: get("token_fetcher_retry_interval"),
    expirationBufferMs: get("token_fetcher_expiration_buffer_time") * 1_000,
  };
}

/** Deployments give a path here and PEM texts everywhere else; both are taken. */
function readCertificates(file: GorouterFile): string {
  const given = file.get("oauth.ca_certs");
  if (given === "" || given.includes("-----BEGIN")) return given;
  try {
    return readFileSync(given, "utf8");
  } catch (error) {
    file.problem("oauth.ca_certs", `cannot be read: ${systemReason(error)}`);
    return "";
  }
}
