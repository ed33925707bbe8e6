/**
 * Log lines as Log Cache serves them, for `cf logs` and for the lines that `cf push` shows. Its clients take only the host
 * of the link and their own path, so these calls lie beside `/v3`.
 */
import { Type } from "typebox";
import { badQueryParameter } from "../../kernel/errors/cloud-controller.ts";
import type { LogLine } from "../../contracts/index.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { findRow } from "../list.ts";
import { spaceVisible } from "../permissions.ts";
import { Guid, oneOf, part, shape, type Shown } from "../shape.ts";
import { appListing } from "./apps.ts";

/** From 2.0 on, clients look below `/api/v1`. */
const VERSION = "3.0.0";
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
/** Lines that are looked through for a range of time. */
const MAX_LINES = 10_000;

const Nanoseconds = Type.String({ pattern: "^\\d+$" });
const Envelope = shape("LogEnvelope", {
  timestamp: Nanoseconds,
  source_id: Guid,
  instance_id: Type.String(),
  deprecated_tags: part({}),
  tags: part({
    app_id: Guid,
    app_name: Type.String(),
    instance_id: Type.String(),
    source_type: Type.String(),
  }),
  log: part({ payload: Type.String({ contentEncoding: "base64" }), type: oneOf("OUT", "ERR") }),
});
const LogPage = shape("LogPage", { envelopes: part({ batch: Type.Array(Envelope) }) });
const LogCacheInfo = shape("LogCacheInfo", {
  version: Type.String(),
  vm_uptime: Type.String({ pattern: "^\\d+$" }),
});
const LogSources = shape("LogSources", { meta: Type.Record(Type.String(), part({})) });

/** Nanoseconds; clients send large negative ones for «from the beginning». @throws badQueryParameter */
function readTime(call: Call, name: string, otherwise: bigint): bigint {
  const text = call.query[name];
  if (text === undefined || text === "") return otherwise;
  if (/^-?\d{1,20}$/.test(text)) return BigInt(text);
  throw badQueryParameter({ problems: [`${name} must be UNIX nanoseconds, and is '${text}'`] });
}

/** @throws badQueryParameter */
function readLimit(call: Call): number {
  const text = call.query["limit"] ?? String(DEFAULT_LIMIT);
  if (/^\d{1,9}$/.test(text) && Number(text) > 0 && Number(text) <= MAX_LIMIT) return Number(text);
  throw badQueryParameter({ problems: [`limit must be between 1 and ${MAX_LIMIT}, and is '${text}'`] });
}

async function read(call: Call): Promise<Shown<typeof LogPage>> {
  const app = await findRow(call, appListing, call.params["source_id"] ?? "");
  const from = readTime(call, "start_time", 0n);
  const to = readTime(call, "end_time", 2n ** 63n);
  const limit = readLimit(call);
  // There are no envelopes of other types; a client that asks for those alone gets none.
  const type = call.query["envelope_types"] ?? "LOG";
  const lines = type === "LOG" || type === "ANY" ? await call.context.appLog.read(app.guid, MAX_LINES) : [];
  const asked = lines.filter(({ timestampNs }) => BigInt(timestampNs) >= from && BigInt(timestampNs) < to);
  const isDescending = call.query["descending"] === "true";
  const batch = isDescending ? asked.toReversed().slice(0, limit) : asked.slice(0, limit);
  return { envelopes: { batch: batch.map((line) => presentEnvelope(app, line)) } };
}

function presentEnvelope(
  app: { readonly guid: string; readonly name: string },
  line: LogLine,
): Shown<typeof Envelope> {
  return {
    timestamp: line.timestampNs,
    source_id: app.guid,
    instance_id: String(line.instanceIndex),
    deprecated_tags: {},
    tags: {
      app_id: app.guid,
      app_name: app.name,
      instance_id: String(line.instanceIndex),
      source_type: line.source,
    },
    log: { payload: Buffer.from(line.text).toString("base64"), type: line.stream === "err" ? "ERR" : "OUT" },
  };
}

export const logs: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/api/v1/info",
    summary: "Says which version of Log Cache's API this is.",
    access: "public",
    answers: { 200: LogCacheInfo },
    handle: async ({ context }) =>
      ok({ version: VERSION, vm_uptime: String(Math.floor(context.clock.monotonicMs() / 1000)) }),
  }),
  defineEndpoint({
    method: "GET",
    path: "/api/v1/read/:source_id",
    summary: "Shows log lines of an app, with those of the platform and the routers about it.",
    access: "read",
    answers: { 200: LogPage },
    parameters: ["start_time", "end_time", "limit", "descending", "envelope_types", "name_filter"],
    handle: async (call) => ok(await read(call)),
  }),
  defineEndpoint({
    method: "GET",
    path: "/api/v1/meta",
    summary: "Lists the apps whose log lines one may read.",
    access: "read",
    answers: { 200: LogSources },
    handle: async (call) => {
      const apps = await call.context.store.db
        .selectFrom("apps")
        .select("guid")
        .where(spaceVisible(call.caller, "apps.space_guid"))
        .execute();
      return ok({ meta: Object.fromEntries(apps.map(({ guid }) => [guid, {}])) });
    },
  }),
];
