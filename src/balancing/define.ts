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
  /** Value of a request header, the name in lower case; undefined when absent. */
  requestHeader(name: string): string | undefined;
}

/** What a route may tell its balancer besides its name; each balancer reads what concerns it. */
export interface BalancerSettings {
  /** The request header whose value is hashed, in lower case; "" is none. */
  readonly hashHeader: string;
  /** No endpoint gets more than this factor × the average number of exchanges in flight; 0 is no bound. */
  readonly hashBalance: number;
}

export const NO_SETTINGS: BalancerSettings = Object.freeze({ hashHeader: "", hashBalance: 0 });

export interface PickerSetup {
  readonly settings: BalancerSettings;
  /** The operator's balancer, for requests that this one has no opinion on. */
  readonly createFallback: () => Picker;
}

export interface Balancer {
  readonly name: string;
  readonly summary: string;
  /** The choice follows from the request: the router then does not narrow the pool to its own zone. */
  readonly isKeyed: boolean;
  /** One picker per route, of no pool yet. */
  readonly createPicker: (setup: PickerSetup) => Picker;
}

export interface Picker {
  /**
   * The picker for these candidates; what shall outlive a change of the pool (a cursor) it takes along. Called when
   * the pool changes, so that what costs something is built here and never per request.
   * @param weights  How much of the traffic each is to have, in the same order; null or left out where all are alike.
   *   A balancer that does not go by turns pays no attention.
   */
  forPool(candidates: readonly Candidate[], weights?: readonly number[] | null): Picker;
  /**
   * Undefined when no candidate may be used. Does not count in-flight; the router does.
   * @param candidates  Those of {@link forPool}, or some of them.
   */
  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined;
}

/** False for candidates that were tried already or are at their limit. */
export function isEligible(candidate: Candidate, context: PickContext): boolean {
  if (context.maxInFlight !== 0 && candidate.load.inFlight >= context.maxInFlight) return false;
  return context.tried.length === 0 || !context.tried.includes(candidate.load);
}

export const isFailed = (candidate: Candidate, context: PickContext): boolean =>
  candidate.load.failedUntilMs > context.nowMs;
