/** The log of a router in gorouter's place, line by line: notes what comes, and waits for a line instead of sleeping. */

export interface LogLine {
  readonly message: string;
  readonly source: string;
  readonly log_level: number | string;
  readonly data: Readonly<Record<string, unknown>>;
}

export function followLog() {
  const lines: LogLine[] = [];
  const wakers = new Set<() => void>();
  return {
    lines,
    messages: () => lines.map((line) => line.message),
    write(text: string) {
      lines.push(JSON.parse(text) as LogLine);
      for (const wake of wakers) wake();
    },
    /** The nth line of that message, when it is there. */
    async line(message: string, count = 1): Promise<LogLine> {
      for (;;) {
        const found = lines.filter((line) => line.message === message);
        if (found.length >= count) return found[count - 1] as LogLine;
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
        });
      }
    },
  };
}
