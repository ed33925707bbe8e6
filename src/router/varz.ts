/**
 * What `/varz` says beyond the metrics: rates, recent latency, the busiest apps, the process itself. Counted only while
 * the deprecated listener is on, and shown as metrics of its own (`varz_…`), so that those of several processes are
 * added up like all others. `varz-page.ts` makes the page of them.
 */
import type { Clock, Part, Timer } from "../kernel/index.ts";
import { endpointAddress, type Table } from "../table/index.ts";
import { AppRequests } from "./app-requests.ts";
import { countResponse, noResponses, type StatusCounts } from "./counters.ts";
import { DecayingHistogram } from "./decaying-histogram.ts";
import type { EndedExchange, ExchangeObserver } from "./ended-exchange.ts";
import { MAX_COMPONENTS, oneOfMany } from "./exchange-metrics.ts";
import type { LogCounts } from "./gorouter-log.ts";
import { Meter, METER_MINUTES, METER_TICK_MS } from "./meter.ts";
import { type AddFamily, label, statusGroups } from "./metrics-text.ts";

/** Of each process; the ten of all are among them, unless thousands are about as busy. */
const MAX_APPS_SHOWN = 1_000;
/** Routes looked at in one turn of the event loop. */
const ROUTES_PER_TURN = 1_000;

export interface Varz extends Part {
  readonly observe: ExchangeObserver;
  /** Counts what takes a while to count, so that `addTo` need not. */
  refresh(): Promise<void>;
  addTo(add: AddFamily): void;
}

interface ComponentFacts {
  readonly meter: Meter;
  readonly responses: StatusCounts;
  readonly latency: DecayingHistogram;
}

export function createVarz(given: {
  readonly table: Pick<Table, "snapshot">;
  readonly clock: Clock;
  readonly logCounts: LogCounts;
}): Varz {
  const { table, clock, logCounts } = given;
  const components = new Map<string, ComponentFacts>();
  const apps = new AppRequests();
  let droplets = 0;
  let cpu = 0;
  let cpuBefore = process.cpuUsage();
  let timer: Timer | null = null;

  const observe = ({
    candidate,
    status,
    startedAtMs,
    answeredAtMs,
    endedAtMs,
    isTunnel,
  }: EndedExchange): void => {
    if (candidate === null) return;
    const { tags, appGuid } = candidate.endpoint;
    const component = oneOfMany(components, tags["component"] ?? "", MAX_COMPONENTS, () => ({
      meter: new Meter(),
      responses: noResponses(),
      latency: new DecayingHistogram(),
    }));
    component.meter.mark();
    countResponse(component.responses, status === 499 ? 0 : status);
    // How long a tunnel lasts says nothing about anybody's speed.
    if (answeredAtMs !== -1 && !isTunnel) component.latency.observe(endedAtMs - startedAtMs);
    if (appGuid !== "") apps.count(appGuid, endedAtMs);
  };

  const tick = () => {
    for (const { meter, latency } of components.values()) {
      meter.tick();
      latency.tick();
    }
    const { user, system } = process.cpuUsage(cpuBefore);
    cpuBefore = process.cpuUsage();
    cpu = (user + system) / 1_000 / METER_TICK_MS;
  };

  return {
    name: "varz",
    observe,
    async start() {
      timer = clock.setInterval(tick, METER_TICK_MS);
    },
    async stop() {
      timer?.clear();
    },

    async refresh() {
      const addresses = new Set<string>();
      let looked = 0;
      for (const { endpoints } of table.snapshot().routes()) {
        for (const endpoint of endpoints) addresses.add(endpointAddress(endpoint));
        if (++looked % ROUTES_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      droplets = addresses.size;
    },

    addTo(add) {
      const facts = [...components].map(([name, of]) => ({ labels: `component="${label(name)}"`, ...of }));
      add(
        "gauge",
        "varz_requests_per_second",
        "Requests for which an endpoint was asked, average over some minutes.",
        facts.flatMap(({ labels, meter }) =>
          METER_MINUTES.map(
            (minutes, i) =>
              `varz_requests_per_second{${labels},minutes="${minutes}"} ${meter.rates[i] as number}`,
          ),
        ),
      );
      add(
        "counter",
        "varz_responses",
        "Responses of endpoints; xxx had none.",
        facts.flatMap(({ labels, responses }) => statusGroups("varz_responses", responses, labels)),
      );
      add(
        "gauge",
        "varz_latency_weight",
        "Recent requests by how long they took, each bucket 2 % longer than the one before.",
        facts.flatMap(({ labels, latency }) =>
          [...latency.weights].map(
            ([bucket, weight]) => `varz_latency_weight{${labels},bucket="${bucket}"} ${weight}`,
          ),
        ),
      );
      add(
        "gauge",
        "varz_app_requests",
        "Requests in the last minute, of the busiest apps.",
        apps
          .top(MAX_APPS_SHOWN, clock.monotonicMs())
          .map(([app, requests]) => `varz_app_requests{app="${label(app)}"} ${requests}`),
      );
      add("gauge", "varz_droplets", "Endpoints in the table.", [`varz_droplets ${droplets}`]);
      const memory = Math.round(process.memoryUsage.rss() / 1_024);
      add("gauge", "varz_memory_kilobytes", "Memory of the process.", [`varz_memory_kilobytes ${memory}`]);
      add("gauge", "varz_cpu", "Processors in use, average over five seconds.", [`varz_cpu ${cpu}`]);
      add(
        "counter",
        "varz_log_lines",
        "Lines of the log, by level.",
        Object.entries(logCounts).map(([level, lines]) => `varz_log_lines{level="${level}"} ${lines}`),
      );
    },
  };
}
