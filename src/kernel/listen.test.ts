import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { listenError } from "./listen.ts";

const AT = { role: "router", host: "192.0.2.1", port: 80, setting: "router.port" };

test("an address that this machine does not have is the host's fault, not the port's", async () => {
  const [error] = await once(createServer().listen(0, AT.host), "error").catch((reason) => [reason]);
  assert.equal(
    listenError(AT, error).message,
    "router cannot listen on 192.0.2.1:80: address not available; 192.0.2.1 is no address of this machine, change the host that goes with router.port",
  );
});

test("a port that is for the administrator alone says which ports are not", () => {
  const denied = Object.assign(new Error("listen EACCES"), { code: "EACCES", errno: -13 });
  assert.equal(
    listenError(AT, denied).message,
    "router cannot listen on 192.0.2.1:80: permission denied; set router.port to 1024 or more, or give this process the capability CAP_NET_BIND_SERVICE",
  );
});
