import { setTimeout as sleep } from "node:timers/promises";
import { apiLacks, waitExpired } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, timeoutFlag } from "../command.ts";
import { parseTimeout } from "../parse.ts";
import { existingRoute } from "../resources.ts";

const POLL_MS = 100;

export default defineCommand({
  usage: "wait HOST.DOMAIN[/PATH]",
  examples: [
    {
      command: "viaduct wait shop.localhost --timeout 10s",
      effect: "returns when the newest change of the route is in force everywhere",
    },
  ],
  parameters: ["HOST.DOMAIN[/PATH]"],
  options: { ...timeoutFlag, ...apiFlag },
  async run({ flags, args: [url = ""], out, client }) {
    const timeoutMs = await parseTimeout(flags.timeout);
    const api = await client();
    const guid = (await existingRoute(api, url)).text("guid");
    const deadline = performance.now() + timeoutMs;
    let said = "";
    for (;;) {
      const answer = await api.getIfThere(`/v3/viaduct/routes/${guid}/liveness`);
      if (answer === null) throw apiLacks({ api: api.session.api, feature: "liveness of routes" });
      const state = `live on ${answer.number("current")} of ${answer.number("readers")} readers`;
      if (state !== said) out.note(`${url}: ${state}`);
      said = state;
      if (answer.find("live") === true) return 0;
      if (performance.now() > deadline)
        throw waitExpired({ what: `${url} everywhere`, afterMs: timeoutMs, state });
      await sleep(POLL_MS);
    }
  },
});
