/**
 * The shape of a per-route option. One file per option says everything about it; the API, the manifest, the CLI,
 * the generated reference and the router read the same object. See `README.md` for how to add one.
 */
import type { TSchema, Static } from "typebox";
import type { ViaductError } from "../kernel/index.ts";
import type { Balancer, BalancerSettings } from "../balancing/index.ts";
import type { EndpointProtocol, RouteOptions } from "../table/index.ts";

export type OptionValue = RouteOptions[string];

/** What an option may see and do of one exchange. The router implements it. */
export interface ExchangeView {
  /** As received: `GET`. */
  readonly method: string;
  /** Host without port, lower-case. */
  readonly host: string;
  /** The request target that will be sent to the endpoint; an option may replace it. */
  target: string;
  /** Path part of the matched route: "" or `/v2`. */
  readonly contextPath: string;
  /** Peer address, or what the PROXY protocol announced. */
  readonly clientAddress: string;
  /** First value of a request header; the name in lower case. Undefined when absent. */
  requestHeader(name: string): string | undefined;
  /** Ends the exchange with `error` when `afterMs` pass before the deadline of that name is cleared. */
  startDeadline(name: string, afterMs: number, error: () => ViaductError): void;
  clearDeadline(name: string): void;
}

/** Plain functions named after the phases of an exchange. What is left out costs nothing. */
export interface OptionHooks {
  /**
   * How this route's pool picks endpoints. Asked once per change of the route, not per request: returns the name
   * of a balancer of `balancing/`.
   */
  readonly balancer?: Balancer["name"];
  /** What that balancer is told; asked for as `balancer` is. */
  readonly balancing?: Partial<BalancerSettings>;
  /** Most exchanges in flight at one endpoint of this route, below the operator's own limit. Asked for likewise. */
  readonly maxInFlightPerEndpoint?: number;
  /** The cookie that makes a session of the app sticky, in place of the operator's names. Asked for likewise. */
  readonly sessionCookie?: string;
  /** The route is matched; no endpoint is chosen yet. Throwing a catalogued error answers the client. */
  readonly admit?: (exchange: ExchangeView) => void;
  /** Once per exchange, just before the head is written for the first attempt: may change `exchange.target`. */
  readonly prepareRequest?: (exchange: ExchangeView) => void;
  /** The request, body included, has been sent. */
  readonly requestSent?: (exchange: ExchangeView) => void;
  /** The response head has arrived; nothing of it has been sent on. */
  readonly responseHead?: (exchange: ExchangeView, status: number) => void;
}

/** What the operator allows, for checks that depend on it. */
export interface OperatorLimits {
  readonly maxResponseTimeoutMs: number;
}

export interface OptionExample<T> {
  readonly value: T;
  /** What it does, as a sentence about behaviour. */
  readonly effect: string;
}

/** The value of another option that an option goes with, and without which it says nothing. */
export interface OptionBond {
  readonly option: string;
  readonly value: OptionValue;
  /** The sentence for an option that is set without it; words and end as in `refusal`. */
  readonly refusal: string;
  /** The whole sentence for the other way round, where that value says nothing without this option; null where it does. */
  readonly missing: string | null;
}

export interface RouteOption<S extends TSchema = TSchema> {
  /** Name in the API, the manifest and on the CLI. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What a user must know beyond the summary. */
  readonly details: string;
  /** Other names that the data plane accepts for it (never the control plane). */
  readonly aliases: readonly string[];
  /** Of one text, number or truth value. Text that means a number or a truth value is converted before the check. */
  readonly schema: S;
  readonly protocols: readonly EndpointProtocol[];
  /** Version that brought it. */
  readonly since: string;
  readonly examples: readonly OptionExample<Static<S>>[];
  /**
   * The sentence for a value that the schema refuses, upstream's text where upstream has one. Begins with the name
   * in words, ends without full stop: `Trim path must be true or false if present`. A function where it depends on
   * what was given.
   */
  readonly refusal: string | ((given: unknown) => string);
  /**
   * Null for an option that stands alone. The control plane refuses one without its bond once a change has been merged
   * into what is there, and drops one that a change took the bond from; the data plane ignores it.
   */
  readonly bond: OptionBond | null;
  /** What the control plane keeps of a value that it took, in the form upstream keeps it. */
  readonly stored: (value: Static<S>) => OptionValue;
  /** Rules beyond the schema: true, or what is wrong, as what follows `NAME: `. */
  readonly check: (value: Static<S>, context: { readonly operator: OperatorLimits }) => true | string;
  /** Runs when a route changes, never per request. */
  readonly hooks: (value: Static<S>) => OptionHooks;
}

/** An option of whatever value type, as the list holds it. Only a value that its schema took may be handed to it. */
export type AnyOption = Omit<RouteOption, "check" | "stored" | "hooks" | "examples"> & {
  readonly examples: readonly OptionExample<unknown>[];
  readonly stored: (value: never) => OptionValue;
  readonly check: (value: never, context: { readonly operator: OperatorLimits }) => true | string;
  readonly hooks: (value: never) => OptionHooks;
};

type Optional = "aliases" | "bond" | "stored" | "check" | "hooks";
type Given<S extends TSchema> = Omit<RouteOption<S>, Optional> & Partial<Pick<RouteOption<S>, Optional>>;

/** Fills in what most options leave out. */
export function defineOption<S extends TSchema>(given: Given<S>): RouteOption<S> {
  return Object.freeze({
    aliases: [],
    bond: null,
    // The schemas of options allow only what a map can hold.
    stored: (value: Static<S>) => value as OptionValue,
    check: () => true as const,
    hooks: () => ({}),
    ...given,
  });
}
