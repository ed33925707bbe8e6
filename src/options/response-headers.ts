import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";
import {
  checkHeaderRules,
  compileHeaderRules,
  headerRulesInWords,
  headerRulesOf,
  PROTECTED_RESPONSE_HEADERS,
} from "./header-rules.ts";

/** Headers of answers set, appended or removed. */
export default defineOption({
  name: "response-headers",
  summary: "Sets, appends or removes headers of the app's answers before the client sees them.",
  details:
    "Rules as in `request-headers`. Interim answers (1xx) and what the router answers itself, errors for instance, are left " +
    `alone. Cannot be touched: ${PROTECTED_RESPONSE_HEADERS.map((name) => `\`${name}\``).join(", ")}. The operator's own ` +
    "rules for answers act after these.",
  ...headerRulesOf("Response headers"),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "remove Server; remove X-Powered-By", effect: "clients do not learn what the app is made of" },
    {
      value: "set Content-Security-Policy: \"default-src 'self'; img-src *\"",
      effect: "the same policy on every page",
    },
  ],
  operator: {
    protectedResponseHeaders: setting.list({
      key: "protected_response_headers",
      default: [],
      describe: "Further headers that `response-headers` may not touch; `x-company-*` is all that begin so.",
    }),
  },
  check: (text, { operator }) =>
    checkHeaderRules(text, [
      ...PROTECTED_RESPONSE_HEADERS,
      ...operator.protectedResponseHeaders.map((name) => name.toLowerCase()),
    ]),
  explain: (text) => headerRulesInWords(text),
  hooks: (text) => ({ responseHeaders: compileHeaderRules(text) }),
});
