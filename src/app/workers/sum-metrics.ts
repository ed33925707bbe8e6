/**
 * Metrics of several workers as those of one router, in Prometheus' text format.
 *
 *   counters and histograms are added up, those of workers that have ended too: a counter that falls reads as a restart
 *   gauges are added up over the workers that are there
 *   what every worker knows of the same table and the same messages is said once
 */

/** Every worker hears every message and keeps the whole table. */
const SAME_IN_ALL: ReadonlySet<string> = new Set([
  "total_routes",
  "registry_message",
  "unregistry_message",
  "routes_pruned",
  "route_registration_latency",
  "ms_since_last_registry_update",
  "token_fetch_errors",
  "subscribe_events_errors",
]);

interface Family {
  readonly type: string;
  /** Its `# HELP` and `# TYPE` lines. */
  readonly comments: readonly string[];
  /** By name and labels, as written. */
  readonly samples: Map<string, number>;
}

type Page = Map<string, Family>;

/**
 * @param live  Pages of the workers that are there.
 * @param ended  Sum of those that have ended, as {@link sumEnded} made it.
 */
export function sumMetrics(live: readonly string[], ended: string): string {
  const pages = live.map(parsePage);
  const sum: Page = new Map();
  for (const page of pages) addPage(sum, page, "live");
  addPage(sum, parsePage(ended), "ended");
  return writePage(sum);
}

/** What is left of two pages when their workers have ended. */
export function sumEnded(before: string, page: string): string {
  const sum: Page = new Map();
  for (const one of [before, page]) addPage(sum, parsePage(one), "ended");
  return writePage(sum);
}

function addPage(sum: Page, page: Page, from: "live" | "ended"): void {
  for (const [name, { type, comments, samples }] of page) {
    // Nothing is open any more at a worker that has ended.
    if (from === "ended" && type === "gauge") continue;
    let family = sum.get(name);
    if (family === undefined) {
      family = { type, comments, samples: new Map() };
      sum.set(name, family);
    }
    for (const [sample, value] of samples) {
      const before = family.samples.get(sample);
      const combined =
        before === undefined ? value : SAME_IN_ALL.has(name) ? Math.max(before, value) : before + value;
      family.samples.set(sample, combined);
    }
  }
}

function parsePage(text: string): Page {
  const page: Page = new Map();
  let help = "";
  let family: Family | null = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) help = line;
    else if (line.startsWith("# TYPE ")) {
      const [, , name = "", type = ""] = line.split(" ");
      family = { type, comments: [help, line], samples: new Map() };
      page.set(name, family);
    } else if (line !== "") {
      // Labels may hold blanks; the value is behind the last one.
      const end = line.lastIndexOf(" ");
      family?.samples.set(line.slice(0, end), Number(line.slice(end + 1)));
    }
  }
  return page;
}

function writePage(page: Page): string {
  let text = "";
  for (const { comments, samples } of page.values()) {
    text += `${comments.join("\n")}\n`;
    for (const [sample, value] of samples) text += `${sample} ${value}\n`;
  }
  return text;
}
