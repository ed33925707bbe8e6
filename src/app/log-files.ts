/** The two logs of `viaduct up`: what the process says, and one line per request. Both are bounded in size. */
import { dataDirUnusable } from "../kernel/errors/app.ts";
import { accessLogUnwritable } from "../kernel/errors/router.ts";
import {
  type ConfigOf,
  createLogger,
  type LineSink,
  type Logger,
  RotatingFile,
  systemReason,
} from "../kernel/index.ts";
import type { appSection } from "./app-config.ts";

export interface LogFiles {
  readonly log: Logger;
  /** Null when no requests are logged. */
  readonly accessLog: LineSink | null;
  /** Everything said before is in its file, then. */
  close(): Promise<void>;
}

/**
 * @param paths  `accessLog` is "" for none.
 * @throws dataDirUnusable, accessLogUnwritable
 */
export async function openLogFiles(
  config: Pick<ConfigOf<typeof appSection>, "logLevel" | "logFileBytes" | "oldLogFiles">,
  paths: { readonly log: string; readonly accessLog: string },
): Promise<LogFiles> {
  const limits = { maxBytes: config.logFileBytes, oldFiles: config.oldLogFiles };
  const logFile = new RotatingFile({
    path: paths.log,
    ...limits,
    // The log cannot tell of its own trouble.
    onError: (error) => console.error(`viaduct: ${paths.log} cannot be written: ${error.message}`),
  });
  const log = createLogger({ level: config.logLevel, sink: logFile });
  const accessLog =
    paths.accessLog === ""
      ? null
      : new RotatingFile({
          path: paths.accessLog,
          ...limits,
          encoding: "latin1",
          onError: (error) =>
            log.error({ err: error, file: paths.accessLog }, "access log cannot be written"),
        });
  await logFile.check().catch((error: Error) => {
    throw dataDirUnusable({ path: paths.log, reason: systemReason(error) }, error);
  });
  await accessLog?.check().catch((error: Error) => {
    throw accessLogUnwritable(
      { path: paths.accessLog, reason: systemReason(error), setting: "router.access_log" },
      error,
    );
  });

  const onCrash = (error: Error) => {
    log.error({ err: error }, "crashed");
    logFile.flushSync();
  };
  process.on("uncaughtExceptionMonitor", onCrash);
  return {
    log,
    accessLog,
    async close() {
      process.off("uncaughtExceptionMonitor", onCrash);
      await accessLog?.flush();
      await logFile.flush();
    },
  };
}
