import { getSystemErrorMessage } from "node:util";

/** Node's advice about authorities, for whoever calls Node himself. */
const NODE_REMEDY = /; if the root CA is installed locally, try running Node\.js with --use-system-ca$/;

/** What the system said, without the name of the call and the path, which our own message has: «no such file or directory». */
export function systemReason(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException;
  // Those of DNS have a text for a number.
  if (typeof errno === "number") return getSystemErrorMessage(errno);
  return (error instanceof Error ? error.message : String(error)).replace(NODE_REMEDY, "");
}
