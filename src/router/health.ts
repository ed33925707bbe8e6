/**
 * What the router says of itself to load balancers.
 *
 *   initializing ──► healthy ──► degraded        never back: a router that drains does not recover
 */
export type HealthState = "initializing" | "healthy" | "degraded";

export interface Health {
  readonly state: HealthState;
  set(state: Exclude<HealthState, "initializing">): void;
}

export function createHealth(): Health {
  let state: HealthState = "initializing";
  return {
    get state() {
      return state;
    },
    set(next) {
      if (state !== "degraded") state = next;
    },
  };
}
