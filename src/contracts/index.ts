/**
 * What one role asks of another: interfaces only, so that roles never import each other. Each has an in-process
 * form (the role that owns the data) and a form over the network.
 */
export { LRP_STATES } from "./bbs.ts";
export type {
  ActualLrp,
  Bbs,
  DesiredLrp,
  DesiredLrpUpdate,
  HealthCheck,
  LogLine,
  LrpEvent,
  LrpState,
  PortMapping,
} from "./bbs.ts";
export type {
  Acknowledgements,
  Liveness,
  RouteLiveness,
  RouteTableHandler,
  RouteTableReader,
  RouteTableSubscription,
  RouteTableWriter,
  SequencedEvent,
} from "./route-table.ts";
