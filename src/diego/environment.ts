/** What an instance finds in its environment: Cloud Foundry's names, and nothing of our own. */
import type { DesiredLrp } from "../contracts/index.ts";
import type { NetInfo } from "./state.ts";

/** What comes from this machine. */
export interface Machine {
  readonly path: string;
  readonly user: string;
}

/** The LRP's own variables win over the machine's, Cloud Foundry's over both. */
export function instanceEnvironment(about: {
  lrp: DesiredLrp;
  index: number;
  instanceGuid: string;
  net: NetInfo;
  temporaryDirectory: string;
  machine: Machine;
}): Readonly<Record<string, string>> {
  const { lrp, instanceGuid, net, machine } = about;
  const index = String(about.index);
  const first = net.ports[0];
  return {
    PATH: machine.path,
    USER: machine.user,
    LANG: "C.UTF-8",
    HOME: lrp.directory,
    TMPDIR: about.temporaryDirectory,
    ...lrp.environment,
    CF_INSTANCE_GUID: instanceGuid,
    INSTANCE_GUID: instanceGuid,
    CF_INSTANCE_INDEX: index,
    INSTANCE_INDEX: index,
    CF_INSTANCE_IP: net.address,
    CF_INSTANCE_INTERNAL_IP: net.instanceAddress,
    CF_INSTANCE_PORTS: JSON.stringify(
      net.ports.map(({ hostPort, containerPort }) => ({ external: hostPort, internal: containerPort })),
    ),
    ...(first === undefined
      ? {}
      : {
          PORT: String(first.hostPort),
          CF_INSTANCE_PORT: String(first.hostPort),
          CF_INSTANCE_ADDR: `${net.address}:${first.hostPort}`,
        }),
  };
}
