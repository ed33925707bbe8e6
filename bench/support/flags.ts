/**
 * The flags of a benchmark: counts, switches and texts, told apart by their defaults. A count that is none is refused,
 * where `Number` would have measured nothing for a long time.
 */
import { parseArgs } from "node:util";

type Defaults = Readonly<Record<string, number | boolean | string>>;
type Values<D extends Defaults> = {
  readonly [K in keyof D]: D[K] extends number ? number : D[K] extends boolean ? boolean : string;
};

export interface Given<D extends Defaults> {
  readonly values: Values<D>;
  readonly positionals: readonly string[];
}

/** Prints the usage and ends the process when somebody asks for help or for what there is not. */
export function readFlags<D extends Defaults>(usage: string, defaults: D, mostPositionals = 0): Given<D> {
  try {
    const given = parseFlags(process.argv.slice(2), defaults, mostPositionals);
    if (given !== null) return given;
    console.log(usage);
    process.exit();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

/** Null when help is wanted. @throws with a sentence about what is wrong */
export function parseFlags<D extends Defaults>(
  argv: readonly string[],
  defaults: D,
  mostPositionals = 0,
): Given<D> | null {
  const options: Record<string, { type: "boolean" | "string"; short?: string }> = {
    help: { type: "boolean", short: "h" },
  };
  for (const [name, value] of Object.entries(defaults))
    options[name] = { type: typeof value === "boolean" ? "boolean" : "string" };
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  if (values["help"] === true) return null;
  const extra = positionals[mostPositionals];
  if (extra !== undefined) throw new Error(`«${extra}» is one word too many`);
  const read = Object.entries(defaults).map(([name, otherwise]) => {
    const value = values[name] ?? otherwise;
    return [name, typeof otherwise === "number" ? countOf(name, String(value)) : value];
  });
  return { values: Object.fromEntries(read) as Values<D>, positionals };
}

function countOf(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`--${flag} «${text}» is no whole number`);
}
