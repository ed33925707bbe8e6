/**
 * Problems of a configuration as a tree, printed in route-registrar's form:
 *
 *   there were 3 errors with 'config'
 *       there were 2 errors with 'route "api"'
 *           * no host
 *           * no port
 *       * message_bus_servers must have at least one entry
 */

export class Problems {
  readonly #name: string;
  readonly #items: (string | Problems)[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** Of all levels. */
  get count(): number {
    return this.#items.reduce((sum, item) => sum + (typeof item === "string" ? 1 : item.count), 0);
  }

  add(problem: string | Problems): void {
    if (typeof problem === "string" || problem.count > 0) this.#items.push(problem);
  }

  toString(): string {
    const many = this.count === 1 ? "was 1 error" : `were ${this.count} errors`;
    const lines = this.#items.flatMap((item) =>
      typeof item === "string" ? [`* ${item}`] : item.toString().split("\n"),
    );
    return [`there ${many} with '${this.#name}'`, ...lines.map((line) => `    ${line}`)].join("\n");
  }
}
