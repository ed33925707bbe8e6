/**
 * What does reading a request head cost, for the head of a load generator and for that of a browser, and how much of
 * it would the obvious reader (split and map) cost?
 * Run: `node scripts/pinned.mjs bench/wire/http1/parse-head.bench.ts`. Each reader runs in processes of its own, in
 * alternating order, so that neither profits from what the other made the engine learn.
 */
import { execFileSync } from "node:child_process";
import { HeaderNames, RequestHead } from "../../../src/wire/http1/index.ts";

const HEADS = 300_000;
const ROUNDS_PER_PROCESS = 5;
const PROCESSES = 3;

const CASES: Readonly<Record<string, string>> = {
  small: "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
  browser: `${[
    "GET /catalogue/items?page=2&sort=price HTTP/1.1",
    "Host: shop.example.com",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: https://shop.example.com/catalogue",
    "Connection: keep-alive",
    "Cookie: JSESSIONID=0123456789abcdef0123456789abcdef; __VCAP_ID__=9a2f4784-879d-4068-761d-a994",
    "Upgrade-Insecure-Requests: 1",
    "X-Forwarded-For: 10.0.0.9",
    "X-Forwarded-Proto: https",
  ].join("\r\n")}\r\n\r\n`,
};

type Reader = (text: string, bytes: Uint8Array) => number;

const names = new HeaderNames(["x-forwarded-for", "x-forwarded-proto", "user-agent", "referer"]);
const limits = { maxHeadBytes: 1024 * 1024, maxHeaders: 0 };
const head = new RequestHead();

const READERS: Readonly<Record<string, Reader>> = {
  ours: (text, bytes) => {
    head.parse(text, 0, names, limits, bytes);
    return head.lineCount;
  },
  obvious: (text) => {
    const [, ...lines] = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
    const fields = new Map(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    return fields.size;
  },
};

/** CPU nanoseconds per head. The bytes become a string each time, as they do when they come from a socket. */
function measure(read: Reader, text: string): number {
  const bytes = Buffer.from(text, "latin1");
  let lines = 0;
  const startedAt = process.cpuUsage();
  for (let n = 0; n < HEADS; n++) lines += read(bytes.toString("latin1", 0, bytes.length), bytes);
  const { user, system } = process.cpuUsage(startedAt);
  if (lines === 0) throw new Error("the loop was optimised away");
  return ((user + system) * 1_000) / HEADS;
}

const [, script = "", reader] = process.argv;
if (reader !== undefined) {
  const read = READERS[reader];
  if (read === undefined)
    throw new Error(`no reader «${reader}»; there are ${Object.keys(READERS).join(", ")}`);
  const rounds = Object.fromEntries(
    Object.entries(CASES).map(([name, text]) => [
      name,
      Array.from({ length: ROUNDS_PER_PROCESS }, () => measure(read, text)),
    ]),
  );
  console.log(JSON.stringify(rounds));
} else {
  const results = new Map<string, number[]>();
  for (let round = 0; round < PROCESSES; round++) {
    const order = Object.keys(READERS);
    for (const name of round % 2 === 0 ? order : order.toReversed()) {
      const output = execFileSync(process.execPath, [script, name], { encoding: "utf8" });
      for (const [each, rounds] of Object.entries(JSON.parse(output) as Record<string, number[]>)) {
        const key = `${each}, ${name}`;
        results.set(key, [...(results.get(key) ?? []), ...rounds]);
      }
    }
  }
  for (const [name, rounds] of [...results].sort(([a], [b]) => a.localeCompare(b))) {
    const sorted = rounds.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1] ?? 0;
    const spread = (sorted.at(-1) ?? 0) - (sorted[0] ?? 0);
    console.log(`${name}: median ${median.toFixed(0)} ns CPU per head, spread ${spread.toFixed(0)}`);
  }
}
