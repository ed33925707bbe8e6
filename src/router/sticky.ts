/**
 * Sticky sessions. When an app's answer sets its session cookie, the router adds `__VCAP_ID__` with the instance that
 * answered; a request that brings both back goes to that instance first, and gets a new `__VCAP_ID__` from another one
 * when it is gone or full.
 *
 * With `sticky_sessions_for_auth_negotiate` a connection that authenticates by Negotiate is bound to its instance:
 * then nobody else will do.
 */
import { isEligible } from "../balancing/index.ts";
import { equalsIgnoringCase, type ResponseHead } from "../wire/http1/index.ts";
import type { Exchange } from "./exchange.ts";
import { AUTHORIZATION, COOKIE, SET_COOKIE } from "./header-names.ts";
import type { RoutedCandidate } from "./program.ts";

const VCAP_ID = "__VCAP_ID__";
const NEGOTIATE = "negotiate";
/** How long a client may take between the challenge and its next request, as upstream has it. */
const NEGOTIATE_MAX_AGE_SECONDS = 60;
const SAME_SITES = ["Lax", "Strict", "None"];

/** Before the first attempt: notes which instance the request asks for, if it does. Makes nothing without cookies. */
export function readSession(exchange: Exchange, sessionCookies: readonly string[]): void {
  const { head } = exchange.client;
  const { text } = head;
  let instance = "";
  let hasSession = false;
  let mustStick = false;
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    if (id === AUTHORIZATION) {
      const from = head.valueStart(i);
      mustStick ||=
        exchange.router.config.stickyForAuthNegotiate &&
        head.valueEnd(i) >= from + NEGOTIATE.length &&
        equalsIgnoringCase(text, from, from + NEGOTIATE.length, NEGOTIATE);
    }
    if (id !== COOKIE) continue;
    const end = head.valueEnd(i);
    for (let at = head.valueStart(i); at < end; ) {
      const semicolon = text.indexOf(";", at);
      const stop = semicolon === -1 || semicolon > end ? end : semicolon;
      while (text.charCodeAt(at) === 0x20 && at < stop) at++;
      const equals = text.indexOf("=", at);
      if (equals !== -1 && equals < stop) {
        if (!hasSession && isOneOf(text, at, equals, sessionCookies)) hasSession = true;
        if (instance === "" && isName(text, at, equals, VCAP_ID))
          instance = unquoted(text.slice(equals + 1, stop));
      }
      at = stop + 1;
    }
  }
  if (instance === "" || !(hasSession || mustStick)) return;
  exchange.sessionInstance = instance;
  exchange.mustStick = mustStick;
}

/** The instance the request asks for; undefined when it is not here, or may not be picked. */
export function findSession(exchange: Exchange): RoutedCandidate | undefined {
  const found = exchange.candidates.find(({ endpoint }) => endpoint.instanceId === exchange.sessionInstance);
  return found !== undefined && isEligible(found, exchange) ? found : undefined;
}

