/** A whole record of the access log, for tests of its forms. */
import type { ExplainedLogRecord } from "./access-record.ts";

/** The odd fraction is the nearest a double comes to 123456789 ns. */
export function logRecord(changes: Partial<ExplainedLogRecord> = {}): ExplainedLogRecord {
  return {
    host: "shop.example.com",
    startedAtMs: Date.parse("2026-11-21T10:15:30Z") + 123.456789,
    method: "GET",
    target: "/a?b=c",
    protocol: "HTTP/1.1",
    status: 200,
    requestBodyBytes: 0,
    responseBodyBytes: 51,
    referer: "",
    userAgent: "curl/8.5.0",
    clientAddress: "10.0.0.9:51842",
    endpointAddress: "10.0.1.5:61001",
    forwardedFor: "10.0.0.9",
    forwardedProto: "http",
    requestId: "645e4784-879d-4068-761d-a9942fdc40c0",
    responseTimeMs: 1.234,
    routerTimeMs: 0.21,
    appGuid: "c1b0",
    instanceIndex: "0",
    instanceId: "9a2f",
    routerError: "",
    backendTimeMs: 1.024,
    dialTimeMs: 0.4,
    dnsTimeMs: -1,
    tlsTimeMs: -1,
    localAddress: "10.0.0.1:40000",
    failedAttempts: 2,
    failedAttemptsTimeMs: 12.5,
    endpointTags: { process_type: "web" },
    routeKey: "shop.example.com/a",
    routeOptions: { loadbalancing: "hash", hash_header: "X-Tenant" },
    balancer: "hash",
    attempts: 3,
    failedEndpoints: [
      { endpoint: "10.0.1.6:61001", errorCode: "endpoint_dial_failed" },
      { endpoint: "10.0.1.7:61001", errorCode: "endpoint_reset" },
    ],
    errorCode: "",
    closedFirst: "nobody",
    requestHeader: () => undefined,
    ...changes,
  };
}
