/** The classic Cloud Foundry subjects. */
export const SUBJECTS = {
  /** A registrar or emitter: these URIs are served at this address. Also the renewal. */
  routerRegister: "router.register",
  routerUnregister: "router.unregister",
  /** A router has started or reconnected: register again. */
  routerStart: "router.start",
  /** A request for what `router.start` says. */
  routerGreet: "router.greet",
  serviceDiscoveryRegister: "service-discovery.register",
  serviceDiscoveryUnregister: "service-discovery.unregister",
  serviceDiscoveryStart: "service-discovery.start",
  serviceDiscoveryGreet: "service-discovery.greet",
} as const;
