import { apiLacks, waitExpired } from "../../kernel/errors/cli.ts";
import { apiFlag, defineCommand, timeoutFlag } from "../command.ts";
import { parseTimeout } from "../parse.ts";
import { existingRoute } from "../resources.ts";

/** Per call; below the limits of every proxy on the way. */
const WAIT_PER_CALL_MS = 10_000;

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
    for (let said = ""; ; ) {
      const leftMs = Math.max(0, Math.round(deadline - performance.now()));
      const answer = await api.getIfThere(`/v3/viaduct/routes/${guid}/liveness`, {
        wait_ms: String(Math.min(leftMs, WAIT_PER_CALL_MS)),
      });
      if (answer === null) throw apiLacks({ api: api.session.api, feature: "liveness of routes" });
      const state = `live on ${answer.number("current")} of ${answer.number("readers")} routers`;
      if (state !== said) out.note(`${url}: ${state}`);
      said = state;
      if (answer.find("live") === true) return 0;
      if (leftMs === 0) throw waitExpired({ what: `${url} everywhere`, afterMs: timeoutMs, state });
    }
  },
});
