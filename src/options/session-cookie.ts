import { Type } from "typebox";
import { defineOption } from "./define.ts";

const MAX_CHARACTERS = 128;

/** The cookie by which the app knows a session; its owner comes back to the same instance. */
export default defineOption({
  name: "session-cookie",
  aliases: ["cookie"],
  summary: "The app's cookie that makes a session stay at its instance.",
  details:
    "When an answer sets this cookie, the router adds `__VCAP_ID__` with the instance; requests that carry both go to " +
    "that instance as long as it is there. Takes the place of the router's `sticky_session_cookie_names` for this " +
    "route. Cookie names are compared with regard to case.",
  schema: Type.String({ maxLength: MAX_CHARACTERS, pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [{ value: "connect.sid", effect: "sessions of an Express app stay at their instance" }],
  refusal: (given) =>
    typeof given === "string" && given.length > MAX_CHARACTERS
      ? `Session cookie must be at most ${MAX_CHARACTERS} characters`
      : "Session cookie must be the name of a cookie",
  hooks: (name) => ({ sessionCookie: name }),
});
