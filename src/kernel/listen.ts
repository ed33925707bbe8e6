import { listenFailed, portTaken } from "./errors/config.ts";
import type { ViaductError } from "./errors/define.ts";
import { systemReason } from "./system-reason.ts";

/** Where a server was to listen, and which setting says so. */
export interface ListenAddress {
  readonly role: string;
  readonly host: string;
  readonly port: number;
  /** Path of the setting to change: `router.port`. */
  readonly setting: string;
}

/** Turns the system's refusal to listen into an error with a remedy. */
export function listenError(at: ListenAddress, cause: unknown): ViaductError {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (code === "EADDRINUSE") return portTaken(at, cause);
  return listenFailed({ ...at, reason: systemReason(cause), remedy: remedyOf(code, at) }, cause);
}

function remedyOf(code: string | undefined, { host, setting }: ListenAddress): string {
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
    return `${host} is no address of this machine, change the host that goes with ${setting}`;
  }
  if (code === "EACCES") {
    return `set ${setting} to 1024 or more, or give this process the capability CAP_NET_BIND_SERVICE`;
  }
  return `change ${setting}`;
}
