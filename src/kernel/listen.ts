import { listenFailed, portTaken } from "./errors/config.ts";
import type { ViaductError } from "./errors/define.ts";

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
  return code === "EADDRINUSE"
    ? portTaken(at, cause)
    : listenFailed({ ...at, reason: code ?? String(cause) }, cause);
}
