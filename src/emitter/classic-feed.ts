/**
 * The classic feed: `router.register` and `service-discovery.register` for every route of every instance, at once
 * when something changes and again at every interval, because the bus keeps nothing and loses what nobody heard.
 *
 *   greet ──► start message: how often ──► register all, every interval
 *                 a later start message ──► after a random part of the interval: all at once, interval anew
 */
import {
  type Bus,
  type BusSubscription,
  decodeRouterStart,
  decodeServiceDiscoveryStart,
  SUBJECTS,
} from "../bus/index.ts";
import type { ActualLrp } from "../contracts/index.ts";
import type { Clock, Logger, Timer } from "../kernel/index.ts";
import type { ClassicEntry } from "./join.ts";

/** Upstream's: emitters spread over a fifth of the interval, so that a new router is not hit by all at once. */
const JITTER = 0.2;
const GREET_AGAIN_MS = 1_000;
const GREETINGS_BEFORE_WARNING = 30;
/** Intervals during which an unregister is repeated: a router that missed it would keep a TLS endpoint for ever. */
const UNREGISTER_REPEATS = 20;

export interface ClassicFeedOptions {
  readonly bus: Bus;
  /** Until a listener asks for another. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
}

/** One of the two listeners that the emitter talks to. */
interface Listener {
  readonly name: "router" | "service-discovery";
  readonly greet: string;
  readonly start: string;
  readonly decode: typeof decodeRouterStart | typeof decodeServiceDiscoveryStart;
}

const LISTENERS: readonly Listener[] = [
  { name: "router", greet: SUBJECTS.routerGreet, start: SUBJECTS.routerStart, decode: decodeRouterStart },
  {
    name: "service-discovery",
    greet: SUBJECTS.serviceDiscoveryGreet,
    start: SUBJECTS.serviceDiscoveryStart,
    decode: decodeServiceDiscoveryStart,
  },
];

export class ClassicFeed {
  readonly #options: ClassicFeedOptions;
  readonly #entries = new Map<string, { readonly lrp: string; readonly entry: ClassicEntry }>();
  /** What each LRP wanted last: its entries and its instances, also those that no route leads to. */
  readonly #byLrp = new Map<
    string,
    { readonly keys: ReadonlySet<string>; readonly instances: ReadonlySet<string> }
  >();
  readonly #unregistered = new Map<string, { readonly entry: ClassicEntry; left: number }>();
  readonly #rhythms: readonly Rhythm[];
  #stopListening: (() => void) | null = null;
  #isStarted = false;

  constructor(options: ClassicFeedOptions) {
    this.#options = options;
    this.#rhythms = LISTENERS.map(
      (listener) => new Rhythm(listener, options, () => this.#emitAll(listener.name)),
    );
  }

  start(): void {
    this.#isStarted = true;
    for (const rhythm of this.#rhythms) rhythm.start();
    // What was published while the bus was away is lost.
    this.#stopListening = this.#options.bus.onStatus((status) => {
      if (status === "connected") for (const { name } of LISTENERS) this.#emitAll(name);
    });
  }

  /** Nothing is unregistered: the instances run on. */
  stop(): void {
    this.#isStarted = false;
    this.#stopListening?.();
    for (const rhythm of this.#rhythms) rhythm.stop();
  }

  /** These are all entries of one LRP now, and all instances that may be routed to. */
  want(
    lrp: string,
    entries: readonly ClassicEntry[],
    routable: readonly Pick<ActualLrp, "instanceGuid">[],
  ): void {
    const before = this.#byLrp.get(lrp) ?? { keys: new Set(), instances: new Set() };
    const keys = new Set(entries.map((entry) => entry.key));
    for (const key of before.keys) {
      const held = this.#entries.get(key);
      if (keys.has(key) || held?.lrp !== lrp) continue;
      this.#entries.delete(key);
      this.#unregister(held.entry);
      // Upstream's listener of internal routes drops what is silent, so only routers need the repetition.
      if (key.startsWith("router "))
        this.#unregistered.set(key, { entry: held.entry, left: UNREGISTER_REPEATS });
    }
    for (const entry of entries) {
      const held = this.#entries.get(entry.key);
      this.#entries.set(entry.key, { lrp, entry });
      this.#unregistered.delete(entry.key);
      if (held?.entry.body === entry.body) continue;
      // A new route of an old instance is no late news of that instance: its time would spoil the latency metric.
      const isNewInstance = !before.instances.has(entry.instanceGuid);
      this.#publish(entry.registerSubject, isNewInstance ? entry.firstBody : entry.body);
    }
    const instances = new Set(routable.map(({ instanceGuid }) => instanceGuid));
    if (keys.size + instances.size > 0) this.#byLrp.set(lrp, { keys, instances });
    else this.#byLrp.delete(lrp);
  }

  #emitAll(name: Listener["name"]): void {
    for (const { entry } of this.#entries.values()) {
      if (entry.key.startsWith(`${name} `)) this.#publish(entry.registerSubject, entry.body);
    }
    if (name !== "router") return;
    for (const [key, gone] of this.#unregistered) {
      this.#unregister(gone.entry);
      if (--gone.left === 0) this.#unregistered.delete(key);
    }
  }

