import { Type } from "typebox";
import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";

const VALUE = /^(?<days>\d{1,4})d(?<subdomains>, ?subdomains)?(?<preload>, ?preload)?$/;
const SECONDS_PER_DAY = 86_400;
/** What browsers ask of hosts on their built-in lists. */
const MIN_PRELOAD_DAYS = 365;
const HEADER = "Strict-Transport-Security";

/** Tells browsers to come by https only. */
export default defineOption({
  name: "hsts",
  summary: "Tells browsers to come to this host by https only, for so many days.",
  details:
    `Adds \`${HEADER}\` (RFC 6797) to every answer by https, the router's own included, in place of the app's own; answers by ` +
    "http have none. `subdomains` is for all hosts below this one too, `preload` for the lists that browsers are shipped with. " +
    "A browser that has seen it cannot be told otherwise by http: begin with few days. `0d` takes it back. What https is, is " +
    "said under `https-redirect`.",
  schema: Type.String({
    description: "days, like `30d`; `365d, subdomains`; `730d, subdomains, preload`",
    maxLength: 40,
    pattern: VALUE.source,
  }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "30d", effect: "a browser that was here once comes by https for a month" },
    { value: "365d, subdomains", effect: "and to `*.shop.example.com` as well" },
  ],
  refusal: "Hsts must be days like '30d', '365d, subdomains' or '730d, subdomains, preload'",
  operator: {
    maxHstsDays: setting.integer({
      key: "max_hsts_days",
      default: 730,
      maximum: 9_999,
      describe: "Most days that a route's `hsts` may bind browsers for.",
    }),
  },
  check(value, { operator }) {
    const { days, subdomains, preload } = read(value);
    if (days > operator.maxHstsDays)
      return `${days}d is more than the ${operator.maxHstsDays}d that the operator allows`;
    const mayPreload = subdomains && days >= MIN_PRELOAD_DAYS;
    return !preload || mayPreload || `preload needs subdomains and ${MIN_PRELOAD_DAYS}d at least`;
  },
  explain(value) {
    const { days } = read(value);
    return days === 0 ? "browsers may come by http again" : `browsers come by https only, for ${days} days`;
  },
  hooks(value) {
    const { days, subdomains, preload } = read(value);
    const header =
      `max-age=${days * SECONDS_PER_DAY}` +
      (subdomains ? "; includeSubDomains" : "") +
      (preload ? "; preload" : "");
    return {
      admit(exchange) {
        if (exchange.isHttps) exchange.addResponseHeader(HEADER, header);
        return null;
      },
      // Of two such lines browsers take the first, which would be the app's.
      responseHeaders: { hides: new Set([HEADER.toLowerCase()]), lines: "" },
    };
  },
});

/** Of a value that the schema took. */
function read(value: string) {
  const { days, subdomains, preload } = VALUE.exec(value)?.groups ?? {};
  return { days: Number(days), subdomains: subdomains !== undefined, preload: preload !== undefined };
}
