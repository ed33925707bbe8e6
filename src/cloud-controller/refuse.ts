/** Refusals that every resource has: a 422 of one sentence. */
import { unprocessable } from "../kernel/errors/cloud-controller.ts";
import type { ViaductError } from "../kernel/index.ts";
import { isUniqueViolation } from "../store/index.ts";

/** @throws unprocessable */
export function refuse(problem: string, cause?: unknown): never {
  throw unprocessable({ problems: [problem] }, cause);
}

/**
 * Waits for a write; when a unique index stopped it, throws what `taken` makes of that. The index decides, not a look
 * beforehand: of two who want the same at once, one gets it.
 */
export async function unlessTaken<T>(write: Promise<T>, taken: (cause: unknown) => ViaductError): Promise<T> {
  try {
    return await write;
  } catch (error) {
    throw isUniqueViolation(error) ? taken(error) : error;
  }
}
