/** SIGHUP: certificates of the TLS listener, read again while connections stay. */
import type { Logger } from "../kernel/index.ts";
import type { HttpRouter, RouterConfig } from "../router/index.ts";

/**
 * Handshakes use the new certificates from now on. What is no good changes nothing, and the log says so.
 * @param read  Of the configuration as it is now.
 */
export function reloadTls(
  router: Pick<HttpRouter, "tlsPort" | "reloadTls">,
  log: Pick<Logger, "info" | "error">,
  read: () => RouterConfig["tls"],
  ticketKeys?: Buffer,
): void {
  try {
    const tls = read();
    if (tls === null || router.tlsPort === 0) {
      log.info({ reason: "no TLS listener, before or after" }, "tls-reload-skipped");
      return;
    }
    router.reloadTls(tls, ticketKeys);
    log.info({ certificates: tls.certificates.length }, "tls-reloaded");
  } catch (error) {
    log.error({ error: (error as Error).message }, "tls-reload-failed");
  }
}
