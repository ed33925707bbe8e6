// The program. Not TypeScript: Node would load its type stripper (35 ms) for this file before the compile cache is
// on; with the cache on, it never does, and the rest of the program comes stripped and compiled from there.
import { enableCompileCache } from "node:module";

enableCompileCache();
const { main } = await import("../src/cli/index.ts");
process.exitCode = await main(process.argv.slice(2));
