/** What the tests of this room share. */
import { loadConfig } from "../kernel/index.ts";
import { createTable, type Endpoint, type Table } from "../table/index.ts";
import { decodeQuery, encodeQuery, type Query } from "../wire/dns/index.ts";
import { type DnsConfig, dnsSection } from "./config.ts";

export function dnsConfig(flags: Readonly<Record<string, string>> = {}): DnsConfig {
  return loadConfig([dnsSection], { flags }).get(dnsSection);
}

export function internalTable(): Table<null> {
  return createTable({ attach: () => null });
}

/** Holds an internal route of one process. */
export function reserve(table: Table<null>, name: string, processGuid = name): void {
  table.apply({
    kind: "route-upsert",
    reservation: {
      guid: `route ${name}`,
      protocol: "internal",
      route: name,
      routerGroup: "",
      destinations: [{ processGuid, appPort: null, weight: null, protocol: "http1" }],
      options: {},
      routeServiceUrl: null,
      isolationSegment: "",
      tags: {},
    },
  });
}

/** Brings up one instance. */
export function up(
  table: Table<null>,
  processGuid: string,
  index: number,
  some: Partial<Endpoint> = {},
): Endpoint {
  const endpoint: Endpoint = {
    processGuid,
    instanceId: `${processGuid}-${index}`,
    instanceIndex: String(index),
    appGuid: "",
    host: "127.0.0.1",
    port: 61_001 + index,
    tls: false,
    serverCertDomainSan: "",
    appPort: 8080,
    instanceAddress: `10.255.${index >> 8}.${index & 255}`,
    protocol: "http1",
    availabilityZone: "",
    isolationSegment: "",
    tags: {},
    updatedAtNs: "",
    ...some,
  };
  table.apply({ kind: "endpoint-upsert", endpoint });
  return endpoint;
}

export function down(table: Table<null>, { processGuid, host, port }: Endpoint): void {
  table.apply({ kind: "endpoint-delete", processGuid, host, port });
}

export function queryFor(some: Partial<Parameters<typeof encodeQuery>[0]>): Query {
  const decoded = decodeQuery(encodeQuery({ id: 1, name: "shop.apps.internal", type: 1, ...some }));
  if (decoded.kind !== "query") throw new Error("the query of the test is none");
  return decoded.query;
}
