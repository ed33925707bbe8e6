import { Type } from "typebox";
import { concurrencyLimitReached, queueWaitTooLong } from "../kernel/errors/options.ts";
import { setting } from "../kernel/index.ts";
import { clientKey } from "./client-key.ts";
import { defineOption } from "./define.ts";
import { checkDuration, DURATION, durationMs } from "./duration.ts";
import { Gate } from "./gate.ts";

const MAX_LIMIT = 1_000_000;
const DEFAULT_WAIT = "5s";
const VALUE = new RegExp(
  `^(?<limit>[1-9]\\d{0,6})(?:, ?queue (?<queue>[1-9]\\d{0,5})(?:, ?wait (?<wait>${DURATION}))?)?$`,
);
/** Name of the deadline of who waits. */
const WAIT = "concurrency-limit";

/** Most requests in flight on the whole route, and how many may wait for their turn. */
export default defineOption({
  name: "concurrency-limit",
  summary: "How many requests each router has in flight on the route at most, and how many wait.",
  details:
    "A number, and if requests are to wait for their turn `queue` with how many, and `wait` with how long " +
    `(\`${DEFAULT_WAIT}\` unless said). Counts requests over all instances until their answer has been sent, WebSockets as ` +
    "long as they are open. Clients have their turns one after the other, by address (IPv6: by /64), so that one with many " +
    "requests waits behind its own; when the queue is full, the longest line gives a place to a client with fewer. Who finds " +
    "no place, or waits too long, gets 503. Counted by each router, and each of its workers, for itself. " +
    "`connection-limit` is the limit of one instance.",
  schema: Type.Union(
    [Type.Integer({ minimum: 1, maximum: MAX_LIMIT }), Type.String({ maxLength: 64, pattern: VALUE.source })],
    { description: "a number, or like `100, queue 50, wait 5s`" },
  ),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "100", effect: "the 101st request at the same time gets 503" },
    { value: "100, queue 50, wait 2s", effect: "it waits up to two seconds, unless 50 others do" },
  ],
  refusal: `Concurrency limit must be a whole number between 1 and ${MAX_LIMIT}, or like '100, queue 50, wait 5s'`,
  stored: String,
  operator: {
    maxQueueLength: setting.integer({
      key: "max_queue_length",
      default: 1_000,
      minimum: 0,
      describe: "Longest queue that a route's `concurrency-limit` may have.",
    }),
    maxQueueWaitMs: setting.duration({
      key: "max_queue_wait",
      default: "1m",
      describe: "Longest wait in the queue of a route's `concurrency-limit`.",
    }),
  },
  check(value, { operator }) {
    const { limit, queue, wait } = read(value);
    if (limit > MAX_LIMIT) return `${limit} is more than ${MAX_LIMIT}`;
    if (queue === 0) return true;
    if (queue > operator.maxQueueLength)
      return `queue ${queue} is longer than the ${operator.maxQueueLength} that the operator allows`;
    const verdict = checkDuration(wait, operator.maxQueueWaitMs);
    return verdict === true || `wait ${verdict}`;
  },
  refusesWith: [concurrencyLimitReached, queueWaitTooLong],
  explain(value) {
    const { limit, queue, wait } = read(value);
    const more = queue === 0 ? "more get 503" : `${queue} more wait up to ${wait}, the rest get 503`;
    return `${limit} requests at a time here; ${more}`;
  },
  hooks(value, { keep }) {
    const { limit, queue, wait } = read(value);
    const limits = { inside: limit, waiting: queue };
    const waitMs = durationMs(wait);
    const gate = keep(() => new Gate(limits));
    gate.limits = limits;
    return {
      foresee: ({ host }) => (gate.isFull ? concurrencyLimitReached({ host }) : null),
      admit(exchange) {
        const { host } = exchange;
        const place = gate.ask(clientKey(exchange.clientAddress));
        if (place === null) throw concurrencyLimitReached({ host });
        exchange.atEnd(() => gate.giveBack(place));
        if (place.state === "inside") return null;
        return {
          kind: "hold",
          begin(goOn) {
            place.onCalled = () => {
              exchange.clearDeadline(WAIT);
              goOn();
            };
            place.onDisplaced = () => goOn(concurrencyLimitReached({ host }));
            exchange.startDeadline(WAIT, waitMs, () => queueWaitTooLong({ host, afterMs: waitMs }));
          },
        };
      },
    };
  },
});

/** Of a value that the schema took. */
function read(value: number | string): {
  readonly limit: number;
  readonly queue: number;
  readonly wait: string;
} {
  const { limit, queue = 0, wait = DEFAULT_WAIT } = VALUE.exec(String(value))?.groups ?? {};
  return { limit: Number(limit), queue: Number(queue), wait };
}
