/** `viaduct up` as a command: starts everything, tells where it is, waits for a signal, ends in order. */
import type { RunOptions } from "./config.ts";
import { loadAppConfig } from "./config.ts";
import { openDataDir } from "./data-dir.ts";
import { startFoundation, type UpAddresses } from "./up.ts";

/** @returns the exit code, after everything has stopped */
export async function runUp(runOptions: RunOptions): Promise<number> {
  const config = loadAppConfig(runOptions);
  const dataDir = openDataDir(runOptions.dataDirectory);
  try {
    const foundation = await startFoundation(config, dataDir);
    const { adminPassword } = dataDir.secrets;
    console.log(
      banner(foundation.addresses, { adminPassword, dataPath: dataDir.path, isNew: dataDir.isNew }),
    );
    const reload = () => foundation.reload(() => loadAppConfig(runOptions));
    const signal = await firstSignal(reload);
    console.log(`\n${signal}: finishing requests in flight, stopping apps …`);
    foundation.log.info({ signal }, "stopping");
    await foundation.shutdown();
    return 0;
  } finally {
    dataDir.release();
  }
}

/**
 * The second signal ends the process at once: whoever presses ctrl-c twice means it. SIGHUP says that the terminal has
 * gone, where there is one, and elsewhere that certificates are to be read again.
 */
function firstSignal(reload: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isFirst = true;
    const onSignal = (signal: NodeJS.Signals) => {
      if (!isFirst) process.exit(130);
      isFirst = false;
      resolve(signal);
    };
    process.on("SIGHUP", process.stdin.isTTY ? onSignal : reload);
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}

function banner(
  at: UpAddresses,
  about: { readonly adminPassword: string; readonly dataPath: string; readonly isNew: boolean },
): string {
  const { port } = at.router;
  const login =
    at.username === undefined
      ? `as a user of ${at.uaa}: ./viaduct login`
      : `${at.username} / ${about.adminPassword}   (the viaduct command is logged in)`;
  const ready = `Viaduct is ready (${process.uptime().toFixed(1)} s).`;
  return `${ready}

  Apps          http://NAME.localhost:${port}/
  API           ${at.api}   (cf api ${at.api})
  Dashboard     ${at.dashboard}
  Internal DNS  ${at.dns.host}:${at.dns.port}
  Login         ${login}
  Data          ${about.dataPath}   (logs in ${about.dataPath}/logs)

${about.isNew ? "Next, in another terminal:" : "For instance, in another terminal:"}

  ./viaduct run --name shop --instances 2 --route shop.localhost -- node examples/hello/server.js
  curl http://shop.localhost:${port}/
  ./viaduct routes

Ctrl-C stops everything; «npm start» brings it back as it was.`;
}
