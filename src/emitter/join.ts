/**
 * Desired LRP × routable instances → endpoints for the native feed, messages for the classic one. Pure.
 */
import { encodeRegister, encodeServiceDiscovery, type RegisterFields, SUBJECTS } from "../bus/index.ts";
import type { ActualLrp, DesiredLrp } from "../contracts/index.ts";
import { type Endpoint, endpointAddress } from "../table/index.ts";
import { readRoutes } from "./route-information.ts";

/** `<process guid>-<version>`, two UUIDs. */
const VERSIONED_GUID = /^(.{36})-.{36}$/;

/** One route of one instance on the bus. */
export interface ClassicEntry {
  /** Same key: the same route at the same place, so that a new body replaces the old one. */
  readonly key: string;
  readonly registerSubject: string;
  readonly unregisterSubject: string;
  /** Sent at every interval. */
  readonly body: string;
  /** Sent once, when the instance is new: says also since when, for the latency metric. */
  readonly firstBody: string;
  readonly instanceGuid: string;
}

/** The GUID that stays the same over restarts and deployments. */
export function stableProcessGuid({ processGuid, metricTags }: DesiredLrp): string {
  return metricTags["process_id"] || (VERSIONED_GUID.exec(processGuid)?.[1] ?? processGuid);
}

/** One per instance and port that the process listens on; lowest port first, which routes without a port mean. */
export function endpointsOf(desired: DesiredLrp, instances: readonly ActualLrp[]): readonly Endpoint[] {
  const processGuid = stableProcessGuid(desired);
  const { http } = readRoutes(desired);
  const protocolByPort = new Map(http.map((route) => [route.containerPort, route.protocol]));
  // A process is in one segment; each of its routes says so.
  const isolationSegment = http[0]?.isolationSegment ?? "";
  return instances.flatMap((actual) =>
    mappedPorts(desired, actual).map(
      ({ containerPort, port, tls }): Endpoint => ({
        processGuid,
        instanceId: actual.instanceGuid,
        instanceIndex: String(actual.index),
        appGuid: desired.logGuid,
        host: actual.address,
        port,
        tls,
        serverCertDomainSan: tls ? actual.instanceGuid : "",
        appPort: containerPort,
        instanceAddress: actual.instanceAddress,
        protocol: protocolByPort.get(containerPort) ?? "http1",
        availabilityZone: actual.availabilityZone,
        isolationSegment,
        tags: desired.metricTags,
        updatedAtNs: actual.sinceNs,
      }),
    ),
  );
}

/** One per instance and URI, and one per instance and internal name. */
export function classicEntriesOf(
  desired: DesiredLrp,
  instances: readonly ActualLrp[],
): readonly ClassicEntry[] {
  const { http, internal } = readRoutes(desired);
  return instances.flatMap((actual) => [
    ...mappedPorts(desired, actual).flatMap(({ containerPort, port, tls }) =>
      http
        .filter((route) => route.containerPort === containerPort)
        .map((route) =>
          entry("router", route.uri, endpointAddress({ host: actual.address, port }), actual, {
            host: actual.address,
            ...(tls ? { tlsPort: port, serverCertDomainSan: actual.instanceGuid } : { port }),
            protocol: route.protocol,
            uris: [route.uri],
            app: desired.logGuid,
            privateInstanceId: actual.instanceGuid,
            privateInstanceIndex: String(actual.index),
            tags: { ...desired.metricTags, component: "route-emitter" },
            routeServiceUrl: route.routeServiceUrl,
            isolationSegment: route.isolationSegment,
            availabilityZone: actual.availabilityZone,
            options: route.options,
          }),
        ),
    ),
    ...(actual.instanceAddress === "" ? [] : internal).map((name) =>
      entry("service-discovery", name, `${actual.index} ${actual.instanceAddress}`, actual, {
        host: actual.instanceAddress,
        uris: [name, `${actual.index}.${name}`],
        app: desired.logGuid,
        privateInstanceIndex: String(actual.index),
      }),
    ),
  ]);
}

function entry(
  kind: "router" | "service-discovery",
  name: string,
  place: string,
  { sinceNs, instanceGuid }: ActualLrp,
  fields: RegisterFields,
): ClassicEntry {
  const isRouter = kind === "router";
  const encode = isRouter ? encodeRegister : encodeServiceDiscovery;
  return {
    key: `${kind} ${name} ${place}`,
    registerSubject: isRouter ? SUBJECTS.routerRegister : SUBJECTS.serviceDiscoveryRegister,
    unregisterSubject: isRouter ? SUBJECTS.routerUnregister : SUBJECTS.serviceDiscoveryUnregister,
    body: encode(fields),
    firstBody: encode({ ...fields, endpointUpdatedAtNs: sinceNs }),
    instanceGuid,
  };
}

/** Where each port of the process can be reached; behind the TLS proxy when there is one. */
function mappedPorts(desired: DesiredLrp, actual: ActualLrp) {
  return actual.ports
    .filter(({ containerPort, hostPort, hostTlsPort }) => {
      return desired.ports.includes(containerPort) && (hostPort > 0 || hostTlsPort > 0);
    })
    .map(({ containerPort, hostPort, hostTlsPort }) => ({
      containerPort,
      port: hostTlsPort > 0 ? hostTlsPort : hostPort,
      tls: hostTlsPort > 0,
    }))
    .sort((a, b) => a.containerPort - b.containerPort);
}
