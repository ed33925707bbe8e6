/** The texts of `--help`. */
import type { AnyCommand, Flag } from "./command.ts";
import type { ListedCommand } from "./list.ts";

const INDENT = "  ";

export function generalHelp(commands: readonly ListedCommand[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const groups = Map.groupBy(commands, ({ group }) => group);
  const sections = [...groups].map(
    ([group, members]) =>
      `${group}:\n${members.map((c) => `${INDENT}${c.name.padEnd(width)}  ${c.summary}`).join("\n")}`,
  );
  return [
    "viaduct: Cloud Foundry's application-routing tier",
    `Usage:\n${INDENT}viaduct COMMAND [ARGUMENT…] [--flag…]\n${INDENT}viaduct COMMAND --help`,
    ...sections,
    "Exit codes:\n  0  done\n  1  failed; the reason is on stderr\n  2  wrong usage; nothing was changed",
    [
      "Environment:",
      "  VIADUCT_HOME  folder of the data, the connection and the tokens (default: .viaduct in the checkout)",
      "  VIADUCT_API   URL of the API to talk to",
      "  NO_COLOR      any value: no colours",
    ].join("\n"),
    "First steps:\n  viaduct up\n  viaduct run --name shop --route shop.localhost -- node examples/hello/server.js\n  viaduct routes",
  ].join("\n\n");
}

export function commandHelp(listed: ListedCommand, command: AnyCommand): string {
  const flags = Object.entries(command.options).map(([name, flag]) => ({
    form: flagForm(name, flag),
    describe: flag.describe,
  }));
  flags.push({ form: "-h, --help", describe: "Show this text." });
  const width = Math.max(...flags.map(({ form }) => form.length));
  return [
    `viaduct ${listed.name}: ${listed.summary}`,
    `Usage:\n${INDENT}viaduct ${command.usage}`,
    ...(command.details === undefined ? [] : [command.details]),
    `Flags:\n${flags.map((f) => `${INDENT}${f.form.padEnd(width)}  ${f.describe}`).join("\n")}`,
    `Examples:\n${command.examples.map((e) => `${INDENT}${e.command}\n${INDENT}${INDENT}${e.effect}`).join("\n")}`,
  ].join("\n\n");
}

function flagForm(name: string, flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  return `${short}--${name}${flag.type === "string" ? ` ${flag.value ?? "TEXT"}` : ""}`;
}
