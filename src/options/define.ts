/**
 * The shape of a per-route option. One file per option says everything about it; the API, the manifest, the CLI,
 * the generated reference and the router read the same object. See `README.md` for how to add one.
 */
import type { TSchema, Static } from "typebox";
import type { ConfigOf, ErrorDefinition, Section, Setting, ViaductError } from "../kernel/index.ts";
import type { Balancer, BalancerSettings } from "../balancing/index.ts";
import type { EndpointProtocol, RouteOptions } from "../table/index.ts";

export type OptionValue = RouteOptions[string];

/** What an option may see and do of one exchange. The router implements it. */
export interface ExchangeView {
  /** As received: `GET`. */
  readonly method: string;
  /** Host without port, lower-case. */
  readonly host: string;
  /** Host and port as the client named them. */
  readonly authority: string;
  /** The request target that will be sent to the endpoint; an option may replace it. */
  target: string;
  /** Path part of the matched route: "" or `/v2`. */
  readonly contextPath: string;
  /** Peer address, or what the PROXY protocol announced. */
  readonly clientAddress: string;
  /** As the app is told by `X-Forwarded-Proto`: by the connection, or by who is trusted to say it. */
  readonly isHttps: boolean;
  /** Bytes of body that the request says it has; -1 when it does not say, as one in chunks. */
  readonly contentLength: number;
  /** Monotonic and precise, for what is counted over time. */
  clockMs(): number;
  /** All values of a request header, with `, ` between several lines; the name in lower case. Undefined when absent. */
  requestHeader(name: string): string | undefined;
  /**
   * A header of the answer, whoever gives it: the endpoint, the router with an error, an option. Name and value go out
   * as they are: nothing that a client sent may be in them unchecked.
   */
  addResponseHeader(name: string, value: string): void;
  /** `release` runs once, when the exchange ends, however it ends: what was taken for it is given back there. */
  atEnd(release: () => void): void;
  /**
   * Ends the exchange with `error` when `afterMs` pass before the deadline of that name is cleared. It is of the
   * present attempt: a further one begins without deadlines.
   */
  startDeadline(name: string, afterMs: number, error: () => ViaductError): void;
  clearDeadline(name: string): void;
}

