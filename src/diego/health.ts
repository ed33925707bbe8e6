/** One health check of one instance. */
import { get } from "node:http";
import { connect } from "node:net";
import type { HealthCheck } from "../contracts/index.ts";

/** 24.8 days: Node refuses a longer wait, or does not wait at all. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/**
 * Never rejects: whatever an app asks for, a check that cannot even be made is a failed one.
 * @returns null when healthy, otherwise why not, in words.
 */
export async function checkHealth(
  check: HealthCheck,
  at: { host: string; port: number },
  timeoutMs: number,
): Promise<string | null> {
  const waitMs = Math.min(timeoutMs, LONGEST_WAIT_MS);
  try {
    switch (check.type) {
      case "process":
        return null;
      case "port":
        return await checkPort(at, waitMs);
      case "http":
        return await checkHttp(at, check.endpoint, waitMs);
      default:
        return check.type satisfies never;
    }
  } catch (error) {
    return `the ${check.type} check cannot be made: ${reasonOf(error as Error)}`;
  }
}

function checkPort(
  { host, port }: { host: string; port: number },
  timeoutMs: number,
): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const finish = (answer: string | null) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(`no connection to ${host}:${port} within ${timeoutMs} ms`));
    socket.on("error", (error) => finish(`no connection to ${host}:${port}: ${reasonOf(error)}`));
    socket.on("connect", () => {
      // With nobody listening, a connection from an ephemeral port to the same port meets itself.
      const isSelf = socket.localPort === port && socket.localAddress === socket.remoteAddress;
      finish(isSelf ? `no connection to ${host}:${port}: nobody listens` : null);
    });
  });
}

function checkHttp(
  { host, port }: { host: string; port: number },
  endpoint: string,
  timeoutMs: number,
): Promise<string | null> {
  const path = endpoint.startsWith("/") ? endpoint : `/${endpoint}`;
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = get(
      { host, port, path, agent: false, signal, headers: { "user-agent": "viaduct-health-check" } },
      (response) => {
        const status = response.statusCode ?? 0;
        response.on("error", () => {});
        response.destroy();
        resolve(status === 200 ? null : `GET ${path} on ${host}:${port} answered ${status} instead of 200`);
      },
    );
    // Of an answer 101 there is no response, no error, and nothing to abort.
    request.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve(`GET ${path} on ${host}:${port} answered 101 instead of 200`);
    });
    request.on("error", (error) => {
      const why = signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error);
      resolve(`GET ${path} on ${host}:${port}: ${why}`);
    });
  });
}

const reasonOf = (error: NodeJS.ErrnoException) => error.code ?? error.message;
