import { apiFlag, defineCommand, timeoutFlag } from "../command.ts";
import { bringUp } from "../instances.ts";

export default defineCommand({
  usage: "restart NAME",
  examples: [
    { command: "viaduct restart shop", effect: "replaces every instance and waits until the new ones run" },
  ],
  parameters: ["NAME"],
  options: { ...timeoutFlag, ...apiFlag },
  run: (context) => bringUp(context, "restart"),
});
