import { createHash, timingSafeEqual } from "node:crypto";
import { Type } from "typebox";
import { routeInMaintenance } from "../kernel/errors/options.ts";
import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";
import { checkDuration, DURATION, durationMs } from "./duration.ts";
import { checkHeaderRules, compileHeaderRules, PROTECTED_REQUEST_HEADERS } from "./header-rules.ts";
import { TOKEN } from "./token.ts";

const VALUE = new RegExp(
  `^(?<back>${DURATION})(?:, ?bypass (?<name>${TOKEN}): ?(?<secret>[\\x21-\\x7e]{1,128}))?$`,
);

/** The route is closed for a while; those who know the password are let in. */
export default defineOption({
  name: "maintenance",
  summary: "Closes the route for a while: clients get 503 and are told when to come back.",
  details:
    "The value is how long it may take, for `Retry-After`. The page is the router's page for errors " +
    "(`html_error_template_file`). The app is not asked, and need not run. `bypass NAME: VALUE` names a request header with " +
    "which one is let in all the same, to look whether all is well; the app does not see it, whoever may see the route's options " +
    "does. Health checks of load balancers are the router's and go on, those of instances do not come this way. Taken off, the " +
    "route is open at once.",
  schema: Type.String({
    description: "a time with a unit, like `30m`; or `2h, bypass X-Preview: PASSWORD`",
    maxLength: 300,
    pattern: VALUE.source,
  }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "30m", effect: "every request gets 503 with `Retry-After: 1800`" },
    { value: "2h, bypass X-Preview: fig-42", effect: "requests with `X-Preview: fig-42` reach the app" },
  ],
  refusal: "Maintenance must be a time with a unit like '30m', or like '2h, bypass X-Preview: PASSWORD'",
  operator: {
    maxMaintenanceRetryAfterMs: setting.duration({
      key: "max_maintenance_retry_after",
      default: "168h",
      describe: "Longest time that a route's `maintenance` may tell clients to stay away for.",
    }),
  },
  check(value, { operator }) {
    const { back, name } = read(value);
    // It is kept from the app, as if a rule removed it; what the router needs cannot be.
    const bypass = name === null || checkHeaderRules(`remove ${name}`, PROTECTED_REQUEST_HEADERS);
    return bypass === true ? checkDuration(back, operator.maxMaintenanceRetryAfterMs) : bypass;
  },
  refusesWith: [routeInMaintenance],
  explain(value) {
    const { back, name } = read(value);
    return `clients get 503 and come back in ${back}${name === null ? "" : `, unless they know what to say in ${name}`}`;
  },
  hooks(value) {
    const { back, name, secret } = read(value);
    const retryAfter = String(Math.ceil(durationMs(back) / 1_000));
    const header = name?.toLowerCase() ?? "";
    const expected = digest(secret);
    return {
      foresee: ({ host }) => routeInMaintenance({ host }),
      admit(exchange) {
        const given = name === null ? undefined : exchange.requestHeader(header);
        // Digests are of one length, and say nothing of how far a guess is right.
        if (given !== undefined && timingSafeEqual(digest(given), expected)) return null;
        exchange.addResponseHeader("Retry-After", retryAfter);
        throw routeInMaintenance({ host: exchange.host });
      },
      ...(name === null ? {} : { requestHeaders: compileHeaderRules(`remove ${name}`) }),
    };
  },
});

const digest = (text: string) => createHash("sha256").update(text).digest();

/** Of a value that the schema took. */
function read(value: string) {
  const { back = "", name = null, secret = "" } = VALUE.exec(value)?.groups ?? {};
  return { back, name, secret };
}
