/**
 * The shape of every error a user can see. Five parts, all decided where the error is thrown, by the code that
 * knows: what it is called, who caused it, whether another attempt is safe, what caused it, what it was about.
 * The catalogue itself is one file per area beside this one; `index.ts` lists them all.
 */

/** Who caused it. */
export type ErrorSource = "client" | "upstream" | "control-plane" | "router" | "operator";

/** `safe`: nothing was sent. `if-connection-was-reused`: the peer may have closed an idle connection. */
export type RetryAnswer = "safe" | "if-connection-was-reused" | "never";

export interface ErrorDefinition<Details> {
  /** Stable: logs, metrics label, API, docs anchor. snake_case, never reused once retired. */
  readonly code: string;
  readonly source: ErrorSource;
  readonly retry: RetryAnswer;
  /** HTTP status when it reaches an HTTP client; 0 when it never does. */
  readonly status: number;
  /** Value of `X-Cf-RouterError`, where the router has one for this error. */
  readonly routerError?: string;
  /** One sentence, lower-case, naming the thing and the value, and the remedy when there is one. */
  explain(details: Details): string;
}

export class ViaductError<Details = unknown> extends Error {
  override readonly name = "ViaductError";
  readonly definition: ErrorDefinition<Details>;
  readonly details: Details;

  constructor(definition: ErrorDefinition<Details>, details: Details, cause?: unknown) {
    super(definition.explain(details), cause === undefined ? undefined : { cause });
    this.definition = definition;
    this.details = details;
  }

  get code(): string {
    return this.definition.code;
  }
  get source(): ErrorSource {
    return this.definition.source;
  }
  get retry(): RetryAnswer {
    return this.definition.retry;
  }
  get status(): number {
    return this.definition.status;
  }
}

/** Makes errors of one kind: `throw portTaken({ port: 8080 }, cause)`; `portTaken.is(error)` recognises them. */
export interface ErrorFactory<Details> {
  (details: Details, cause?: unknown): ViaductError<Details>;
  readonly definition: ErrorDefinition<Details>;
  is(error: unknown): error is ViaductError<Details>;
}

/**
 * Defines one kind of error.
 *
 * @example
 * const portTaken = defineError<{ port: number }>({
 *   code: "port_taken", source: "operator", retry: "never", status: 0,
 *   explain: (d) => `port ${d.port} is taken by another process; stop it or choose another port`,
 * });
 */
export function defineError<Details = Record<string, never>>(
  definition: ErrorDefinition<Details>,
): ErrorFactory<Details> {
  const frozen = Object.freeze(definition);
  const make = (details: Details, cause?: unknown) => new ViaductError(frozen, details, cause);
  const is = (error: unknown): error is ViaductError<Details> =>
    error instanceof ViaductError && (error.definition as unknown) === frozen;
  return Object.freeze(Object.assign(make, { definition: frozen, is }));
}
