/**
 * The `cf` program by its calls: what each command sends, in its order and with every parameter, what it reads of the
 * answers (`decoded.ts`), and which words of an error it goes by. Told by the program's published behaviour, version 8.
 */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { APPS } from "./apps.ts";
import { PLACES } from "./places.ts";
import type { Cf } from "./program.ts";
import { ROUTES } from "./routes.ts";
import { SERVICES } from "./services.ts";
import { type Command, Failure, Session } from "./session.ts";

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const texts = { type: "string", multiple: true } as const;

const OPTIONS: ParseArgsOptionsConfig = {
  hostname: { ...text, short: "n" },
  path: { ...text, short: "p" },
  port: text,
  option: { ...texts, short: "o" },
  "remove-option": { ...texts, short: "r" },
  "app-protocol": text,
  "router-group": text,
  internal: flag,
  "org-level": flag,
  labels: text,
  instances: { ...text, short: "i" },
  strategy: text,
  "no-start": flag,
  "no-route": flag,
  "random-route": flag,
  recent: flag,
  force: { ...flag, short: "f" },
  c: { ...text, short: "c" },
};
const PLACE = { org: { ...text, short: "o" }, space: { ...text, short: "s" } };
const FILE = { ...OPTIONS, force: flag, f: { ...text, short: "f" } };
const TO_PLACE = { ...OPTIONS, ...PLACE, option: texts };
const LIMITS = { memory: { ...text, short: "m" }, r: { ...text, short: "r" } };
const LOGIN = { username: { ...text, short: "u" }, password: { ...text, short: "p" }, ...PLACE };
const ROUTE_SERVICE = { "route-service": { ...text, short: "r" } };

/** Where the same letter stands for something else. */
const OWN_OPTIONS: Readonly<Record<string, ParseArgsOptionsConfig>> = {
  login: LOGIN,
  auth: { "client-credentials": flag },
  target: PLACE,
  "create-space": PLACE,
  "share-route": TO_PLACE,
  "unshare-route": TO_PLACE,
  "move-route": TO_PLACE,
  push: FILE,
  "apply-manifest": FILE,
  delete: { force: { ...flag, short: "f" }, routes: { ...flag, short: "r" } },
  "create-user-provided-service": ROUTE_SERVICE,
  "update-user-provided-service": ROUTE_SERVICE,
  "create-org-quota": LIMITS,
  "update-org-quota": LIMITS,
  "create-space-quota": LIMITS,
  "update-space-quota": LIMITS,
  curl: { method: { ...text, short: "X" }, data: { ...text, short: "d" } },
};

const COMMANDS: Readonly<Record<string, Command>> = { ...PLACES, ...ROUTES, ...APPS, ...SERVICES };

export function replayedCf(): Cf {
  const session = new Session();
  return {
    async run(...words) {
      session.printed.length = 0;
      const [name = "", ...rest] = words;
      const command = COMMANDS[name];
      if (command === undefined) throw new Error(`the replay does not know «cf ${name}»`);
      const options = OWN_OPTIONS[name] ?? OPTIONS;
      const { values, positionals } = parseArgs({ args: rest, options, allowPositionals: true });
      try {
        await command(session, { words: positionals, flags: values });
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return { code: 1, output: [...session.printed, error.message, "FAILED"].join("\n") };
      }
      return { code: 0, output: session.printed.join("\n") };
    },
  };
}
