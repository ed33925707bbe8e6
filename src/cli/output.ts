/**
 * What a command may see and do of the machine it runs on, and how it prints. Results go to stdout, everything
 * else to stderr, so that `viaduct … --json | jq` always works.
 */

export interface Host {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Asks on the terminal; the answer is not shown when it is a secret. Null when nobody can answer. */
  readonly ask: (question: string, isSecret: boolean) => Promise<string | null>;
}

export interface Sink {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

/** Colours with a meaning, not for decoration. */
export type Tone = "good" | "bad" | "warn" | "quiet" | "strong";

export interface Output {
  /** One line of the result. */
  line(text: string): void;
  /** The result for programs. */
  json(value: unknown): void;
  /** Columns as wide as their widest cell; the header in bold. */
  table(header: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Progress and hints, on stderr. */
  note(text: string): void;
  paint(tone: Tone, text: string): string;
}

const ESCAPE = "\u001b[";
const TONES: Readonly<Record<Tone, string>> = { good: "32", bad: "31", warn: "33", quiet: "2", strong: "1" };
const PAINT = /\u001b\[\d+m/g;

export function createOutput(host: Host): Output {
  const isColourful = wantsColour(host);
  const paint = (tone: Tone, text: string) =>
    isColourful && text !== "" ? `${ESCAPE}${TONES[tone]}m${text}${ESCAPE}0m` : text;
  const line = (text: string) => void host.stdout.write(`${text}\n`);
  return {
    line,
    json: (value) => line(JSON.stringify(value, null, 2)),
    table: (header, rows) => {
      for (const text of layOut(header, rows, paint)) line(text);
    },
    note: (text) => void host.stderr.write(`${text}\n`),
    paint,
  };
}

/** NO_COLOR (any value but "") forbids, FORCE_COLOR asks, else a terminal decides. */
export function wantsColour(host: Pick<Host, "environment" | "stdout">): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = host.environment;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0") return true;
  return host.stdout.isTTY === true && TERM !== "dumb";
}

function layOut(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Output["paint"],
): readonly string[] {
  const safe = rows.map((row) => row.map(printable));
  const widths = header.map((title, column) =>
    Math.max(title.length, ...safe.map((row) => visibleLength(row[column] ?? ""))),
  );
  const pad = (row: readonly string[]) =>
    row
      .map((cell, column) => cell + " ".repeat(Math.max(0, (widths[column] ?? 0) - visibleLength(cell))))
      .join("   ")
      .trimEnd();
  return [pad(header.map((title) => paint("strong", title))), ...safe.map(pad)];
}

const visibleLength = (text: string) => text.replaceAll(PAINT, "").length;

/**
 * Control characters out of names and values that others wrote, so that they cannot move our cursor. Our own
 * paint stays.
 */
export function printable(text: string): string {
  return text
    .split(/(\u001b\[\d+m)/)
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "�")))
    .join("");
}
