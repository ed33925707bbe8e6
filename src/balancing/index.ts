/**
 * Balancers: which endpoint of a pool serves the next attempt. One file each, one list, one contract suite.
 */
import type { Balancer } from "./define.ts";
import { leastConnection } from "./least-connection.ts";
import { roundRobin } from "./round-robin.ts";

export type { Balancer, Candidate, EndpointLoad, PickContext, Picker } from "./define.ts";

/** All there are; the first is the default. */
export const balancers: readonly Balancer[] = [roundRobin, leastConnection];
