import { usageInvalid } from "../../kernel/errors/cli.ts";
import type { Answer } from "../answer.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { type Output, printable } from "../output.ts";
import { askRouter } from "../router-status.ts";

const REQUEST_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export default defineCommand({
  usage: "explain URL|REQUEST_ID",
  details:
    "With a URL: the route that would match and why no other, the options in force and who set them, the endpoints,\n" +
    "and what a request would get now. With the X-Vcap-Request-Id of an answer: what happened to that request.\n" +
    "With neither: the last requests.",
  examples: [
    { command: "viaduct explain shop.localhost/cart", effect: "what a GET of it would get, and why" },
    {
      command: "viaduct explain 645e4784-879d-4068-761d-a9942fdc40c0",
      effect: "every attempt of that request, with its times and errors",
    },
    { command: "viaduct explain --status 5xx --last 5", effect: "the last five requests that failed" },
  ],
  parameters: ["URL|REQUEST_ID?"],
  options: {
    method: { type: "string", value: "METHOD", describe: "Method of the request to explain (default: GET)." },
    status: { type: "string", value: "STATUS", describe: "Of the last requests those with 502, or 5xx." },
    last: { type: "string", value: "N", describe: "How many of the last requests (default: 20)." },
    router: {
      type: "string",
      value: "URL",
      describe:
        "Ask this router's status listener, http://USER:PASSWORD@127.0.0.1:8082 (default: VIADUCT_ROUTER, «viaduct up»).",
    },
    ...jsonFlag,
  },
  async run({ flags, args: [subject], out, host }) {
    const ask = (path: string, query: Readonly<Record<string, string>> = {}) =>
      askRouter(host, flags.router, path, query);
    if (subject !== undefined && (flags.last !== undefined || flags.status !== undefined)) {
      throw usageInvalid({
        problem: "--last and --status choose from the last requests",
        remedy: `leave them out, or «${subject}»`,
      });
    }
    const isVerdict = subject !== undefined && REQUEST_ID.test(subject);
    const answer =
      subject === undefined
        ? await ask("/verdicts", lastOnes(flags))
        : isVerdict
          ? await ask(`/verdicts/${subject.toLowerCase()}`)
          : await ask("/explain", { url: subject, method: flags.method ?? "GET" });
    if (flags.json === true) out.json(answer.value);
    else if (subject === undefined) printLast(out, answer.list("verdicts"));
    else if (isVerdict) for (const sentence of answer.list("why")) out.line(printable(sentence.text()));
    else printExplanation(out, answer);
    return 0;
  },
});

function lastOnes({ last, status }: { readonly last?: string; readonly status?: string }) {
  return { ...(last === undefined ? {} : { last }), ...(status === undefined ? {} : { status }) };
}

function printLast(out: Output, verdicts: readonly Answer[]): void {
  if (verdicts.length === 0) {
    out.note("no such request is remembered");
    return;
  }
  out.table(
    ["request", "time", "status", "ms", "attempts", "route", "endpoint", "error"],
    verdicts.map((verdict) => [
      verdict.text("requestId"),
      new Date(verdict.number("endedAtMs")).toISOString(),
      String(verdict.number("status")),
      verdict.number("durationMs").toFixed(1),
      String(verdict.number("attempts")),
      verdict.text("route"),
      verdict.text("endpoint"),
      verdict.text("errorCode"),
    ]),
  );
}

function printExplanation(out: Output, answer: Answer): void {
  const fact = (key: string, value: string) =>
    out.line(`${out.paint("strong", `${key}:`.padEnd(10))} ${printable(value)}`);
  const facts = (key: string, values: readonly string[]) => {
    for (const [index, value] of values.entries()) {
      if (index === 0) fact(key, value);
      else out.line(`${" ".repeat(11)}${printable(value)}`);
    }
  };

  fact("request", `${answer.text("method")} ${answer.text("host")}${answer.text("path")}`);
  if (answer.has("route")) {
    const guid = answer.find("route", "reservation");
    const heldBy = typeof guid === "string" ? `reserved as ${guid}` : "kept by registrations";
    fact("route", `${answer.text("route", "key")} (${heldBy})`);
  } else fact("route", "none matches");
  facts(
    "options",
    answer.list("options").map((option) => {
      const meaning = option.has("meaning") ? option.text("meaning") : "";
      const pair = `${option.text("name")}=${String(option.find("value"))} (${option.text("from")})`;
      return meaning === "" ? pair : `${pair}: ${meaning}`;
    }),
  );
  facts(
    "ignored",
    answer.list("ignoredOptions").map((problem) => problem.text("text")),
  );
  facts(
    "not",
    answer.list("others").map((other) => `${other.text("route")}: ${other.text("why")}`),
  );
  const status = answer.find("now", "status");
  const routerError = answer.text("now", "routerError");
  const refused =
    typeof status === "number"
      ? `${status}${routerError === "" ? "" : `, X-Cf-RouterError: ${routerError}`}: `
      : "";
  fact("now", refused + answer.text("now", "text"));

  const endpoints = answer.list("endpoints");
  if (endpoints.length === 0) return;
  out.line("");
  out.table(
    ["endpoint", "state", "in flight", "idle", "zone", "protocol", "instance"],
    endpoints.map((endpoint) => [
      endpoint.text("address"),
      endpoint.number("markedForMs") === 0
        ? endpoint.text("state")
        : `${endpoint.text("state")}, ${Math.ceil(endpoint.number("markedForMs") / 1_000)} s left`,
      String(endpoint.number("inFlight")),
      String(endpoint.number("idleConnections")),
      endpoint.text("zone"),
      endpoint.text("protocol") + (endpoint.find("tls") === true ? " over TLS" : ""),
      endpoint.text("instanceIndex") || endpoint.text("instanceId"),
    ]),
  );
}
