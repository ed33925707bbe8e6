/** The command line: one file per command, loaded when it is called. */
export async function main(_argv: readonly string[]): Promise<number> {
  return 0;
}
