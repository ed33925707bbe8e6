/**
 * `service-discovery.*`: how the emitter tells whoever answers DNS where instances of internal routes are.
 */
import { type Decoded, decodeJson, type Json, refuseMessage, seconds, text, texts } from "./fields.ts";
import { encodeRegister, type RegisterFields } from "./router.ts";

/** What a reader needs of `service-discovery.register` and `.unregister`; other fields may hold anything. */
export interface ServiceDiscoveryMessage {
  /** Address of the instance on the overlay network, as given; "" only in an unregister, which it makes moot. */
  readonly host: string;
  /** Internal names: `app.apps.internal`, `0.app.apps.internal`; never empty. */
  readonly uris: readonly string[];
}

const MALFORMED = "AddressMessageHandler received a malformed";

export function decodeServiceDiscoveryRegister(bytes: Uint8Array): Decoded<ServiceDiscoveryMessage> {
  return withVerb(
    "register",
    decodeJson(bytes, (json) => {
      const message = readMessage(json);
      if (message.host === "") refuseMessage("host: is missing");
      return message;
    }),
  );
}

export function decodeServiceDiscoveryUnregister(bytes: Uint8Array): Decoded<ServiceDiscoveryMessage> {
  return withVerb("unregister", decodeJson(bytes, readMessage));
}

function readMessage(json: Json): ServiceDiscoveryMessage {
  const message = { host: text(json["host"], "host"), uris: texts(json["uris"], "uris") };
  if (message.uris.length === 0) refuseMessage("uris: is missing or empty");
  return message;
}

function withVerb<M>(verb: string, decoded: Decoded<M>): Decoded<M> {
  return decoded.ok ? decoded : { ok: false, problem: `${MALFORMED} ${verb} message: ${decoded.problem}` };
}

/** The JSON of a `service-discovery.register` or `.unregister`: a registry message whose port is always 0. */
export function encodeServiceDiscovery(
  fields: Pick<RegisterFields, "host" | "uris" | "app" | "privateInstanceIndex" | "endpointUpdatedAtNs">,
): string {
  const json = encodeRegister({ ...fields, tags: { component: "route-emitter" } });
  return `{"port":0,${json.slice(1)}`;
}

/** `service-discovery.start`, and the answer to `service-discovery.greet`. */
export interface ServiceDiscoveryStartMessage {
  /** `<index>-<uuid>` of the controller. */
  readonly id: string;
  readonly host: string;
  /** Period of full re-emission. */
  readonly minimumRegisterIntervalInSeconds: number;
  readonly pruneThresholdInSeconds: number;
}

export function encodeServiceDiscoveryStart(message: ServiceDiscoveryStartMessage): string {
  const { id, host, minimumRegisterIntervalInSeconds, pruneThresholdInSeconds } = message;
  return JSON.stringify({ id, host, minimumRegisterIntervalInSeconds, pruneThresholdInSeconds });
}

export function decodeServiceDiscoveryStart(bytes: Uint8Array): Decoded<ServiceDiscoveryStartMessage> {
  return decodeJson(bytes, (json) => ({
    id: text(json["id"], "id"),
    host: text(json["host"], "host"),
    minimumRegisterIntervalInSeconds: seconds(
      json["minimumRegisterIntervalInSeconds"],
      "minimumRegisterIntervalInSeconds",
    ),
    pruneThresholdInSeconds: seconds(json["pruneThresholdInSeconds"], "pruneThresholdInSeconds"),
  }));
}
