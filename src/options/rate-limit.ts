import { createHash } from "node:crypto";
import { Type } from "typebox";
import { rateLimitExceeded } from "../kernel/errors/options.ts";
import { setting } from "../kernel/index.ts";
import { clientKey } from "./client-key.ts";
import { defineOption } from "./define.ts";
import { MAX_CLIENTS, RateBuckets } from "./rate-buckets.ts";
import { TOKEN } from "./token.ts";

const SECONDS_PER_HOUR = 3_600;
const VALUE = new RegExp(
  `^(?<count>[1-9]\\d{0,6})/(?<unit>[smh])(?:, ?burst (?<burst>[1-9]\\d{0,6}))?(?:, ?by (?<header>${TOKEN}))?$`,
);
const UNITS: Readonly<Record<string, { readonly words: string; readonly seconds: number }>> = {
  s: { words: "second", seconds: 1 },
  m: { words: "minute", seconds: 60 },
  h: { words: "hour", seconds: SECONDS_PER_HOUR },
};

/** Most requests of one client in a time. */
export default defineOption({
  name: "rate-limit",
  summary: "How many requests a client may make per second, minute or hour.",
  details:
    "A number per `s`, `m` or `h`, evenly over the time; `burst` says how many may come at once after a quiet while " +
    "(without it, all of them); `by` names a request header that tells clients apart, an API key for instance. Without it, " +
    "and for requests that do not bring it, it is the client's address (IPv6: its /64), as the PROXY protocol says where it " +
    "is on. Who makes up values has a limit for each: the app has to refuse those it does not know. Over the limit a client " +
    "gets 429 with `Retry-After`. Every answer says in `RateLimit-Policy` and `RateLimit` " +
    "(draft-ietf-httpapi-ratelimit-headers-11) what the limit is, how many requests are left and in how many seconds all are " +
    `there again. Each router, and each of its workers, counts for itself and remembers ${MAX_CLIENTS} clients of a route, ` +
    "the latest.",
  schema: Type.String({
    description: "like `10/s`, `600/m, burst 50` or `1000/h, by X-Api-Key`",
    maxLength: 160,
    pattern: VALUE.source,
  }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "600/m", effect: "an address may make 600 requests at once, then ten more each second" },
    { value: "10/s, burst 50", effect: "up to 50 at once, then ten more each second" },
    { value: "1000/h, burst 100, by X-Api-Key", effect: "each API key has a limit of its own" },
  ],
  refusal: "Rate limit must be like '10/s', '600/m, burst 50' or '1000/h, by X-Api-Key'",
  operator: {
    minRateLimitPerHour: setting.integer({
      key: "min_rate_limit_per_hour",
      default: 1,
      minimum: 1,
      describe: "Fewest requests in an hour that a route's `rate-limit` must leave a client.",
    }),
    maxRateLimit: setting.integer({
      key: "max_rate_limit",
      default: 1_000_000,
      minimum: 1,
      describe: "Most requests that a route's `rate-limit` may name, in its time and at once.",
    }),
  },
  check(value, { operator: { minRateLimitPerHour, maxRateLimit } }) {
    const { count, burst, unit } = read(value);
    const most = Math.max(count, burst);
    if (most > maxRateLimit) return `${most} is more than the ${maxRateLimit} that the operator allows`;
    const perHour = (count * SECONDS_PER_HOUR) / unit.seconds;
    return (
      perHour >= minRateLimitPerHour ||
      `${perHour} in an hour are fewer than the ${minRateLimitPerHour} that the operator leaves a client`
    );
  },
  refusesWith: [rateLimitExceeded],
  explain(value) {
    const { count, burst, unit, header } = read(value);
    const who = header === null ? "of an address" : `with the same ${header}`;
    return `requests ${who} beyond ${count} per ${unit.words}, or ${burst} at once, get 429`;
  },
  hooks(value, { keep }) {
    const { count, burst, unit, header } = read(value);
    const rule = { burst, intervalMs: (unit.seconds * 1_000) / count };
    const rate = `${count} requests per ${unit.words}`;
    const policy = `"rate-limit";q=${count};w=${unit.seconds}`;
    const name = header?.toLowerCase() ?? null;
    const buckets = keep(() => new RateBuckets());
    return {
      admit(exchange) {
        const given = name === null ? undefined : exchange.requestHeader(name);
        const client = given === undefined ? clientKey(exchange.clientAddress) : digest(given);
        const { waitMs, left, fullInMs } = buckets.take(client, exchange.clockMs(), rule);
        exchange.addResponseHeader("RateLimit-Policy", policy);
        exchange.addResponseHeader("RateLimit", `"rate-limit";r=${left};t=${wholeSeconds(fullInMs)}`);
        if (waitMs === null) return null;
        exchange.addResponseHeader("Retry-After", wholeSeconds(waitMs));
        throw rateLimitExceeded({ host: exchange.host, rate });
      },
    };
  },
});

/** Rounded up: who comes back then is let in. */
const wholeSeconds = (ms: number) => String(Math.ceil(ms / 1_000));

/** What clients send may be a secret, and long: neither stays in memory. No address looks like it. */
const digest = (text: string) => createHash("sha256").update(text).digest("base64");

/** Of a value that the schema took. */
function read(value: string) {
  const { count, unit = "", burst = count, header = null } = VALUE.exec(value)?.groups ?? {};
  return {
    count: Number(count),
    burst: Number(burst),
    unit: UNITS[unit] as { readonly words: string; readonly seconds: number },
    header,
  };
}
