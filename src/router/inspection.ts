/**
 * The questions that people ask a running router, as paths of its status listener:
 *
 *   GET /verdicts/<X-Vcap-Request-Id>              why that exchange went as it did
 *   GET /verdicts?last=20&status=5xx               the last ones, newest first
 *   GET /explain?url=shop.example.com/cart&method=GET   what would become of a request that came now
 */
import type { HttpRouter } from "./router.ts";
import type { VerdictEntry } from "./verdict-ring.ts";
import { explainVerdict } from "./verdict-text.ts";

export interface InspectionAnswer {
  readonly status: number;
  readonly body: object;
}

/** Null when the path is none of ours. */
export type Inspect = (url: URL) => Promise<InspectionAnswer | null>;

const DEFAULT_LAST = 20;
/** `502`, `5xx` */
const STATUS = /^[0-9]([0-9]{2}|xx)$/;

export function createInspection(
  router: Pick<HttpRouter, "lastVerdicts" | "findVerdict" | "explain">,
): Inspect {
  return async ({ pathname, searchParams }) => {
    if (pathname === "/explain") {
      const url = searchParams.get("url") ?? "";
      if (url === "") return problem(400, "url is missing; write /explain?url=shop.example.com/cart");
      const method = (searchParams.get("method") ?? "GET").toUpperCase();
      return { status: 200, body: await router.explain({ url, method }) };
    }
    if (pathname === "/verdicts") return list(router.lastVerdicts(), searchParams);
    if (!pathname.startsWith("/verdicts/")) return null;
    const requestId = pathname.slice("/verdicts/".length);
    const verdict = router.findVerdict(requestId);
    return verdict === null
      ? problem(404, `no verdict of request ${requestId} is kept; only the last ones are`)
      : { status: 200, body: present(verdict) };
  };
}

function list(verdicts: readonly VerdictEntry[], query: URLSearchParams): InspectionAnswer {
  const last = Number(query.get("last") ?? DEFAULT_LAST);
  const status = query.get("status") ?? "";
  if (!Number.isInteger(last) || last < 1)
    return problem(400, "last is no number of verdicts; write last=20");
  if (status !== "" && !STATUS.test(status)) {
    return problem(400, `status ${JSON.stringify(status)} is none; write status=502 or status=5xx`);
  }
  const fits = ({ status: had }: VerdictEntry) =>
    status === "" || String(had) === status || `${Math.floor(had / 100)}xx` === status;
  return { status: 200, body: { verdicts: verdicts.filter(fits).slice(0, last).map(present) } };
}

const present = (verdict: VerdictEntry): object => ({ ...verdict, why: explainVerdict(verdict) });

const problem = (status: number, error: string): InspectionAnswer => ({ status, body: { error } });
