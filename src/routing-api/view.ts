/**
 * What one reader may see of the table. Everything that leaves over HTTP goes through a view, so that a guid, an
 * option or a tag of somebody else's route cannot get out by another door.
 */
import type { Endpoint, Reservation } from "../table/index.ts";
import type { Change } from "./change-log.ts";
import type { HeldReservation } from "./state.ts";
import { endpointToJson, identityToJson, modificationTag, reservationToJson } from "./wire.ts";

/** Which routes: all, or those of the token's `routing.route.<guid>.read` scopes. */
export type Visible = "all" | ReadonlySet<string>;

export interface ViewFilter {
  readonly protocols: readonly string[];
  readonly routerGroups: readonly string[];
  readonly isolationSegments: readonly string[];
}

export interface View {
  /** False when it shows everything, so that positions may be told openly. */
  readonly isPartial: boolean;
  sees(reservation: Reservation): boolean;
  /** Endpoints of no visible route are hidden from readers that may see only some routes. */
  seesEndpoint(routes: readonly Reservation[]): boolean;
  reservation(held: HeldReservation): object;
  endpoint(endpoint: Endpoint, routes: readonly Reservation[]): object;
  /** The events that tell this reader of a change; empty when it must not notice. */
  events(change: Change): readonly ViewEvent[];
}

export interface ViewEvent {
  readonly event: "RouteUpsert" | "RouteDelete" | "EndpointUpsert" | "EndpointDelete";
  readonly data: object;
}

/** A tag of the reservation that lists, separated by commas, the endpoint tags that anybody may see. */
const PUBLIC_TAGS = "public_tags";

export const NO_FILTER: ViewFilter = { protocols: [], routerGroups: [], isolationSegments: [] };

export function createView(visible: Visible, filter: ViewFilter): View {
  const passes = (wanted: readonly string[], value: string) => wanted.length === 0 || wanted.includes(value);
  const sees = ({ guid, protocol, routerGroup, isolationSegment }: Reservation) =>
    (visible === "all" || visible.has(guid)) &&
    passes(filter.protocols, protocol) &&
    passes(filter.routerGroups, routerGroup) &&
    passes(filter.isolationSegments, isolationSegment);
  const isFiltered = Object.values(filter).some((wanted) => wanted.length > 0);

  const endpointJson = (endpoint: Endpoint, routes: readonly Reservation[]) =>
    endpointToJson(visible === "all" ? endpoint : redact(endpoint, routes.filter(sees)));
  const upsert = (endpoint: Endpoint, routes: readonly Reservation[]): ViewEvent => ({
    event: "EndpointUpsert",
    data: { route_guids: routes.map((route) => route.guid), endpoint: endpointJson(endpoint, routes) },
  });
  const remove = (endpoint: Endpoint, routes: readonly Reservation[]): ViewEvent => ({
    event: "EndpointDelete",
    data: { route_guids: routes.map((route) => route.guid), endpoint: identityToJson(endpoint) },
  });

  const view: View = {
    isPartial: visible !== "all",
    sees,
    seesEndpoint: (routes) => (visible === "all" && !isFiltered) || routes.some(sees),
    reservation: ({ reservation, revision }) => reservationToJson(reservation, revision),
    endpoint: endpointJson,
    events(change) {
      switch (change.kind) {
        case "route-upsert": {
          const { reservation, revision, before, serving, detached } = change;
          const wasSeen = before !== null && sees(before);
          if (!sees(reservation)) return wasSeen ? [routeDelete(before, revision)] : [];
          const attached = wasSeen ? change.attached : serving;
          // The route itself comes last: its event carries the id, and a reader that was cut off in between
          // gets all of them again.
          return [
            ...(wasSeen ? detached : []).map((endpoint) => remove(endpoint, [reservation])),
            ...attached.map((endpoint) => upsert(endpoint, [reservation])),
            {
              event: "RouteUpsert",
              data: { ...reservationToJson(reservation, revision), state: stateOf(serving) },
            },
          ];
        }
        case "route-delete":
          return sees(change.before) ? [routeDelete(change.before, change.revision)] : [];
        case "endpoint-upsert":
        case "endpoint-delete": {
          if (!view.seesEndpoint(change.routes)) return [];
          const routes = change.routes.filter(sees);
          return [
            change.kind === "endpoint-upsert"
              ? upsert(change.endpoint, routes)
              : remove(change.endpoint, routes),
          ];
        }
        default:
          return change satisfies never;
      }
    },
  };
  return view;
}

export function stateOf(endpoints: readonly Endpoint[]): "active" | "reserved" {
  return endpoints.length > 0 ? "active" : "reserved";
}

function routeDelete({ guid }: Reservation, revision: number): ViewEvent {
  return { event: "RouteDelete", data: { guid, modification_tag: modificationTag(guid, revision) } };
}

function redact(endpoint: Endpoint, routes: readonly Reservation[]): Endpoint {
  const shown = new Set(routes.flatMap((route) => (route.tags[PUBLIC_TAGS] ?? "").split(",")));
  const tags = Object.fromEntries(Object.entries(endpoint.tags).filter(([name]) => shown.has(name)));
  return { ...endpoint, appGuid: shown.has("app_guid") ? endpoint.appGuid : "", tags };
}
