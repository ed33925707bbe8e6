/** gorouter's `/varz`: one JSON object, made of the metrics of one process or the sum of several. */
import { cpus } from "node:os";
import { type Clock, newGuid } from "../kernel/index.ts";
import { percentile } from "./decaying-histogram.ts";
import type { StatusConfig } from "./gorouter-config.ts";
import { METER_MINUTES } from "./meter.ts";

const PERCENTILES = [50, 75, 90, 95, 99] as const;
const TOP_APPS = 10;
const STATUS_GROUPS = ["2xx", "3xx", "4xx", "5xx"] as const;

/** Metrics that there are for each component. */
const [REQUESTS, RATE, RESPONSES, LATENCY] = [
  "total_requests",
  "varz_requests_per_second",
  "varz_responses",
  "varz_latency_weight",
] as const;
const HTTP_FACTS: ReadonlySet<string> = new Set([REQUESTS, RATE, RESPONSES, LATENCY]);

export interface VarzPageParts {
  readonly index: number;
  readonly status: Pick<StatusConfig, "host" | "port" | "user" | "pass">;
  readonly clock: Clock;
  /** In Prometheus' text format, with those of `varz.ts`. */
  readonly metrics: () => string | Promise<string>;
}

/** @returns what `/varz` answers, made when it is asked for. */
export function createVarzPage({ index, status, clock, metrics }: VarzPageParts): () => Promise<object> {
  const startedAtMs = clock.monotonicMs();
  const identity = {
    type: "Router",
    index,
    host: `${status.host}:${status.port ?? 0}`,
    credentials: [status.user, status.pass],
    uuid: `${index}-${newGuid()}`,
    start: goTime(clock.nowMs()),
    num_cores: cpus().length,
  };
  return async () => {
    const facts = readSamples(await metrics());
    const all = httpFacts(facts);
    const ofComponents = Map.groupBy(
      facts.filter(({ name }) => HTTP_FACTS.has(name)),
      ({ labels }) => labels["component"] ?? "",
    );
    ofComponents.delete("");
    const components = [...ofComponents].map(([name, own]) => [name, httpFacts(own)]);
    return {
      ...identity,
      uptime: goUptime(clock.monotonicMs() - startedAtMs),
      mem: sum(facts, "varz_memory_kilobytes"),
      cpu: sum(facts, "varz_cpu"),
      log_counts: Object.fromEntries(byLabel(facts, "varz_log_lines", "level")),
      all,
      // And all of it once more, where older readers look.
      ...all,
      tags: { component: Object.fromEntries(components) },
      urls: sum(facts, "total_routes"),
      droplets: sum(facts, "varz_droplets"),
      bad_requests: sum(facts, "rejected_requests"),
      bad_gateways: sum(facts, "bad_gateways"),
      requests_per_sec: all.rate[0],
      top10_app_requests: topApps(facts),
      ms_since_last_registry_update: Math.round(sum(facts, "ms_since_last_registry_update", -1)),
    };
  };
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function readSamples(page: string): readonly Sample[] {
  return page.split("\n").flatMap((line) => {
    const [, name = "", labels = "", value = ""] = SAMPLE.exec(line) ?? [];
    if (name === "") return [];
    const pairs = [...labels.matchAll(LABEL)].map(([, key = "", text = ""]) => [key, unescaped(text)]);
    return [{ name, labels: Object.fromEntries(pairs) as Sample["labels"], value: Number(value) }];
  });
}

const unescaped = (text: string) => text.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));

function httpFacts(facts: readonly Sample[]) {
  const rates = byLabel(facts, RATE, "minutes");
  const responses = byLabel(facts, RESPONSES, "status_group");
  const weights = byLabel(facts, LATENCY, "bucket");
  const buckets = new Map([...weights].map(([bucket, weight]) => [Number(bucket), weight]));
  return {
    requests: sum(facts, REQUESTS),
    rate: METER_MINUTES.map((minutes) => rates.get(String(minutes)) ?? 0),
    ...Object.fromEntries(STATUS_GROUPS.map((group) => [`responses_${group}`, responses.get(group) ?? 0])),
    responses_xxx: (responses.get("xxx") ?? 0) + (responses.get("1xx") ?? 0),
    latency: {
      ...Object.fromEntries(PERCENTILES.map((p) => [p, percentile(buckets, p / 100) / 1_000])),
      // Without meaning, and looked for by the collectors of old.
      value: 5e-7,
      samples: 1,
    },
  };
}

function topApps(facts: readonly Sample[]): readonly object[] {
  return [...byLabel(facts, "varz_app_requests", "app")]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, TOP_APPS)
    .map(([app, requests]) => ({ application_id: app, rps: Math.floor(requests / 60), rpm: requests }));
}

function sum(facts: readonly Sample[], name: string, missing = 0): number {
  const found = facts.filter((fact) => fact.name === name);
  return found.length === 0 ? missing : found.reduce((total, { value }) => total + value, 0);
}

/** Added up over all other labels. */
function byLabel(facts: readonly Sample[], name: string, label: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const fact of facts) {
    if (fact.name !== name) continue;
    const key = fact.labels[label] ?? "";
    sums.set(key, (sums.get(key) ?? 0) + fact.value);
  }
  return sums;
}

/** `2016-01-07 19:04:40 +0000` */
const goTime = (ms: number) => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} +0000`;

/** `0d:3h:22m:31s` */
function goUptime(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600)];
  return `${Math.floor(hours / 24)}d:${hours % 24}h:${minutes % 60}m:${seconds % 60}s`;
}
