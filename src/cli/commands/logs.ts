import { setTimeout as sleep } from "node:timers/promises";
import { apiLacks } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand } from "../command.ts";
import { formatLogLine, recentLogs } from "../log-lines.ts";
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
    const guid = (await findApp(api, name)).text("guid");
    let seen = new Set<string>();
    for (;;) {
      const recent = await recentLogs(api, guid);
      if (recent === null) throw apiLacks({ api: api.session.api, feature: "recent logs" });
      const lines = recent.map((line) => ({ id: JSON.stringify(line.value), line }));
      for (const { id, line } of lines) if (!seen.has(id)) out.line(formatLogLine(line, out.paint));
      if (flags.recent === true) return 0;
      seen = new Set(lines.map(({ id }) => id));
      await sleep(POLL_MS);
    }
  },
});
