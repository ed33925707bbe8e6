/** The generated reference page of the command line: what `--help` says, as Markdown. */
import { commandHelp, generalHelp } from "./help.ts";
import { commands } from "./list.ts";

export async function cliReference(): Promise<string> {
  const sections = await Promise.all(
    commands.map(async (listed) => {
      const help = commandHelp(listed, (await listed.load()).default);
      return `## viaduct ${listed.name}\n\n${fence(help)}`;
    }),
  );
  return ["# Command line", fence(generalHelp(commands)), ...sections].join("\n\n").concat("\n");
}

const fence = (text: string) => `\`\`\`text\n${text}\n\`\`\``;