  #unregister(entry: ClassicEntry): void {
    this.#publish(entry.unregisterSubject, entry.body);
  }

  #publish(subject: string, body: string): void {
    if (!this.#isStarted) return;
    try {
      this.#options.bus.publish(subject, body);
    } catch (error) {
      // Too large for the bus: that route is not announced, the others are.
      this.#options.log.error({ err: error, subject }, "message not published");
    }
  }
}

/** When to say everything again, as one listener wants it. */
class Rhythm {
  readonly #listener: Listener;
  readonly #options: ClassicFeedOptions;
  readonly #emit: () => void;
  #intervalMs: number;
  #ticker: Timer | null = null;
  #soon: Timer | null = null;
  #greeter: Timer | null = null;
  #subscription: BusSubscription | null = null;
  #isGreeted = false;

  constructor(listener: Listener, options: ClassicFeedOptions, emit: () => void) {
    this.#listener = listener;
    this.#options = options;
    this.#emit = emit;
    this.#intervalMs = options.intervalMs;
  }

  start(): void {
    const { bus } = this.#options;
    this.#subscription = bus.subscribe(this.#listener.start, ({ data }) => this.#hear(data, "start"));
    this.#tick();
    this.#greet(1);
  }

  stop(): void {
    this.#subscription?.unsubscribe();
    for (const timer of [this.#ticker, this.#soon, this.#greeter]) timer?.clear();
  }

  #tick(): void {
    this.#ticker?.clear();
    this.#ticker = this.#options.clock.setInterval(this.#emit, this.#intervalMs);
  }

  // Asks until somebody answers; meanwhile everything is said at the configured interval anyway.
  #greet(attempt: number): void {
    const { bus, clock, log } = this.#options;
    if (attempt === GREETINGS_BEFORE_WARNING) {
      log.warn(
        { subject: this.#listener.greet, attempts: attempt },
        "nobody answers the greeting; still asking",
      );
    }
    bus.request(this.#listener.greet, "", GREET_AGAIN_MS).then(
      (data) => this.#hear(data, "greet"),
      () => {},
    );
    this.#greeter = clock.setTimeout(() => {
      if (!this.#isGreeted) this.#greet(attempt + 1);
    }, GREET_AGAIN_MS);
  }

  #hear(data: Uint8Array, from: "start" | "greet"): void {
    const { log, clock, random } = this.#options;
    const decoded = this.#listener.decode(data);
    if (!decoded.ok) {
      log.warn({ listener: this.#listener.name, problem: decoded.problem }, "start message ignored");
      return;
    }
    this.#isGreeted = true;
    const asked = decoded.message.minimumRegisterIntervalInSeconds * 1_000;
    if (asked > 0) this.#intervalMs = asked;
    this.#tick();
    // The answer to our own greeting comes when everything has just been said; a start is a new listener.
    if (from === "greet") {
      this.#emit();
      return;
    }
    this.#soon?.clear();
    this.#soon = clock.setTimeout(
      () => {
        this.#tick();
        this.#emit();
      },
      random() * JITTER * this.#intervalMs,
    );
  }
}
