/**
 * What the API refuses, as `api_refused`: its own sentences for people, with what a refused route option is about
 * below them, and its own errors for programs.
 */
import { type ApiProblem, apiRefused } from "../kernel/errors/cli.ts";
import { Answer, parseJson } from "./answer.ts";
import type { HttpAnswer } from "./http.ts";

/** A value somebody gave may be as long as a body; a line is enough to know it again. */
const MAX_SHOWN_CHARS = 80;

/** What the refusal of a call says. */
export function refusal(method: string, path: string, { status, body }: HttpAnswer) {
  const problems = problemsOf(new Answer(parseJson(body), `${method} ${path}`));
  const nothing = { detail: `${method} ${path} answered ${status}` };
  return apiRefused({ status, problems: problems.length > 0 ? problems : [nothing] });
}

/** The `errors` of an answer or a job that have something to say. */
export function problemsOf(answer: Answer): readonly ApiProblem[] {
  const errors = answer.has("errors") ? answer.list("errors") : [];
  return errors
    .filter((error) => error.has("detail"))
    .map((error) => ({
      detail: error.text("detail"),
      answer: error.value,
      ...(error.has("about") && { hint: aboutText(error) }),
    }));
}

/** `route shop.localhost, option loadbalancing, value "dice"; allowed: round-robin, least-connection, hash` */
function aboutText(error: Answer): string {
  const option = String(error.find("about", "option") ?? "");
  const about = [
    `route ${String(error.find("about", "route"))}`,
    ...(option === "" ? [] : [`option ${option}`]),
    `value ${shown(error.find("about", "value"))}`,
  ].join(", ");
  return `${about}; allowed: ${allowedText(error.find("about", "allowed"))}`;
}

/** Values or names there are, or the JSON schema of the values in words; what has no words here stays JSON. */
function allowedText(allowed: unknown): string {
  if (Array.isArray(allowed)) return allowed.map(String).join(", ");
  if (typeof allowed !== "object" || allowed === null) return String(allowed);
  const {
    type,
    description: _,
    minimum,
    maximum,
    minLength,
    maxLength,
    pattern,
    ...rest
  } = {
    type: "value",
    ...(allowed as Readonly<Record<string, unknown>>),
  } as Readonly<Record<string, unknown>>;
  return [
    String(type),
    ...range(minimum, maximum, ""),
    ...range(minLength, maxLength, " characters"),
    ...(pattern === undefined ? [] : [`matching ${String(pattern)}`]),
    ...(Object.keys(rest).length === 0 ? [] : [shown(rest)]),
  ].join(", ");
}

function range(from: unknown, to: unknown, unit: string): readonly string[] {
  if (from === undefined && to === undefined) return [];
  if (to === undefined) return [`at least ${String(from)}${unit}`];
  return [from === undefined ? `at most ${String(to)}${unit}` : `${String(from)} to ${String(to)}${unit}`];
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "none";
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…` : text;
}
