/**
 * The message bus between roles: in memory inside one process, NATS between machines, one contract for both; and
 * the classic Cloud Foundry messages that travel on it, checked when they arrive.
 * Not here: what a message means for routes (router/feeds), when to send one (emitter, registrar).
 */
export { createMemoryBus } from "./memory/memory-bus.ts";
export type { MemoryBus } from "./memory/memory-bus.ts";
export type { Decoded } from "./messages/fields.ts";
export { decodeRegister, decodeRouterStart, encodeRegister, encodeRouterStart } from "./messages/router.ts";
export type { RegisterFields, RegisterMessage, RouterStartMessage } from "./messages/router.ts";
export {
  decodeServiceDiscoveryRegister,
  decodeServiceDiscoveryStart,
  decodeServiceDiscoveryUnregister,
  encodeServiceDiscovery,
  encodeServiceDiscoveryStart,
} from "./messages/service-discovery.ts";
export type { ServiceDiscoveryMessage, ServiceDiscoveryStartMessage } from "./messages/service-discovery.ts";
export { SUBJECTS } from "./messages/subjects.ts";
export { connectNats } from "./nats/nats-bus.ts";
export type { NatsOptions } from "./nats/nats-bus.ts";
export type { Bus, BusMessage, BusStatus, BusSubscription } from "./types.ts";
