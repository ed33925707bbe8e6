import { apiAnswerUnexpected } from "../kernel/errors/cli.ts";

type Wanted = "text" | "number" | "list" | "map";

/**
 * JSON that somebody else wrote, read with checks: `answer.text("links", "self", "href")`. What is not there, or
 * of another kind, is `api_answer_unexpected` with the place, never an undefined that travels.
 */
export class Answer {
  readonly value: unknown;
  /** `GET /v3/apps`, for messages. */
  readonly where: string;

  constructor(value: unknown, where: string) {
    this.value = value;
    this.where = where;
  }

  /** What is at a path; undefined when any step of it is missing or null. */
  find(...path: readonly string[]): unknown {
    let value: unknown = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null) return undefined;
      value = (value as Record<string, unknown>)[key];
    }
    return value ?? undefined;
  }

  has(...path: readonly string[]): boolean {
    return this.find(...path) !== undefined;
  }

  text(...path: readonly string[]): string {
    const value = this.find(...path);
    if (typeof value !== "string") throw this.#unexpected(path, "text");
    return value;
  }

  number(...path: readonly string[]): number {
    const value = this.find(...path);
    if (typeof value !== "number") throw this.#unexpected(path, "number");
    return value;
  }

  list(...path: readonly string[]): readonly Answer[] {
    const value = this.find(...path);
    if (!Array.isArray(value)) throw this.#unexpected(path, "list");
    return value.map((item: unknown) => new Answer(item, this.where));
  }

  /** A flat map as text; empty when it is missing. */
  pairs(...path: readonly string[]): Readonly<Record<string, string>> {
    const value = this.find(...path);
    if (value === undefined) return {};
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.#unexpected(path, "map");
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
  }

  #unexpected(path: readonly string[], wanted: Wanted) {
    return apiAnswerUnexpected({ where: this.where, key: path.join("."), wanted });
  }
}

/** Undefined when it is no JSON; what reads it says so with the place. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
