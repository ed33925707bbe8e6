import { enableCompileCache } from "node:module";

enableCompileCache();
const { main } = await import("../src/cli/index.ts");
process.exitCode = await main(process.argv.slice(2));
