import type { AddressInfo } from "node:net";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawServerDefault,
} from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ListenAddress, listenError } from "../kernel/index.ts";

export type HttpApi = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Bodies of control-plane calls are small; uploads raise the limit on their own route. */
const BODY_LIMIT_BYTES = 1024 * 1024;

export interface HttpApiOptions {
  /** Answers where no handler is even looked for: a path that cannot be decoded, or a piece of it that is too long. */
  readonly onUnreadablePath?: (request: FastifyRequest, reply: FastifyReply) => void;
}

/** A new, not listening API: test it with `inject`, or hand it to {@link listen}. */
export function createHttpApi({ onUnreadablePath }: HttpApiOptions = {}): HttpApi {
  return fastify({
    ...(onUnreadablePath !== undefined && {
      frameworkErrors: (_error: Error, request: FastifyRequest, reply: FastifyReply) =>
        onUnreadablePath(request, reply),
    }),
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1024 },
    // Strict: what a schema does not know is an error, never silently dropped or converted.
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: false, allErrors: true, useDefaults: true },
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
}

export interface HttpListener {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Opens the port.
 * @throws portTaken, listenFailed
 */
export async function listen(api: HttpApi, at: ListenAddress): Promise<HttpListener> {
  try {
    await api.listen({ host: at.host, port: at.port });
  } catch (error) {
    throw listenError(at, error);
  }
  const { port } = api.server.address() as AddressInfo;
  return { host: at.host, port, close: () => api.close() };
}
