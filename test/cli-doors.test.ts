import assert from "node:assert/strict";
import { test } from "node:test";
import type * as generateDocs from "../src/app/generate-docs.ts";
import type * as index from "../src/app/index.ts";
import type * as registrarRole from "../src/app/registrar-role.ts";
import type * as routerRole from "../src/app/router-role.ts";
import { type AppFiles, openApp } from "../src/cli/roles.ts";

/** What is there, by its real types: the compiler refuses this file when they no longer fit the door's. */
interface RealFiles {
  readonly index: typeof index;
  readonly "generate-docs": typeof generateDocs;
  readonly "router-role": typeof routerRole;
  readonly "registrar-role": typeof registrarRole;
}
type Fits<Real extends AppFiles> = Real;

const FUNCTIONS: { readonly [F in keyof Fits<RealFiles>]: readonly (keyof AppFiles[F])[] } = {
  index: ["runUp", "loadAppConfig"],
  "generate-docs": ["generateDocs"],
  "router-role": ["runRouterRole"],
  "registrar-role": ["runRegistrarRole"],
};

for (const [file, names] of Object.entries(FUNCTIONS)) {
  test(`behind the command line's door to ${file} is what its commands call`, async () => {
    const module: object = await openApp(file as keyof AppFiles);
    for (const name of names) assert.equal(typeof Reflect.get(module, name), "function", name);
  });
}
