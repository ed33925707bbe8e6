import { setTimeout as sleep } from "node:timers/promises";
import { apiLacks } from "../../kernel/errors/cli.ts";
import type { Answer } from "../answer.ts";
import { apiFlag, defineCommand } from "../command.ts";
import { printable } from "../output.ts";
import { findApp } from "../resources.ts";

const POLL_MS = 500;

export default defineCommand({
  usage: "logs NAME [--recent]",
  examples: [
    { command: "viaduct logs shop --recent", effect: "prints the newest lines and leaves" },
    { command: "viaduct logs shop", effect: "prints them and goes on until Ctrl-C" },
  ],
  parameters: ["NAME"],
  options: { recent: { type: "boolean", describe: "Do not wait for more lines." }, ...apiFlag },
  async run({ flags, args: [name = ""], out, client }) {
    const api = await client();
    const path = `/v3/viaduct/apps/${(await findApp(api, name)).text("guid")}/recent_logs`;
    let seen = new Set<string>();
    for (;;) {
      const answer = await api.getIfThere(path);
      if (answer === null) throw apiLacks({ api: api.session.api, feature: "recent logs" });
      const lines = answer.list("resources").map((line) => ({ id: JSON.stringify(line.value), line }));
      for (const { id, line } of lines) if (!seen.has(id)) out.line(format(line, out.paint));
      if (flags.recent === true) return 0;
      seen = new Set(lines.map(({ id }) => id));
      await sleep(POLL_MS);
    }
  },
});

function format(line: Answer, paint: (tone: "bad" | "quiet", text: string) => string): string {
  const at = new Date(Number(BigInt(line.text("timestamp")) / 1_000_000n)).toISOString();
  const isError = line.find("stream") === "err";
  const source = `[${line.text("source")}/${line.number("instance_index")}]`;
  return `${paint("quiet", `${at} ${source}`)} ${isError ? paint("bad", "ERR") : "OUT"} ${printable(line.text("text"))}`;
}
