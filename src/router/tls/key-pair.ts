import { createSecureContext } from "node:tls";

/** @param onProblem  told why the two do not go together, when they do not */
export function checkKeyPair(cert: string, key: string, onProblem: (reason: string) => void): void {
  try {
    if (cert === "" || key === "") throw new Error("certificate or key is missing");
    createSecureContext({ cert, key });
  } catch (error) {
    onProblem((error as Error).message);
  }
}
