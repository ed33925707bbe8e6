import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";
import {
  checkHeaderRules,
  compileHeaderRules,
  headerRulesInWords,
  headerRulesOf,
  PROTECTED_REQUEST_HEADERS,
} from "./header-rules.ts";

/** Headers that the app gets set, appended or removed. */
export default defineOption({
  name: "request-headers",
  summary: "Sets, appends or removes headers of requests before the app sees them.",
  details:
    "Rules with `;` between: `set NAME: VALUE` replaces what the client sent, `append NAME: VALUE` adds a line, `remove NAME` " +
    'takes all lines away. A value with `;` stands in double quotes, with `\\"` for a quote. What frames a message, what ' +
    "belongs to one hop, and what the router itself says cannot be touched: " +
    `${PROTECTED_REQUEST_HEADERS.map((name) => `\`${name}\``).join(", ")}. A route service is sent the request as it came.`,
  ...headerRulesOf("Request headers"),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    {
      value: "set X-Tenant: acme; remove X-Debug",
      effect: "the app can trust both, whatever the client sent",
    },
    { value: 'append Accept-CH: "DPR; Width"', effect: "one more line, with a value that has a semicolon" },
  ],
  operator: {
    protectedRequestHeaders: setting.list({
      key: "protected_request_headers",
      default: [],
      describe: "Further headers that `request-headers` may not touch; `x-company-*` is all that begin so.",
    }),
  },
  check: (text, { operator }) =>
    checkHeaderRules(text, [
      ...PROTECTED_REQUEST_HEADERS,
      ...operator.protectedRequestHeaders.map((name) => name.toLowerCase()),
    ]),
  explain: (text) => headerRulesInWords(text),
  hooks: (text) => ({ requestHeaders: compileHeaderRules(text) }),
});
