import { Type } from "typebox";
import { setting } from "../kernel/index.ts";
import { defineOption, type Foreseen } from "./define.ts";

const HTTPS_PORT = 443;

/** Sends clients that come without TLS to the same place with it. */
export default defineOption({
  name: "https-redirect",
  summary: "Sends requests that come by http to https, with the same host, path and query.",
  details:
    "With the status given: `308` keeps the method and the body, `301` is what old clients know and makes a GET of a POST. The " +
    "app is not asked. What https is, is what the app is told by `X-Forwarded-Proto`: the router's own TLS, or what a load " +
    "balancer in front says, unless the router is set to replace it (`sanitize_forwarded_proto`, " +
    "`force_forwarded_proto_https`). Leads to the port that the operator says, 443 if nothing.",
  schema: Type.Union([Type.Literal(301), Type.Literal(308)]),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: 308, effect: "`http://shop.example.com/a?b=1` leads to `https://shop.example.com/a?b=1`" },
    { value: 301, effect: "the same, for clients that know no 308" },
  ],
  refusal: "Https redirect must be one of '301, 308'",
  operator: {
    httpsPort: setting.integer({
      key: "https_port",
      default: HTTPS_PORT,
      minimum: 1,
      maximum: 65_535,
      describe: "Port at which clients find https, where `https-redirect` leads.",
    }),
  },
  explain: (status) => `requests by http get ${status} to https`,
  hooks(status, { operator }) {
    const port = operator.httpsPort === HTTPS_PORT ? "" : `:${operator.httpsPort}`;
    const redirect = ({ isHttps, host, target }: Foreseen) => {
      if (isHttps) return null;
      // Host and target have passed the parser: no byte of theirs can end the line.
      const headers = { Location: `https://${host}${port}${target === "*" ? "/" : target}` };
      return { kind: "answer", status, headers, body: "" } as const;
    };
    return { admit: redirect, foresee: redirect };
  },
});
