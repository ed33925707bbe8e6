import { nameUnknown, usageInvalid } from "../../kernel/errors/cli.ts";
import { defineCommand, jsonFlag } from "../command.ts";
import { configFlags, openApp, runOptions } from "../roles.ts";

export default defineCommand({
  usage: "config check|explain [KEY] [-c FILE] [--set KEY=VALUE…]",
  details: "Precedence: defaults, then the file, then the environment, then --set. Secrets print as ***.",
  examples: [
    {
      command: "viaduct config check -c viaduct.yml",
      effect: "lists every problem with line and remedy, or says ok",
    },
    {
      command: "viaduct config explain router.port",
      effect: "the value in force, where it came from, what it means",
    },
    { command: "viaduct config explain router", effect: "every setting of one role" },
  ],
  parameters: ["check|explain", "KEY?"],
  options: { ...configFlags, ...jsonFlag },
  async run({ flags, args: [action = "", key], out, host }) {
    if (action !== "check" && action !== "explain") {
      throw usageInvalid({
        problem: `there is no «viaduct config ${action}»`,
        remedy: "write «config check» or «config explain»",
      });
    }
    const options = await runOptions(host, flags);
    const { loadAppConfig } = await openApp("index");
    const { entries } = loadAppConfig(options);
    if (action === "check") {
      out.line(
        `ok: ${entries.length} settings, ${entries.filter((e) => e.origin !== "default").length} of them not default`,
      );
      return 0;
    }
    const chosen = entries.filter(
      ({ path }) => key === undefined || path === key || path.startsWith(`${key}.`),
    );
    if (key !== undefined && chosen.length === 0) {
      const { nearestName } = await import("../../kernel/index.ts");
      const near = nearestName(
        key,
        entries.map(({ path }) => path),
      );
      throw nameUnknown({ kind: "setting", name: key, near, list: "viaduct config explain" });
    }
    if (flags.json === true) out.json(chosen);
    else {
      out.table(
        ["setting", "value", "from", "meaning"],
        chosen.map((e) => [e.path, e.shown, e.origin, e.describe]),
      );
    }
    return 0;
  },
});
