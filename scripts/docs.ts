// Brings docs/reference up to date; with --check writes nothing and exits 1 when a page is out of date.
import { generateDocs } from "../src/app/generate-docs.ts";
import { cliReference } from "../src/cli/reference.ts";

const isCheck = process.argv.includes("--check");
const outdated = await generateDocs({ isCheck, cli: await cliReference() });
for (const path of outdated) console.log(path);
if (isCheck && outdated.length > 0) process.exitCode = 1;
