/** The classic Cloud Foundry subjects. */
export const SUBJECTS = {
  /** A registrar or emitter: these URIs are served at this address. Also the renewal. */
  routerRegister: "router.register",
  routerUnregister: "router.unregister",
  /** A router has started or reconnected: register again. */
  routerStart: "router.start",
  /** A request for what `router.start` says. */
  routerGreet: "router.greet",
  /** A router, now and then: which apps had requests. */
  routerActiveApps: "router.active_apps",
  serviceDiscoveryRegister: "service-discovery.register",
  serviceDiscoveryUnregister: "service-discovery.unregister",
  serviceDiscoveryStart: "service-discovery.start",
  serviceDiscoveryGreet: "service-discovery.greet",
} as const;
