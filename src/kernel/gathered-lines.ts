/**
 * Lines of one turn of the event loop, in few writes: 100,000 routes that register at once are 200,000 lines, and a
 * system call for each is a quarter of what a router does then.
 *
 * For standard output, where a write takes as long as it takes and nothing is lost: what a turn said is written at its
 * end, or when the process ends in it, by whatever means but a kill.
 */
import type { LineSink } from "./log.ts";

/** What a pipe takes in one piece (`PIPE_BUF`): processes that share one do not cut into each other's lines. */
const PIECE_BYTES = 4_096;
const BEHIND_LINE = /(?<=\n)/;

export class GatheredLines implements LineSink {
  readonly #sink: LineSink;
  #text = "";
  #isTurnOpen = false;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  write(line: string): void {
    // Characters: to count bytes is to copy the text, which is of many parts and copied by the write anyway.
    if (this.#text.length + line.length > PIECE_BYTES) this.flush();
    this.#text += line;
    if (this.#isTurnOpen) return;
    this.#isTurnOpen = true;
    setImmediate(this.#endTurn);
  }

  /** Writes what has been gathered. */
  flush(): void {
    if (this.#text === "") return;
    const text = this.#text;
    this.#text = "";
    if (Buffer.byteLength(text) <= PIECE_BYTES) this.#sink.write(text);
    else for (const line of text.split(BEHIND_LINE)) this.#sink.write(line);
  }

  readonly #endTurn = () => {
    this.#isTurnOpen = false;
    this.flush();
  };
}

let gatheredStdout: GatheredLines | null = null;

/** The one of this process. */
export function stdoutLines(): LineSink {
  if (gatheredStdout === null) {
    const lines = new GatheredLines(process.stdout);
    gatheredStdout = lines;
    process.once("exit", () => lines.flush());
  }
  return gatheredStdout;
}
