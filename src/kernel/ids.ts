import { randomUUID } from "node:crypto";

/** A new random GUID, lower-case with dashes, as Cloud Foundry writes them. */
export const newGuid: () => string = () => randomUUID();
