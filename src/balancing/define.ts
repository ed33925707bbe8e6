/**
 * The shape of a balancer: which endpoint of a pool serves the next attempt.
 */
import type { Endpoint } from "../table/index.ts";

/** An endpoint with what this router knows of it. One object per address, shared by all pools it is in. */
export interface Candidate {
  readonly endpoint: Endpoint;
  /** Exchanges handed to it and not ended. */
  inFlight: number;
  /** Marked failed until this moment (monotonic ms); 0 when it is fine. */
  failedUntilMs: number;
}

export interface PickContext {
  readonly nowMs: number;
  /** Candidates that this exchange has tried already; never picked again. Usually empty. */
  readonly tried: readonly Candidate[];
  /** In-flight limit per endpoint; 0 is none. */
  readonly maxInFlight: number;
}

export interface Balancer {
  readonly name: string;
  readonly summary: string;
  /** One picker per pool; it holds the cursor. */
  readonly createPicker: () => Picker;
}

export interface Picker {
  /** Undefined when no candidate may be used. Does not count in-flight; the router does. */
  pick(candidates: readonly Candidate[], context: PickContext): Candidate | undefined;
}
