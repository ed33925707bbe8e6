// Keeps the state live: an image, then changes, over server-sent events.
import { batch } from "@preact/signals";
import { connection, feed, fresh, howToChange, noteTraffic, prepare, routerOrigin, table } from "./state.js";

// The server speaks every second; three silent ones mean that it, or the way to it, is gone.
const SILENCE_MS = 3_500;
const RECONNECT_MS = 1_000;
const FLASH_MS = 1_200;

export function connect(address) {
  /** While an image arrives, it is collected here: the page goes on showing what it has. */
  let image = null;
  let silence = 0;
  const source = new EventSource(address);

  const alive = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      lose();
      reopen();
    }, SILENCE_MS);
  };
  const reopen = () => {
    clearTimeout(silence);
    source.close();
    setTimeout(() => connect(address), RECONNECT_MS);
  };
  const on = (name, handle) =>
    source.addEventListener(name, (event) => {
      alive();
      batch(() => handle(JSON.parse(event.data)));
    });

  on("hello", (hello) => {
    image = new Map();
    routerOrigin.value = hello.routerOrigin;
    howToChange.value = hello.changes;
  });
  on("change", ({ upserts, deletes }) => {
    if (image !== null) {
      for (const route of upserts) image.set(route.id, prepare(route));
      return;
    }
    const { routes } = table.value;
    for (const route of upserts) routes.set(route.id, prepare(route));
    for (const id of deletes) routes.delete(id);
    table.value = { routes };
    flash(upserts.map(({ id }) => id));
  });
  on("ready", () => {
    table.value = { routes: image ?? new Map() };
    image = null;
    connection.value = "live";
  });
  on("traffic", noteTraffic);
  on("feed", ({ status }) => {
    feed.value = status;
  });
  source.onerror = () => {
    lose();
    // The browser tries again by itself unless the answer was no stream at all (a 502 of the router, say).
    if (source.readyState === EventSource.CLOSED) reopen();
  };
  alive();
}

function lose() {
  connection.value = connection.value === "connecting" ? "connecting" : "lost";
  noteTraffic({ requestsPerSecond: null, failuresPerSecond: null });
}

function flash(ids) {
  fresh.value = new Set([...fresh.value, ...ids]);
  setTimeout(() => {
    const rest = new Set(fresh.value);
    for (const id of ids) rest.delete(id);
    fresh.value = rest;
  }, FLASH_MS);
}
