import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Asks on the terminal. A secret is read without echo. Null when the input ends. */
export function askOnTerminal(question: string, isSecret: boolean): Promise<string | null> {
  let isMuted = false;
  const output = new Writable({
    write(chunk, _encoding, done) {
      if (!isMuted) process.stderr.write(chunk);
      done();
    },
  });
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  return new Promise((resolve) => {
    terminal.on("close", () => resolve(null));
    terminal.question(`${question}: `, (answer) => {
      resolve(answer);
      if (isSecret) process.stderr.write("\n");
      terminal.close();
    });
    isMuted = isSecret;
  });
}
