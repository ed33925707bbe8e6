/**
 * Answers of all workers as one router's: each has a status listener of its own, on the loopback address and with a
 * password that only the primary knows.
 *
 *   /routes, /explain     any worker: all have the same table
 *   /verdicts             all of them: each knows the exchanges that it has carried
 *   /metrics              the sum
 */
import type { Logger } from "../../kernel/index.ts";
import type { Inspect, InspectionAnswer } from "../../router/index.ts";
import { sumEnded, sumMetrics } from "./sum-metrics.ts";

/** A worker that does not answer for so long is passed over. */
const ANSWER_LIMIT_MS = 5_000;
/** `viaduct explain` asks for fewer when it says nothing. */
const DEFAULT_LAST = 20;

export interface Asked {
  readonly slot: number;
  /** Null while it cannot be asked. */
  readonly status: { readonly url: string; readonly authorization: string } | null;
  /** Resolves when it has ended; then `lastMetrics` is what it said of them. */
  readonly ended: Promise<unknown>;
  readonly lastMetrics: string;
}

export interface Front {
  /** From its start to its end; afterwards only what it counted is left. */
  add(worker: Asked): void;
  routes(): AsyncIterable<string>;
  readonly inspect: Inspect;
  metrics(): Promise<string>;
}

export function createFront(log: Logger): Front {
  /** With the last page that each was seen with: a worker that is killed has no last words. */
  const workers = new Map<Asked, string>();
  /** By slot, the sum of those that have ended. */
  const ended = new Map<number, string>();

  const ask = async (worker: Asked, path: string): Promise<Response | null> => {
    if (worker.status === null) return null;
    const { url, authorization } = worker.status;
    try {
      return await fetch(`${url}${path}`, {
        headers: { authorization },
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
    } catch (error) {
      log.info({ path, error: (error as Error).message }, "worker-does-not-answer");
      return null;
    }
  };

  const askAny = async (path: string): Promise<Response | null> => {
    for (const worker of workers.keys()) {
      const response = await ask(worker, path);
      if (response !== null) return response;
    }
    return null;
  };

  const askAll = async (path: string): Promise<readonly Response[]> => {
    const responses = await Promise.all([...workers.keys()].map((worker) => ask(worker, path)));
    return responses.filter((response) => response !== null);
  };

  return {
    add(worker) {
      workers.set(worker, "");
      void worker.ended.then(() => {
        const { slot, lastMetrics } = worker;
        ended.set(slot, sumEnded(ended.get(slot) ?? "", lastMetrics || (workers.get(worker) ?? "")));
        workers.delete(worker);
      });
    },

    async *routes() {
      const response = await askAny("/routes");
      if (response === null || response.body === null) throw new Error("no worker answers");
      const decoder = new TextDecoder();
      for await (const piece of response.body) yield decoder.decode(piece, { stream: true });
    },

    async inspect({ pathname, search, searchParams }) {
      const path = `${pathname}${search}`;
      if (pathname === "/explain") return answerOf(await askAny(path));
      if (pathname === "/verdicts") {
        const answers = await Promise.all((await askAll(path)).map(answerOf));
        return mergeVerdicts(answers, Number(searchParams.get("last") ?? DEFAULT_LAST));
      }
      if (!pathname.startsWith("/verdicts/")) return null;
      const responses = await askAll(path);
      return answerOf(responses.find(({ ok }) => ok) ?? responses[0] ?? null);
    },

    async metrics() {
      const asking = [...workers.keys()].map(async (worker) => {
        const response = await ask(worker, "/metrics");
        // One that ends meanwhile cuts its answer.
        const page = response?.ok ? await response.text().catch(() => "") : "";
        // One that has ended while it was asked is counted by its last words.
        if (page !== "" && workers.has(worker)) workers.set(worker, page);
      });
      await Promise.all(asking);
      const slots = new Map([...ended].map(([slot, page]) => [slot, [page]]));
      for (const [{ slot }, page] of workers) slots.set(slot, [page, ...(slots.get(slot) ?? [])]);
      return sumMetrics([...slots.values()]);
    },
  };
}

async function answerOf(response: Response | null): Promise<InspectionAnswer> {
  if (response === null) return { status: 503, body: { error: "no worker serves at the moment" } };
  return { status: response.status, body: (await response.json()) as object };
}

/** Newest first, as each of them is. */
function mergeVerdicts(
  answers: readonly InspectionAnswer[],
  last: number,
): InspectionAnswer | Promise<InspectionAnswer> {
  const first = answers[0];
  if (first === undefined) return answerOf(null);
  if (first.status !== 200) return first;
  const verdicts = answers
    .flatMap(
      ({ body }) => (body as { readonly verdicts: readonly { readonly endedAtMs: number }[] }).verdicts,
    )
    .toSorted((a, b) => b.endedAtMs - a.endedAtMs);
  return { status: 200, body: { verdicts: verdicts.slice(0, last) } };
}
