/**
 * The frame of every HTTP API here: a Fastify instance that logs through our logger, validates strictly and
 * listens with a clear error. What an API answers, and how its errors look, is its own room's business.
 */
export { createHttpApi, listen } from "./server.ts";
export type { HttpApi, HttpListener } from "./server.ts";
