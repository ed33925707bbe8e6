/**
 * The command line: a thin client of the public API, plus the doors to the roles. {@link main} finds the command,
 * reads its flags, runs it and turns errors into messages and exit codes; each command is a file in `commands/`.
 */
import { apiRefused, usageInvalid } from "../kernel/errors/cli.ts";
import { ViaductError } from "../kernel/errors/define.ts";
import type { AnyCommand, Context } from "./command.ts";
import { commandHelp, generalHelp } from "./help.ts";
import { commands, type ListedCommand } from "./list.ts";
import { createOutput, type Host, printable } from "./output.ts";
import { parseLine } from "./parse.ts";
import { processHost } from "./process-host.ts";

export type { Host } from "./output.ts";

/** Exit codes, as `viaduct --help` documents them. */
const DONE = 0;
const FAILED = 1;
const WRONG_USAGE = 2;

/** Runs one command line. @param argv  Without the runtime and the script. @returns the exit code. */
export async function main(argv: readonly string[], host: Host = processHost()): Promise<number> {
  try {
    return await dispatch(argv, host);
  } catch (error) {
    return report(error, host);
  }
}

async function dispatch(argv: readonly string[], host: Host): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const about = first === "help" ? rest[0] : undefined;
    if (about !== undefined) return dispatch([about, "--help"], host);
    host.stdout.write(`${generalHelp(commands)}\n`);
    return DONE;
  }
  if (first === "--version" || first === "-v") return dispatch(["version", ...rest], host);

  const listed = commands.find(({ name }) => name === first);
  if (listed === undefined) throw await unknownCommand(first);
  return runCommand(listed, (await listed.load()).default, rest, host);
}

async function runCommand(
  listed: ListedCommand,
  command: AnyCommand,
  argv: readonly string[],
  host: Host,
): Promise<number> {
  const { flags, args, wantsHelp } = await parseLine(listed.name, command, argv);
  if (wantsHelp) {
    host.stdout.write(`${commandHelp(listed, command)}\n`);
    return DONE;
  }
  const out = createOutput(host);
  let connected: ReturnType<Context["client"]> | undefined;
  const client = () => {
    const api = typeof flags["api"] === "string" ? flags["api"] : undefined;
    connected ??= import("./connection.ts").then(({ connect }) => connect(host, out, api));
    return connected;
  };
  // parseLine has checked every flag against the command's own options, which is what its type says.
  try {
    return await command.run({ flags: flags as never, args, out, host, client });
  } catch (error) {
    if (flags["json"] === true && error instanceof ViaductError) out.json({ errors: errorsOf(error) });
    throw error;
  }
}

async function unknownCommand(given: string) {
  const { nearestName } = await import("../kernel/index.ts");
  const near = nearestName(
    given,
    commands.map(({ name }) => name),
  );
  return usageInvalid({
    problem: given.startsWith("-")
      ? `there is no flag ${given} before a command`
      : `there is no command «${given}»`,
    remedy: near === null ? "see «viaduct --help»" : `did you mean «viaduct ${near}»?`,
  });
}

/** For programs: what the API said, or our own message under its code. */
function errorsOf(error: ViaductError): readonly unknown[] {
  if (!apiRefused.is(error)) return [{ title: error.code, detail: error.message }];
  return error.details.problems.map(({ detail, answer }) => answer ?? { title: error.code, detail });
}

function report(error: unknown, host: Host): number {
  if (!(error instanceof ViaductError)) {
    // A mistake of ours: the stack is what a report of it needs.
    host.stderr.write(
      `viaduct: unexpected failure, please report it: ${error instanceof Error ? error.stack : String(error)}\n`,
    );
    return FAILED;
  }
  for (const line of error.message.split("\n")) host.stderr.write(`viaduct: ${printable(line)}\n`);
  return usageInvalid.is(error) ? WRONG_USAGE : FAILED;
}
