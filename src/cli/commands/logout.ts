import { defineCommand } from "../command.ts";
import { writeSession } from "../data-dir.ts";

export default defineCommand({
  usage: "logout",
  examples: [
    {
      command: "viaduct logout",
      effect: "the next command talks to the Viaduct that runs here, if one does",
    },
  ],
  parameters: [],
  options: {},
  async run({ out, host }) {
    writeSession(host, null);
    out.note("logged out");
    return 0;
  },
});
