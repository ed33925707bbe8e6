/** What the tests of this room share. */
import { execFileSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import type { DesiredLrp } from "../contracts/index.ts";
import type { NetInfo } from "./state.ts";

export const NET: NetInfo = {
  address: "127.0.0.1",
  instanceAddress: "127.1.0.1",
  ports: [{ containerPort: 8080, hostPort: 61_001, hostTlsPort: 0 }],
};

export function lrp(some: Partial<DesiredLrp>): DesiredLrp {
  return {
    processGuid: "process-1",
    domain: "cf-apps",
    instances: 1,
    command: "true",
    directory: "/",
    environment: {},
    ports: [8080],
    routes: {},
    logGuid: "app-1",
    metricTags: {},
    memoryMb: 64,
    diskMb: 64,
    healthCheck: { type: "port", endpoint: "" },
    startTimeoutMs: 0,
    annotation: "",
    ...some,
  };
}

/**
 * A named pipe that processes of a test hold open for writing: it tells when they are up (a line each) and when the
 * last of them is gone (`ended`), however they ended.
 */
export async function openFifo(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-fifo-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "fifo");
  execFileSync("mkfifo", [path]);
  const stream = createReadStream(path);
  const lines = createInterface({ input: stream });
  const iterator = lines[Symbol.asyncIterator]();
  return {
    path,
    line: async () => String((await iterator.next()).value),
    /** Resolves when nobody holds it any more; lines that were not read are dropped. */
    ended: async () => {
      while ((await iterator.next()).done !== true);
    },
  };
}

/** Four descendants: a child, a grandchild whose parent is gone, one in a session of its own, one that ignores SIGTERM. */
export const withDescendants = (fifo: string) => `
exec 9>${fifo}
sleep 1000 & echo child >&9
(sleep 1000 &) ; echo orphan >&9
setsid sh -c 'echo session >&9; exec sleep 1000' &
sh -c 'trap "" TERM; echo stubborn >&9; sleep 1000; sleep 1000' &
`;
export const DESCENDANTS = ["child", "orphan", "session", "stubborn"];
