import type { Registration } from "../../src/table/index.ts";

/** One endpoint of `shop.example.com`, on a port of the loopback address. */
export function registrationOf(port: number): Registration {
  return {
    uri: "shop.example.com",
    endpoint: {
      processGuid: "",
      instanceId: "instance-0",
      instanceIndex: "0",
      appGuid: "11111111-2222-3333-4444-555555555555",
      host: "127.0.0.1",
      port,
      tls: false,
      serverCertDomainSan: "",
      appPort: 0,
      instanceAddress: "",
      protocol: "http1",
      availabilityZone: "",
      isolationSegment: "",
      tags: {},
      updatedAtNs: "",
    },
    options: {},
    routeServiceUrl: null,
    staleAfterMs: 0,
  };
}
