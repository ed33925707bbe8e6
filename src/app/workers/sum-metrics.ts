/**
 * Metrics of several workers as those of one router, in Prometheus' text format.
 *
 *   counters and histograms are added up, those of workers that have ended too: a counter that falls reads as a restart
 *   gauges are added up over the workers that are there
 *   what every worker knows of the same table and the same messages is said once: by the slot that has seen the most
 */

/** Every worker hears every message and keeps the whole table. */
const SAME_IN_ALL: ReadonlySet<string> = new Set([
  "total_routes",
  "registry_message",
  "unregistry_message",
  "routes_pruned",
  "route_registration_latency",
  "ms_since_last_registry_update",
  "varz_droplets",
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
 * @param slots  Of each the pages of its workers that are there, and the sum of those before them, as {@link sumEnded}
 * made it.
 */
export function sumMetrics(slots: readonly (readonly string[])[]): string {
  const sum: Page = new Map();
  for (const pages of slots) {
    const slot: Page = new Map();
    for (const page of pages) addPage(slot, parsePage(page), isTableGauge);
    addPage(sum, slot, (name) => SAME_IN_ALL.has(name));
  }
  return writePage(sum);
}

/** What is left of two pages when their workers have ended: nothing is open there any more. */
export function sumEnded(before: string, page: string): string {
  const sum: Page = new Map();
  for (const one of [before, page]) addPage(sum, parsePage(one), isTableGauge);
  for (const [name, { type }] of sum) if (type === "gauge") sum.delete(name);
  return writePage(sum);
}

const isTableGauge = (name: string, { type }: Family) => type === "gauge" && SAME_IN_ALL.has(name);

/** @param isSame  Both say the same thing, and the greater number is it. */
function addPage(sum: Page, page: Page, isSame: (name: string, family: Family) => boolean): void {
  for (const [name, added] of page) {
    const { type, comments, samples } = added;
    let family = sum.get(name);
    if (family === undefined) {
      family = { type, comments, samples: new Map() };
      sum.set(name, family);
    }
    for (const [sample, value] of samples) {
      const before = family.samples.get(sample);
      const both = (one: number) => (isSame(name, added) ? Math.max(one, value) : one + value);
      family.samples.set(sample, before === undefined ? value : both(before));
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
