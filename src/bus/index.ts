/**
 * The message bus between roles: in memory inside one process, NATS between machines.
 */
export type { Bus, BusMessage, BusStatus, BusSubscription } from "./types.ts";
