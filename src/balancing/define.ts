/**
 * The shape of a balancer: which endpoint of a pool serves the next attempt.
 */
import type { Endpoint } from "../table/index.ts";

/** What this router knows of one address. One object per address, shared by all pools it is in. */
export interface EndpointLoad {
  /** Exchanges handed to it and not ended. */
  inFlight: number;
  /** Marked failed until this moment (monotonic ms); 0 when it is fine. */
  failedUntilMs: number;
}

/** An endpoint of one pool. */
export interface Candidate {
  readonly endpoint: Endpoint;
  readonly load: EndpointLoad;
}

export interface PickContext {
  readonly nowMs: number;
  /** Addresses that this exchange has tried already; never picked again. Usually empty. */
  readonly tried: readonly EndpointLoad[];
  /** In-flight limit per endpoint; 0 is none. */
  readonly maxInFlight: number;
}

export interface Balancer {
  readonly name: string;
  readonly summary: string;
  /** One picker per pool; it holds the cursor, and outlives changes of the pool. */
  readonly createPicker: () => Picker;
}

export interface Picker {
  /** Undefined when no candidate may be used. Does not count in-flight; the router does. */
  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined;
}

/** False for candidates that were tried already or are at their limit. */
export function isEligible(candidate: Candidate, context: PickContext): boolean {
  if (context.maxInFlight !== 0 && candidate.load.inFlight >= context.maxInFlight) return false;
  return context.tried.length === 0 || !context.tried.includes(candidate.load);
}
