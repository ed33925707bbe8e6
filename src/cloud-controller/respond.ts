/**
 * The only place that turns an error into upstream's answer: `{"errors":[{"code":10008,"title":"…","detail":"…"}]}`.
 */
import { multipartInvalid, uploadTooLarge } from "../kernel/errors/bits.ts";
import { ViaductError } from "../kernel/index.ts";
import { isForeignKeyViolation } from "../store/index.ts";
import {
  badQueryParameter,
  featureDisabled,
  invalidAuthToken,
  messageParseError,
  notAuthenticated,
  notAuthorized,
  notUnique,
  organizationSuspended,
  parametersNotSupported,
  type RefusedOption,
  resourceChanged,
  resourceNotFound,
  routeAlreadyBound,
  unknownRequest,
  unprocessable,
  wrongContentType,
} from "../kernel/errors/cloud-controller.ts";
import type { KnownError } from "./endpoint.ts";

const CHANGED_MEANWHILE =
  "Something this request refers to was changed or deleted meanwhile. Please try again.";

interface V3Error {
  readonly code: number;
  readonly title: string;
  readonly detail: string;
  /** Not upstream's: what the detail is about. */
  readonly about?: Omit<RefusedOption, "text">;
}
export interface ErrorAnswer {
  readonly status: number;
  readonly body: { readonly errors: readonly V3Error[] };
}

/** Upstream's number and title of each error here. */
const NUMBERS: ReadonlyMap<string, readonly [code: number, title: string]> = new Map([
  [invalidAuthToken.definition.code, [1000, "CF-InvalidAuthToken"]],
  [messageParseError.definition.code, [1001, "CF-MessageParseError"]],
  [multipartInvalid.definition.code, [160001, "CF-AppBitsUploadInvalid"]],
  [uploadTooLarge.definition.code, [160001, "CF-AppBitsUploadInvalid"]],
  [wrongContentType.definition.code, [1004, "CF-BadRequest"]],
  [notAuthenticated.definition.code, [10002, "CF-NotAuthenticated"]],
  [notAuthorized.definition.code, [10003, "CF-NotAuthorized"]],
  [badQueryParameter.definition.code, [10005, "CF-BadQueryParameter"]],
  [unprocessable.definition.code, [10008, "CF-UnprocessableEntity"]],
  [resourceNotFound.definition.code, [10010, "CF-ResourceNotFound"]],
  [notUnique.definition.code, [10016, "CF-UniquenessError"]],
  [organizationSuspended.definition.code, [10017, "CF-OrgSuspended"]],
  [unknownRequest.definition.code, [10000, "CF-NotFound"]],
  [resourceChanged.definition.code, [10_412, "CF-PreconditionFailed"]],
  [parametersNotSupported.definition.code, [120_004, "CF-ServiceFetchInstanceParametersNotSupported"]],
  [routeAlreadyBound.definition.code, [130_008, "CF-ServiceInstanceAlreadyBoundToSameRoute"]],
  [featureDisabled.definition.code, [330002, "CF-FeatureDisabled"]],
] as const);

/** What is wrong here: whatever has no number of its own. */
export const UNKNOWN = { code: 10001, title: "UnknownError" } as const;
export const UNAVAILABLE = { code: 10015, title: "CF-ServiceUnavailable" } as const;

/** How an error of the catalogue looks here; null for one that the API has no number for. */
export function shownAs({
  definition,
}: KnownError): { readonly code: number; readonly title: string } | null {
  const numbers = NUMBERS.get(definition.code);
  return numbers === undefined ? null : { code: numbers[0], title: numbers[1] };
}

/** For clients of API v2, which read errors of another shape: a sentence where they would find nothing. */
export const NO_API_V2 = Object.freeze({
  code: 10000,
  error_code: "CF-NotFound",
  description: "CF API v2 is disabled; this foundation has /v3",
});

/** What the client gets; `isOurFault` says that somebody should look at the log. */
export function errorAnswer(error: unknown): ErrorAnswer & { readonly isOurFault: boolean } {
  const known = asCatalogued(error);
  const numbers = known === null ? undefined : NUMBERS.get(known.code);
  if (known === null || numbers === undefined) {
    const unavailable = known?.status === 503;
    return {
      isOurFault: true,
      status: unavailable ? 503 : 500,
      body: {
        errors: [
          unavailable
            ? { ...UNAVAILABLE, detail: known.message }
            : { ...UNKNOWN, detail: "An unknown error occurred." },
        ],
      },
    };
  }
  const [code, title] = numbers;
  return {
    isOurFault: false,
    status: known.status,
    body: { errors: details(known).map((detail) => ({ code, title, detail, ...aboutOf(known, detail) })) },
  };
}

function aboutOf(error: ViaductError, detail: string): Pick<V3Error, "about"> {
  const refused = unprocessable.is(error) && error.details.options?.find(({ text }) => text === detail);
  if (!refused) return {};
  const { text: _, ...about } = refused;
  return { about };
}

/** A request that names several problems gets one error each. */
function details(error: ViaductError): readonly string[] {
  if (unprocessable.is(error)) return error.details.problems;
  if (badQueryParameter.is(error)) {
    return error.details.problems.map((problem) => `The query parameter is invalid: ${problem}`);
  }
  return [error.message];
}

/** What the HTTP library and the database refuse, in our words. */
function asCatalogued(error: unknown): ViaductError | null {
  if (error instanceof ViaductError) return error;
  // Looked up before, and deleted by somebody else before the row that points to it was written.
  if (isForeignKeyViolation(error)) return unprocessable({ problems: [CHANGED_MEANWHILE] }, error);
  const { code, statusCode: status } = (error ?? {}) as {
    readonly code?: unknown;
    readonly statusCode?: unknown;
  };
  // Of the method QUERY alone, which no call here has.
  if (code === "FST_ERR_ROUTE_MISSING_CONTENT_TYPE") return unknownRequest({}, error);
  if (status === 413) return messageParseError({ reason: "request body is too large" });
  if (typeof status === "number" && status >= 400 && status < 500) {
    return messageParseError({ reason: "invalid request body" });
  }
  return null;
}
