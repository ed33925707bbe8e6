import { defineCommand } from "../command.ts";
import { configFlags, openApp, runOptions } from "../roles.ts";

export default defineCommand({
  usage: "up [-c FILE] [--set KEY=VALUE…]",
  details:
    "Runs on its own: an embedded database, an in-process bus, no other service. Data lives in VIADUCT_HOME and\nsurvives the process. Ctrl-C drains and stops; apps start again with the next «viaduct up».",
  examples: [
    { command: "viaduct up", effect: "listens on 8080, prints the URLs, the login and what to type next" },
    { command: "viaduct up --set router.port=8081", effect: "listens on 8081 instead" },
  ],
  parameters: [],
  options: configFlags,
  async run({ flags, host }) {
    const options = await runOptions(host, flags);
    const { runUp } = await openApp("index");
    return runUp(options);
  },
});
