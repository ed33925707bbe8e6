import type { Registration } from "../../src/table/index.ts";
import { endpoint, registration } from "../../src/table/samples.ts";

/** One endpoint of `shop.example.com`, on a port of the loopback address. */
export const registrationOf = (port: number): Registration =>
  registration("shop.example.com", {
    endpoint: endpoint({
      instanceId: "instance-0",
      instanceIndex: "0",
      appGuid: "11111111-2222-3333-4444-555555555555",
      host: "127.0.0.1",
      port,
      appPort: 0,
    }),
    staleAfterMs: 0,
  });
