/**
 * Request and answer over plain publish and subscribe, the same for every bus: one wildcard subscription per
 * client, one token per request.
 *
 *   request ── publish(subject, replyTo = _INBOX.<client>.<n>) ──► handler ── publish(replyTo, answer) ──► resolve
 *
 * Not the NATS library's own request: it fails at once when nobody listens, and a caller that retries in a loop,
 * as every greeter in Cloud Foundry does, would spin.
 */
import { randomBytes } from "node:crypto";
import type { Clock } from "../kernel/index.ts";
import { busNoAnswer } from "../kernel/errors/bus.ts";
import type { Bus, BusSubscription } from "./types.ts";

export function createInbox(bus: Pick<Bus, "publish" | "subscribe">, clock: Clock): Pick<Bus, "request"> {
  const prefix = `_INBOX.${randomBytes(12).toString("base64url")}`;
  const waiting = new Map<string, (answer: Uint8Array) => void>();
  let subscription: BusSubscription | null = null;
  let counter = 0;

  return {
    request(subject, data, timeoutMs) {
      subscription ??= bus.subscribe(`${prefix}.*`, (message) =>
        waiting.get(message.subject)?.(message.data.slice()),
      );
      const replyTo = `${prefix}.${++counter}`;
      return new Promise((resolve, reject) => {
        const timer = clock.setTimeout(() => {
          waiting.delete(replyTo);
          reject(busNoAnswer({ subject, timeoutMs }));
        }, timeoutMs);
        waiting.set(replyTo, (answer) => {
          waiting.delete(replyTo);
          timer.clear();
          resolve(answer);
        });
        try {
          bus.publish(subject, data, replyTo);
        } catch (error) {
          waiting.delete(replyTo);
          timer.clear();
          reject(error);
        }
      });
    },
  };
}
