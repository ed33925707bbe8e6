/** What upstream has no call for, all below `/v3/viaduct`: recent logs, liveness of routes, the list of options. */
import { Type } from "typebox";
import { badQueryParameter, unknownRequest } from "../../kernel/errors/cloud-controller.ts";
import { type AnyOption, knownOptions, type OperatorLimits } from "../../options/index.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { findRow } from "../list.ts";
import { AnyObject, orNull, oneOf, part, Quantity, shape } from "../shape.ts";
import { appListing } from "./apps.ts";
import { routeListing } from "./routes.ts";

const DEFAULT_LOG_LINES = 100;
const MAX_LOG_LINES = 1_000;
const MAX_WAIT_MS = 60_000;
const UNITS = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

const RecentLogs = shape("RecentLogs", {
  resources: Type.Array(
    part({
      timestamp: Type.String({ pattern: "^\\d+$", description: "UNIX nanoseconds." }),
      stream: oneOf("out", "err"),
      source: Type.String(),
      instance_index: Type.Integer(),
      text: Type.String(),
    }),
  ),
});

const Liveness = shape("RouteLiveness", {
  live: Type.Boolean(),
  current: Quantity,
  readers: Quantity,
});

const OptionList = shape("RouteOptionList", {
  resources: Type.Array(
    part({
      name: Type.String(),
      summary: Type.String(),
      details: Type.String(),
      schema: AnyObject,
      protocols: Type.Array(Type.String()),
      since: Type.String(),
      examples: Type.Array(part({ value: Type.Unknown(), effect: Type.String() })),
      goes_with: orNull(part({ option: Type.String(), value: Type.Unknown() })),
      operator_limits: Type.Array(
        part({ key: Type.String(), description: Type.String(), value: Type.String() }),
      ),
    }),
  ),
});

/** @throws badQueryParameter */
function wholeNumber(call: Call, name: string, otherwise: number, maximum: number): number {
  const text = call.query[name];
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text) && Number(text) <= maximum) return Number(text);
  throw badQueryParameter({
    problems: [`${name} must be a whole number between 0 and ${maximum}, and is '${text}'`],
  });
}

export const viaduct: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/viaduct/apps/:guid/recent_logs",
    summary: "Shows the newest log lines of an app, oldest first.",
    access: "read",
    answers: { 200: RecentLogs },
    parameters: ["limit"],
    handle: async (call) => {
      const app = await findRow(call, appListing, call.params["guid"] ?? "");
      const limit = wholeNumber(call, "limit", DEFAULT_LOG_LINES, MAX_LOG_LINES);
      const lines = await call.context.appLog.read(app.guid, limit);
      return ok({
        resources: lines.map((line) => ({
          timestamp: line.timestampNs,
          stream: line.stream,
          source: line.source,
          instance_index: line.instanceIndex,
          text: line.text,
        })),
      });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/viaduct/routes/:guid/liveness",
    summary: "Says on how many routers a route's newest change is in force; with wait_ms, waits for all.",
    access: "read",
    answers: { 200: Liveness },
    parameters: ["wait_ms"],
    handle: async (call) => {
      const { liveness } = call.context;
      if (liveness === undefined) throw unknownRequest({});
      const route = await findRow(call, routeListing, call.params["guid"] ?? "");
      const waitMs = wholeNumber(call, "wait_ms", 0, MAX_WAIT_MS);
      const state =
        waitMs === 0 ? await liveness.liveOn(route.guid) : await liveness.whenLive(route.guid, waitMs);
      return ok({ live: state?.isLive ?? false, current: state?.live ?? 0, readers: state?.of ?? 0 });
    },
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/viaduct/options",
    summary: "Lists the options a route can have, and how the operator bounds them.",
    access: "public",
    answers: { 200: OptionList },
    handle: async ({ context }) =>
      ok({
        resources: knownOptions().map((option) => ({
          name: option.name,
          summary: option.summary,
          details: option.details,
          schema: option.schema,
          protocols: option.protocols,
          since: option.since,
          examples: option.examples,
          goes_with: option.bond === null ? null : { option: option.bond.option, value: option.bond.value },
          operator_limits: limitsOf(option, context.operator),
        })),
      }),
  }),
];

/** In the form that an operator writes them in. */
function limitsOf({ operator: settings }: AnyOption, limits: OperatorLimits) {
  return Object.entries(settings).map(([name, { key, describe, kind, default: byDefault }]) => ({
    key,
    description: describe,
    value: name in limits ? written(limits[name], kind) : String(byDefault),
  }));
}

function written(value: unknown, kind: string): string {
  if (kind !== "duration" || typeof value !== "number") return String(value);
  const [unit, ms] = UNITS.find(([, each]) => value % each === 0) ?? ["ms", 1];
  return `${value / ms}${unit}`;
}
