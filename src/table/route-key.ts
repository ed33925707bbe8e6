/**
 * The identity of a route: `host` or `host/path`, without query, without one trailing slash, compared without case.
 */

export interface RouteKey {
  /** Lower-case as a whole: two spellings of one route have one key. */
  readonly key: string;
  /** Lower-case. */
  readonly host: string;
  /** "" or `/V2`, in the case in which it was written: cookies and rewrites show it to clients. */
  readonly path: string;
}

/**
 * @example
 * parseRouteKey("Shop.example.com/V2/?a=b");   // { key: "shop.example.com/v2", host: "shop.example.com", path: "/V2" }
 */
export function parseRouteKey(uri: string): RouteKey {
  const query = uri.indexOf("?");
  const end = query === -1 ? uri.length : query;
  const address = uri.slice(0, uri[end - 1] === "/" ? end - 1 : end);
  const key = lowerCase(address);
  const slash = address.indexOf("/");
  if (slash === -1) return { key, host: key, path: "" };
  return { key, host: key.slice(0, slash), path: address.slice(slash) };
}

// ASCII only, as the lookup folds: `toLowerCase` may change other characters, and even the length. Most have none, and
// to look costs a quarter of replacing.
const UPPER_CASE = /[A-Z]/;
const UPPER_CASES = /[A-Z]+/g;
const lowerCase = (text: string) =>
  UPPER_CASE.test(text) ? text.replace(UPPER_CASES, (letters) => letters.toLowerCase()) : text;