/** What `admit` may decide besides «it may go on» and a thrown refusal. */
export type Admission =
  | {
      /** The client gets this, and no endpoint is asked: a redirect, a page. */
      readonly kind: "answer";
      readonly status: number;
      /** Whole and checked; `Content-Length`, `Date` and the like are the router's. */
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | {
      /**
       * The exchange waits, and of its body no more than a buffer is read. `begin` is called at once; whoever has
       * `goOn` calls it, at most once: the options below are asked then, and with a refusal the client gets that. When
       * the exchange ends meanwhile (see `atEnd`), `goOn` does nothing any more.
       */
      readonly kind: "hold";
      readonly begin: (goOn: (refusal?: ViaductError) => void) => void;
    };

/** What is known of a request that nobody has made. */
export type Foreseen = Pick<ExchangeView, "host" | "target" | "isHttps">;

/** What is done to header lines on their way through, compiled. */
export interface HeaderRules {
  /** Lower case: lines of these names end at the router. */
  readonly hides: ReadonlySet<string>;
  /** Whole lines that are added, each with its CRLF; checked, because they are written as they are. */
  readonly lines: string;
}

export const RETRY_CONDITIONS = [
  "connect-failure",
  "reset",
  "response-timeout",
  "502",
  "503",
  "504",
] as const;
export type RetryCondition = (typeof RETRY_CONDITIONS)[number];

/** Of routes that say something about retries and nothing about their budget. */
export const DEFAULT_RETRY_BUDGET_PERCENT = 20;
/** A quiet route must be able to retry at all: so many at a time are within any budget. */
export const MIN_RETRY_BUDGET = 3;

/** When a further endpoint is asked. What is left out is as the operator has set it. */
export interface RetryRules {
  /** Attempts after the first. */
  readonly retries?: number;
  /** In place of what is tried again otherwise. */
  readonly on?: ReadonlySet<RetryCondition>;
  /** Further attempts at a time that cost endpoints work, in percent of the route's exchanges in flight. */
  readonly budgetPercent?: number;
}

/** What an option's hooks may know of the route they are for. */
export interface RouteFacts<O extends OperatorSettings = Record<never, never>> {
  readonly host: string;
  /** "" or `/v2`. */
  readonly path: string;
  /**
   * What the option keeps of this route while the route changes (each endpoint that comes or goes changes it): counts,
   * queues. Made once; the same object each time.
   */
  readonly keep: <T>(create: () => T) => T;
  /** Values of the option's own {@link OperatorSettings}. */
  readonly operator: OperatorValues<O>;
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
  /** Longest wait for a connection to an endpoint, TLS included, in place of the operator's. Asked for likewise. */
  readonly connectTimeoutMs?: number;
  /** Longest wait of a request that has been sent for the head of its answer. Asked for likewise. */
  readonly responseTimeoutMs?: number;
  /** Ends an exchange or tunnel in which no byte has moved for so long, in either direction. Asked for likewise. */
  readonly idleTimeoutMs?: number;
  /**
   * Longest body of a request that does not say its length beforehand; who has longer ones gets 413, or is cut off
   * from an answer that has begun. Asked for likewise.
   */
  readonly maxChunkedBodyBytes?: number;
  /** Asked for likewise; what several options say is put together. */
  readonly retry?: RetryRules;
  /** For requests on their way to an endpoint, not to a route service. Asked for likewise, put together likewise. */
  readonly requestHeaders?: HeaderRules;
  /** For what endpoints answer; answers of the router itself are left alone. Asked for likewise. */
  readonly responseHeaders?: HeaderRules;
  /**
   * By lower-case name of a response header: gives the value that the client sees. Only the lines of these names are
   * looked at. What it returns is written as it is. Asked for likewise.
   */
  readonly rewriteResponse?: Readonly<Record<string, (value: string, exchange: ExchangeView) => string>>;
  /**
   * The route is matched; no endpoint is chosen yet, and there may be none. Null lets it go on; throwing a catalogued error answers the
   * client. Not asked again when a request comes back from its route service.
   */
  readonly admit?: (exchange: ExchangeView) => Admission | null;
  /**
   * For `viaduct explain`: what `admit` would do now to a request of which no more is known; null when that is nothing, or
   * depends on more. Changes nothing.
   */
  readonly foresee?: (asked: Foreseen) => ViaductError | Extract<Admission, { kind: "answer" }> | null;
  /** Once per exchange, just before the head is written for the first attempt: may change `exchange.target`. */
  readonly prepareRequest?: (exchange: ExchangeView) => void;
  /** The request, body included, has been sent. */
  readonly requestSent?: (exchange: ExchangeView) => void;
  /** The response head has arrived; nothing of it has been sent on. */
  readonly responseHead?: (exchange: ExchangeView, status: number) => void;
}

/** Settings by which an operator bounds an option; by the name that its check uses, which carries the unit. */
export type OperatorSettings = Readonly<Record<string, Setting<unknown>>>;

type OperatorValues<O extends OperatorSettings> = ConfigOf<Section<{ [K in keyof O]: O[K] }>>;

/** What the operator allows: values of all options' {@link OperatorSettings}. What is missing has its default. */
export type OperatorLimits = Readonly<Record<string, unknown>>;

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

export interface RouteOption<S extends TSchema = TSchema, O extends OperatorSettings = OperatorSettings> {
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
  /** The value that was given stands behind that sentence; false where the sentence is upstream's. */
  readonly namesValue: boolean;
  /**
   * Null for an option that stands alone. The control plane refuses one without its bond once a change has been merged
   * into what is there, and drops one that a change took the bond from; the data plane ignores it.
   */
  readonly bond: OptionBond | null;
  /** What the control plane keeps of a value that it took, in the form upstream keeps it. */
  readonly stored: (value: Static<S>) => OptionValue;
  /** Become part of the section `options:` of the configuration; keys are unique among all options. */
  readonly operator: O;
  /**
   * Rules beyond the schema: true, or what is wrong, as what follows `NAME: `. Both planes ask: the control plane refuses,
   * the data plane ignores the value.
   */
  readonly check: (value: Static<S>, context: { readonly operator: OperatorValues<O> }) => true | string;
  /** How it refuses traffic: for the reference, and counted together by the metric `refused_requests`. */
  readonly refusesWith: readonly { readonly definition: Omit<ErrorDefinition<never>, "explain"> }[];
  /** Settings of the router whose place it takes on its route, by the names that `viaduct explain` has for them. */
  readonly replaces: readonly string[];
  /** What this value means on a route, for `viaduct explain`: a sentence without full stop, "" where the value says all. */
  readonly explain: (value: Static<S>) => string;
  /** Runs when a route changes, never per request. */
  readonly hooks: (value: Static<S>, route: RouteFacts<O>) => OptionHooks;
}

/** An option of whatever value type, as the list holds it. Only a value that its schema took may be handed to it. */
export type AnyOption = Omit<RouteOption, "check" | "stored" | "hooks" | "examples" | "explain"> & {
  readonly examples: readonly OptionExample<unknown>[];
  readonly stored: (value: never) => OptionValue;
  readonly check: (value: never, context: { readonly operator: never }) => true | string;
  readonly explain: (value: never) => string;
  readonly hooks: (value: never, route: RouteFacts<never>) => OptionHooks;
};

type Optional =
  | "aliases"
  | "bond"
  | "stored"
  | "namesValue"
  | "operator"
  | "check"
  | "refusesWith"
  | "replaces"
  | "explain"
  | "hooks";
type Given<S extends TSchema, O extends OperatorSettings> = Omit<RouteOption<S, O>, Optional> &
  Partial<Pick<RouteOption<S, O>, Optional>>;

/** Fills in what most options leave out. */
export function defineOption<S extends TSchema, O extends OperatorSettings = Record<never, never>>(
  given: Given<S, O>,
): RouteOption<S, O> {
  return Object.freeze({
    aliases: [],
    bond: null,
    namesValue: true,
    // The schemas of options allow only what a map can hold.
    stored: (value: Static<S>) => value as OptionValue,
    operator: {} as O,
    check: () => true as const,
    refusesWith: [],
    replaces: [],
    explain: () => "",
    hooks: () => ({}),
    ...given,
  });
}
