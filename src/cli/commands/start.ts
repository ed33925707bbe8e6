import { apiFlag, defineCommand, timeoutFlag } from "../command.ts";
import { bringUp } from "../instances.ts";

export default defineCommand({
  usage: "start NAME",
  examples: [
    { command: "viaduct start shop", effect: "returns when every instance runs, fails when one crashes" },
  ],
  parameters: ["NAME"],
  options: { ...timeoutFlag, ...apiFlag },
  run: (context) => bringUp(context, "start"),
});
