/**
 * Requests over TLS, each on a connection of its own that resumes the session of the one before: `node
 * resumed-tls-load.ts PORT CONNECTIONS SECONDS PATH`. Prints a `LoadResult` in JSON. A connection that was not resumed counts
 * as a failure, but for the first of each client, which has nothing to resume.
 */
import { connect } from "node:tls";
import { printResult } from "./print-result.ts";

const [port = "", connections = "", seconds = "", path = ""] = process.argv.slice(2);
const REQUEST = `GET /${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
/** The newest version and the one key exchange that all of them know: what each would choose is not the same work. */
const SAME_FOR_ALL = { minVersion: "TLSv1.3", ecdhCurve: "X25519", rejectUnauthorized: false } as const;

const timesMs: number[] = [];
let failures = 0;
const startedAt = performance.now();
const endsAt = startedAt + Number(seconds) * 1_000;
await Promise.all(Array.from({ length: Number(connections) }, requestOverAndOver));
printResult(timesMs, failures, (performance.now() - startedAt) / 1_000);

async function requestOverAndOver(): Promise<void> {
  let session: Buffer | undefined;
  while (performance.now() < endsAt) {
    const sentAt = performance.now();
    const before: Buffer | undefined = session;
    const socket = connect({ ...SAME_FOR_ALL, port: Number(port), host: "127.0.0.1", session });
    let answer = "";
    let isResumed = false;
    socket.on("secureConnect", () => {
      isResumed = socket.isSessionReused();
    });
    socket.setEncoding("latin1");
    socket.on("session", (given) => {
      session = given;
    });
    socket.on("data", (text) => {
      answer += text;
    });
    // The end that follows is what counts.
    socket.on("error", () => {});
    socket.write(REQUEST);
    await new Promise((resolve) => socket.on("close", resolve));
    if (answer.startsWith("HTTP/1.1 200 ") && (before === undefined || isResumed))
      timesMs.push(performance.now() - sentAt);
    else failures++;
  }
}
