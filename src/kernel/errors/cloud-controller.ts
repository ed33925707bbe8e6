/**
 * What the v3 API answers when it cannot do what was asked. The texts are Cloud Foundry's:
 * clients match on them, so they keep their capital letters. `cloud-controller/respond.ts` adds upstream's numeric
 * codes and titles.
 */
import { defineError, type ErrorDefinition, type ErrorFactory } from "./define.ts";

/** Most entries here differ in these three parts only: all are the client's, none is worth an unchanged repeat. */
function refuse<Details = Record<string, never>>(
  code: string,
  status: number,
  explain: ErrorDefinition<Details>["explain"],
): ErrorFactory<Details> {
  return defineError<Details>({ code, source: "client", retry: "never", status, explain });
}

export const invalidAuthToken = refuse("invalid_auth_token", 401, () => "Invalid Auth Token");

export const notAuthenticated = refuse("not_authenticated", 401, () => "Authentication error");

export const notAuthorized = refuse(
  "not_authorized",
  403,
  () => "You are not authorized to perform the requested action",
);

/** Of those who otherwise might; administrators still may. */
export const organizationSuspended = refuse(
  "organization_suspended",
  403,
  () => "The organization is suspended",
);

export const messageParseError = refuse<{ reason: string }>(
  "message_parse_error",
  400,
  (d) => `Request invalid due to parse error: ${d.reason}`,
);

export const badQueryParameter = refuse<{ problems: readonly string[] }>(
  "bad_query_parameter",
  400,
  (d) => `The query parameter is invalid: ${d.problems.join(", ")}`,
);

export const unknownRequest = refuse("unknown_request", 404, () => "Unknown request");

/** Also for what exists and may not be seen. */
export const resourceNotFound = refuse<{ resource: string }>(
  "resource_not_found",
  404,
  (d) => `${d.resource} not found`,
);

/** A pair of an option map that is not taken. The text is upstream's and names neither the route nor the value. */
export interface RefusedOption {
  readonly text: string;
  /** As the request names it: host and path, or the GUID. */
  readonly route: string;
  /** "" for the map as a whole. */
  readonly option: string;
  readonly value: unknown;
  /** The values or names there are, or the JSON schema of the values. */
  readonly allowed: readonly unknown[] | object;
}

/** One sentence per thing that is wrong with the request; `options` says more of those that are about an option. */
export const unprocessable = refuse<{
  problems: readonly string[];
  options?: readonly RefusedOption[] | undefined;
}>("unprocessable_entity", 422, (d) => d.problems.join(", "));

export const notUnique = refuse<{ problem: string }>("uniqueness_error", 422, (d) => d.problem);

/** Not upstream's: its clients never send `If-Match`. */
export const resourceChanged = refuse<{ resource: string; guid: string; current: string }>(
  "resource_changed",
  412,
  (d) =>
    `${d.resource} '${d.guid}' was changed meanwhile: its tag is now ${d.current}. Read it again and repeat the change with that tag, or without If-Match.`,
);

/** What only a broker could tell. */
export const parametersNotSupported = refuse<{ of: "instance" | "binding" }>(
  "service_parameters_not_supported",
  400,
  (d) => `This service does not support fetching service ${d.of} parameters.`,
);

/** The cf CLI knows it by its words, and is content with what is there. */
export const routeAlreadyBound = refuse(
  "route_already_bound",
  422,
  () => "The route and service instance are already bound.",
);

export const featureDisabled = refuse<{ flag: string }>(
  "feature_disabled",
  403,
  (d) => `Feature Disabled: ${d.flag}`,
);

/** The token endpoint's answer to a form that lacks something. */
export const badTokenRequest = refuse<{ reason: string }>("bad_token_request", 400, (d) => d.reason);

/** For calls that take something else than JSON. */
export const wrongContentType = refuse<{ wanted: string }>(
  "wrong_content_type",
  400,
  (d) => `Content-Type must be ${d.wanted}`,
);
