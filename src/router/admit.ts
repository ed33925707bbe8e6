import {
  appInstanceHeaderInvalid,
  instanceUnknown,
  noEndpoints,
  processInstanceHeaderInvalid,
} from "../kernel/errors/router.ts";
import type { Exchange } from "./exchange.ts";
import { checkHeadLimits } from "./head-limits.ts";
import { X_CF_APP_INSTANCE, X_CF_PROCESS_INSTANCE } from "./header-names.ts";
import type { RoutedCandidate, RouteProgram } from "./program.ts";
import { checkStraySignature, isBackFromService, leaveForService } from "./route-services/legs.ts";

const GUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}";
const APP_INSTANCE = new RegExp(`^(${GUID}):(\\d+)$`);
const PROCESS_INSTANCE = new RegExp(`^(${GUID})(?::(\\d+))?$`);

/**
 * Phase admit: may this request go to this route, and to which of its endpoints? Limits first, because they
 * protect everything after them; then options, because what a route refuses is nobody's to know more about.
 * @returns false when it goes no further now: an option has answered it, or holds it and leads it on itself
 * @throws requestHeadTooLarge, requestHeadersTooMany, noEndpoints, the two instance headers' errors, those of
 * `kernel/errors/route-services.ts`, and whatever an option throws.
 */
export function admit(exchange: Exchange): boolean {
  const { route, router, client } = exchange;
  if (route === null) return true;
  checkHeadLimits(client.head, client.head.end - client.head.start, 0, router.config);
  const program = route.attachment;
  // Never past its service: what the service guards (authentication, rates) must not be reachable without it.
  if (route.routeServiceUrl !== null && !isBackFromService(exchange, route)) {
    restrict(exchange, program.candidates);
    return admitToService(exchange, program);
  }
  if (router.routeServices?.isStrict === true) checkStraySignature(exchange, router.routeServices);
  // Options were asked on the way to the service, when the client was the client and not the service.
  const hooks = exchange.cameFromRouteService ? NO_HOOKS : program.admit;
  if (program.candidates.length === 0) return admitToNobody(exchange, hooks);
  exchange.candidates = restrict(exchange, program.candidates);
  const retry = program.rules?.retry ?? null;
  if (retry !== null) exchange.atEnd(retry.budget.enter());
  return askOptions(exchange, hooks, 0, goOn);
}

const NO_HOOKS: RouteProgram["admit"] = [];

const goOn = () => true;

/** Of its own, like the next one: what a function's closures share is made at each of its calls. */
function admitToService(exchange: Exchange, program: RouteProgram): boolean {
  return askOptions(exchange, program.admit, 0, () => {
    const { admit: hooks } = leaveForService(exchange, program.service);
    return askOptions(exchange, hooks, 0, goOn);
  });
}

/** Only after the options: a route that lets a client not in does so whether or not its app runs. */
function admitToNobody(exchange: Exchange, hooks: RouteProgram["admit"]): boolean {
  return askOptions(exchange, hooks, 0, () => {
    throw noEndpoints({ host: exchange.rawHost });
  });
}

/** One after the other, from the `from`th; after one that holds the exchange, the rest when it goes on. */
function askOptions(
  exchange: Exchange,
  hooks: RouteProgram["admit"],
  from: number,
  then: () => boolean,
): boolean {
  for (let i = from; i < hooks.length; i++) {
    const admission = hooks[i]?.(exchange) ?? null;
    if (admission === null) continue;
    if (admission.kind === "answer") exchange.answer(admission);
    else exchange.hold(admission.begin, () => askOptions(exchange, hooks, i + 1, then));
    return false;
  }
  return then();
}

/** `X-CF-App-Instance` and `X-CF-Process-Instance` name one instance, or one process; the first wins. */
function restrict(exchange: Exchange, candidates: readonly RoutedCandidate[]): readonly RoutedCandidate[] {
  const { head } = exchange.client;
  let app = -1;
  let process = -1;
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    if (id === X_CF_APP_INSTANCE) app = i;
    else if (id === X_CF_PROCESS_INSTANCE) process = i;
  }
  const line = app === -1 ? process : app;
  if (line === -1) return candidates;

  const kind = app === -1 ? "process" : "app";
  const match = (kind === "app" ? APP_INSTANCE : PROCESS_INSTANCE).exec(head.value(line));
  if (match === null) throw kind === "app" ? appInstanceHeaderInvalid({}) : processInstanceHeaderInvalid({});
  const guid = match[1] as string;
  const index = match[2] ?? "";
  const found = candidates.filter(({ endpoint }) => {
    if (index !== "" && endpoint.instanceIndex !== index) return false;
    if (kind === "app") return endpoint.appGuid === guid;
    return (endpoint.tags["process_id"] ?? endpoint.processGuid) === guid;
  });
  if (found.length === 0) throw instanceUnknown({ host: exchange.rawHost, guid, index, kind });
  return found;
}
