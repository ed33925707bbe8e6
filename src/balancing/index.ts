/**
 * Balancers: which endpoint of a pool serves the next attempt. One file each, one list, one contract suite.
 */
import type { Balancer } from "./define.ts";
import { hash } from "./hash.ts";
import { leastConnection } from "./least-connection.ts";
import { roundRobin } from "./round-robin.ts";

export { isEligible, isFailed, NO_SETTINGS } from "./define.ts";
export type {
  Balancer,
  BalancerSettings,
  Candidate,
  EndpointLoad,
  PickContext,
  Picker,
  PickerSetup,
} from "./define.ts";

/** All there are; the first is the default. */
export const balancers: readonly Balancer[] = [roundRobin, leastConnection, hash];

/** Names of those that an operator may set for all routes; what a keyed one needs is said by a route. */
export const operatorBalancers: readonly string[] = balancers
  .filter((balancer) => !balancer.isKeyed)
  .map((balancer) => balancer.name);
