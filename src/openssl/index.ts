export type { HandshakeChoices } from "./callbacks.ts";
export type { OpenSsl } from "./library.ts";
export { openOpenSsl, type OpenSslOrReason } from "./open.ts";
export { ServerContext, type ServerContextOptions } from "./server-context.ts";
export { ENDED, FAILED, NEEDS_MORE, ServerSession } from "./server-session.ts";
