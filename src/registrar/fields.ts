/** Fields of a JSON or YAML object, read one by one; as in Go, an absent one and null are the default. */

const MAX_PORT = 65_535;

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads fields and remembers those of a wrong type. */
export class Fields {
  readonly #json: Json;
  readonly #wrong: string[] = [];

  constructor(json: Json) {
    this.#json = json;
  }

  has(name: string): boolean {
    return this.#json[name] !== undefined && this.#json[name] !== null;
  }

  /** @param within  What the fields belong to, unless the tree of problems says it. */
  reportTypes(complain: (problem: string) => void, within = ""): void {
    for (const problem of this.#wrong) complain(`${within}${problem}`);
  }

  text(name: string): string {
    const value = this.#json[name] ?? "";
    if (typeof value === "string") return value;
    this.#isWrong(name, "text");
    return "";
  }

  flag(name: string): boolean {
    const value = this.#json[name] ?? false;
    if (typeof value === "boolean") return value;
    this.#isWrong(name, "true or false");
    return false;
  }

  list(name: string): readonly unknown[] {
    const value = this.#json[name] ?? [];
    if (Array.isArray(value)) return value;
    this.#isWrong(name, "a list");
    return [];
  }

  /** Null when it is something else. */
  texts(name: string): readonly string[] | null {
    const value = this.#json[name] ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
    this.#isWrong(name, "a list of texts");
    return null;
  }

  textMap(name: string): Readonly<Record<string, string>> {
    const value = this.object(name);
    if (Object.values(value).every((item) => typeof item === "string")) {
      return value as Readonly<Record<string, string>>;
    }
    this.#isWrong(name, "a map of texts");
    return {};
  }

  object(name: string): Json {
    const value = this.#json[name] ?? {};
    if (isObject(value)) return value;
    this.#isWrong(name, "an object");
    return {};
  }

  port(name: string, complain: (problem: string) => void): number | null {
    if (!this.has(name)) return null;
    const value = this.#json[name];
    if (typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_PORT) return value;
    complain(`invalid ${name}: ${JSON.stringify(value)}`);
    return null;
  }

  #isWrong(name: string, want: string): void {
    const problem = `${name} is not ${want}`;
    if (!this.#wrong.includes(problem)) this.#wrong.push(problem);
  }
}
