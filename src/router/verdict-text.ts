/** A verdict in sentences, in the order in which things happened. */
import type { AttemptVerdict, VerdictDetails } from "./verdict.ts";
import type { VerdictEntry } from "./verdict-ring.ts";

/** Each a sentence without full stop. */
export function explainVerdict(verdict: VerdictEntry): readonly string[] {
  const { details, route, endpoint, status, durationMs } = verdict;
  const matched = route === "" ? "no route was looked up or matched" : `route ${route} matched`;
  if (details === null) {
    return [matched, `${endpoint || "the router itself"} answered ${status} after ${ms(durationMs)}`];
  }
  return [
    request(details),
    matched + (route === "" ? "" : ` (${details.balancer}, ${endpoints(details)})`),
    ...details.attempts.map(attempt),
    ...closed(details),
    end(verdict, details),
  ];
}

function request({ method, host, path, clientAddress, isHttp2 }: VerdictDetails): string {
  if (method === "") return `client ${clientAddress} sent what is no request`;
  return `client ${clientAddress} asked for ${method} ${host}${path}${isHttp2 ? " over HTTP/2" : ""}`;
}

const endpoints = ({ candidates }: VerdictDetails) =>
  candidates === 1 ? "1 endpoint" : `${candidates} endpoints`;

function attempt(given: AttemptVerdict, index: number): string {
  const steps = [
    given.isHttp2 ? "over HTTP/2" : "",
    given.connectionWasReused ? "idle connection reused" : "",
    given.dnsMs === null ? "" : `name found in ${ms(given.dnsMs)}`,
    given.dialMs === null ? "" : `connected in ${ms(given.dialMs)}`,
    given.tlsMs === null ? "" : `TLS in ${ms(given.tlsMs)}`,
    given.sentAfterMs === null ? "nothing sent" : `request sent at ${ms(given.sentAfterMs)}`,
    given.errorCode === ""
      ? `answered by ${ms(given.endedAfterMs)}`
      : `failed at ${ms(given.endedAfterMs)} with ${given.errorCode}: ${given.error}`,
  ];
  return `attempt ${index + 1} at ${given.endpoint}: ${steps.filter((step) => step !== "").join(", ")}`;
}

function closed({ closedFirst }: VerdictDetails): readonly string[] {
  return closedFirst === "nobody" ? [] : [`the ${closedFirst} closed its connection first`];
}

function end(verdict: VerdictEntry, { routerError, error, attempts }: VerdictDetails): string {
  const { status, durationMs, errorCode } = verdict;
  if (status === 0) return `cut after ${ms(durationMs)} without an answer: ${error}`;
  const last = attempts.at(-1);
  const byEndpoint = routerError === "" && last !== undefined && last.sentAfterMs !== null;
  if (status === 499) return `ended after ${ms(durationMs)}: ${error}`;
  if (byEndpoint) {
    const broken = errorCode === "" ? "" : `, broken off: ${error}`;
    return `client got the answer of ${last.endpoint}: ${status} after ${ms(durationMs)}${broken}`;
  }
  const why = routerError === "" ? error : `${error} (X-Cf-RouterError: ${routerError})`;
  return `client got ${status} from the router after ${ms(durationMs)}: ${why}`;
}

const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
