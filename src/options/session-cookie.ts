import { defineOption } from "./define.ts";
import { tokenOf } from "./token.ts";

/** The cookie by which the app knows a session; its owner comes back to the same instance. */
export default defineOption({
  name: "session-cookie",
  aliases: ["cookie"],
  summary: "The app's cookie that makes a session stay at its instance.",
  details:
    "When an answer sets this cookie, the router adds `__VCAP_ID__` with the instance; requests that carry both go to " +
    "that instance as long as it is there. Takes the place of the router's `sticky_session_cookie_names` for this " +
    "route. Cookie names are compared with regard to case.",
  ...tokenOf("Session cookie", "cookie"),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [{ value: "connect.sid", effect: "sessions of an Express app stay at their instance" }],
  hooks: (name) => ({ sessionCookie: name }),
});
