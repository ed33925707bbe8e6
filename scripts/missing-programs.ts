// Prints the programs that tests want and this machine lacks.
import { findProgram, TEST_PROGRAMS } from "../test/support/needs.ts";

console.log(TEST_PROGRAMS.filter((name) => findProgram(name) === null).join(", "));