/** The `Set-Cookie` line that the router adds to an answer; "" when it has no reason to. */
export function sessionCookieLine(exchange: Exchange, head: ResponseHead): string {
  const { candidate, route, router, serviceLeg } = exchange;
  const { stickyForAuthNegotiate, secureCookies } = router.config;
  const instance = candidate?.endpoint.instanceId ?? "";
  if (route === null || serviceLeg !== null || instance === "") return "";

  const { sessionCookies } = route.attachment;
  let session = -1;
  for (let i = 0; i < head.lineCount; i++) {
    if (head.nameId(i) !== SET_COOKIE) continue;
    const from = head.valueStart(i);
    const equals = head.text.indexOf("=", from);
    if (equals === -1 || equals > head.valueEnd(i)) continue;
    // The app takes care of it.
    if (isName(head.text, from, equals, VCAP_ID)) return "";
    if (session === -1 && isOneOf(head.text, from, equals, sessionCookies)) session = i;
  }
  const isChallenge =
    stickyForAuthNegotiate &&
    head.get("www-authenticate")?.slice(0, NEGOTIATE.length).toLowerCase() === NEGOTIATE;
  const hasMoved = exchange.sessionInstance !== instance && (isChallenge || exchange.sessionInstance !== "");
  if (!hasMoved && (isChallenge || session === -1)) return "";

  const attributes = isChallenge
    ? { ...NO_ATTRIBUTES, maxAge: NEGOTIATE_MAX_AGE_SECONDS, sameSite: "Strict" }
    : session === -1
      ? NO_ATTRIBUTES
      : attributesOf(head.value(session));
  const { expires, maxAge, isSecure, sameSite, isPartitioned } = attributes;
  return (
    `Set-Cookie: ${VCAP_ID}=${cookieText(instance)}; Path=${cookieText(route.path === "" ? "/" : route.path)}` +
    (expires === "" ? "" : `; Expires=${expires}`) +
    (maxAge === null ? "" : `; Max-Age=${maxAge}`) +
    "; HttpOnly" +
    (isSecure || secureCookies ? "; Secure" : "") +
    (sameSite === "" ? "" : `; SameSite=${sameSite}`) +
    (isPartitioned ? "; Partitioned" : "") +
    "\r\n"
  );
}

interface Attributes {
  readonly expires: string;
  readonly maxAge: number | null;
  readonly isSecure: boolean;
  readonly sameSite: string;
  readonly isPartitioned: boolean;
}
const NO_ATTRIBUTES: Attributes = {
  expires: "",
  maxAge: null,
  isSecure: false,
  sameSite: "",
  isPartitioned: false,
};

/** What `__VCAP_ID__` takes over from the app's session cookie, so that both live and travel alike. */
function attributesOf(setCookie: string): Attributes {
  const values = new Map<string, string>();
  for (const part of setCookie.split(";").slice(1)) {
    const [name = "", ...value] = part.split("=");
    values.set(name.trim().toLowerCase(), value.join("=").trim());
  }
  const sameSite = values.get("samesite")?.toLowerCase();
  return {
    expires: expiresOf(values.get("expires") ?? ""),
    // A deletion deletes both; a lifetime is the app's own, and may be renewed without our seeing it.
    maxAge: /^(?:0|-\d+)$/.test(values.get("max-age") ?? "") ? 0 : null,
    isSecure: values.has("secure"),
    sameSite: SAME_SITES.find((name) => name.toLowerCase() === sameSite) ?? "",
    isPartitioned: values.has("partitioned"),
  };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** RFC 9110 §5.6.7, and with dashes as Netscape had it. */
const EXPIRES = /^[A-Z][a-z]{2}, (\d{2})[ -]([A-Z][a-z]{2})[ -](\d{4}) (\d{2}):(\d{2}):(\d{2}) [A-Z]{3,4}$/;
/** Clients count no earlier (RFC 6265 §5.1.1). */
const FIRST_YEAR = 1601;

/** In the preferred form; "" when it is no date. */
function expiresOf(text: string): string {
  const match = EXPIRES.exec(text);
  if (match === null) return "";
  const [, day, month = "", year, hours, minutes, seconds] = match;
  if (Number(year) < FIRST_YEAR || !MONTHS.includes(month)) return "";
  const date = new Date(
    Date.UTC(
      Number(year),
      MONTHS.indexOf(month),
      Number(day),
      Number(hours),
      Number(minutes),
      Number(seconds),
    ),
  );
  return date.toUTCString();
}

/** Cookie names are compared with regard to case (RFC 6265 §4.2.2). */
const isName = (text: string, start: number, end: number, name: string): boolean =>
  end - start === name.length && text.startsWith(name, start);

function isOneOf(text: string, start: number, end: number, names: readonly string[]): boolean {
  for (const name of names) if (isName(text, start, end, name)) return true;
  return false;
}

const unquoted = (value: string): string => value.trim().replace(/^"(.*)"$/, "$1");

/** Registrations come over a bus that others write to: what would end the value or its line is left out. */
const cookieText = (text: string) => text.replaceAll(/[^\x21-\x7e]|[";,\\]/g, "");
