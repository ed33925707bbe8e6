// What the page knows, as signals, and what follows from it.
import { computed, signal } from "@preact/signals";

export const PAGE_SIZE = 100;
const SPARK_POINTS = 60;

/** "connecting", "live", or "lost" (what is shown is the last that was known). */
export const connection = signal("connecting");
/** Whether the routing API feeds the server: "live" or "lost". */
export const feed = signal("live");
/** { scheme, port } of the router, or null. */
export const routerOrigin = signal(null);
/** "not", "after login", or "as logged in" where the browser's login for the page will do. */
export const howToChange = signal("not");
/** What the dialogue is open for: null, { kind: "create" }, or { kind: "change", guid, name, protocol }. */
export const task = signal(null);
/** Latest { requestsPerSecond, failuresPerSecond }; nulls while nobody measures. */
export const traffic = signal({ requestsPerSecond: null, failuresPerSecond: null });
/** Requests per second, newest last. */
export const trafficHistory = signal([]);

/** The routes by id. The map is changed in place; a new wrapper around it says that it was. */
export const table = signal({ routes: new Map() });
/** Ids of what changed just now, for the flash of their rows. */
export const fresh = signal(new Set());

export const filter = signal("");
/** "all", "active" or "reserved". */
export const stateFilter = signal("all");
export const pageNumber = signal(0);
export const expanded = signal(new Set());

/** All routes in the order of the table. */
const sorted = computed(() =>
  [...table.value.routes.values()].sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1)),
);

export const totals = computed(() => {
  const { routes } = table.value;
  let active = 0;
  const addresses = new Set();
  for (const route of routes.values()) {
    if (route.state === "active") active++;
    for (const { address } of route.endpoints) addresses.add(address);
  }
  return { routes: routes.size, active, reserved: routes.size - active, endpoints: addresses.size };
});

export const matching = computed(() => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = stateFilter.value;
  return sorted.value.filter(
    (route) =>
      (state === "all" || route.state === state) && words.every((word) => route.searchText.includes(word)),
  );
});

export const pageCount = computed(() => Math.max(1, Math.ceil(matching.value.length / PAGE_SIZE)));
/** The page in view; a filter may have made the chosen one disappear. */
export const currentPage = computed(() => Math.min(pageNumber.value, pageCount.value - 1));
export const visible = computed(() =>
  matching.value.slice(currentPage.value * PAGE_SIZE, (currentPage.value + 1) * PAGE_SIZE),
);

/** Adds what sorting and filtering need, once per change instead of once per key press. */
export function prepare(route) {
  const name = `${route.host}${route.path}`;
  const labels = route.host.split(".").reverse().join(".");
  const options = Object.entries(route.options).map(([key, value]) => `${key}=${value}`);
  const endpoints = route.endpoints.map(
    ({ address, instance, process }) => `${address} ${instance} ${process}`,
  );
  const searchText = [name, route.protocol, route.state, ...options, ...route.apps, ...endpoints]
    .join(" ")
    .toLowerCase();
  // Numbers sort by value, «app-9» before «app-10»: padded here, ten times cheaper than comparing with a collator.
  const sortKey = `${route.protocol} ${labels} ${route.path}`.replaceAll(/\d+/g, (digits) =>
    digits.padStart(8, "0"),
  );
  return { ...route, name, sortKey, searchText };
}

export function noteTraffic(measured) {
  traffic.value = measured;
  if (measured.requestsPerSecond !== null) {
    trafficHistory.value = [...trafficHistory.value, measured.requestsPerSecond].slice(-SPARK_POINTS);
  }
}

export function toggleExpanded(id) {
  const next = new Set(expanded.value);
  if (!next.delete(id)) next.add(id);
  expanded.value = next;
}

/** Where a browser finds the route; null when it cannot, or when nobody knows where the router listens. */
export function linkOf(route) {
  const origin = routerOrigin.value;
  if (origin === null || route.protocol !== "http" || route.host.startsWith("*")) return null;
  return `${origin.scheme}://${route.host}${origin.port === "" ? "" : `:${origin.port}`}${route.path || "/"}`;
}
