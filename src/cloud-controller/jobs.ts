/**
 * What upstream does in the background and answers with a job, we do at once, in the same transaction as the job
 * that says it is complete. Clients poll it as they are used to.
 */
import { encodeJson } from "../store/index.ts";
import { newGuid } from "../kernel/index.ts";
import type { Context, Writer } from "./context.ts";
import type { AnswerOf } from "./endpoint.ts";
import type { News } from "./news.ts";

/** Clients poll for seconds; afterwards nobody asks. */
const JOBS_ARE_KEPT_MS = 24 * 3_600_000;

/** The `answers` of what {@link asJob} does. */
export const JOB = { 202: null } as const;

/** Does `work` and answers 202 with the job's address. */
export async function asJob(
  context: Context,
  job: { readonly operation: string; readonly resourceType: string; readonly resourceGuid: string },
  work: (db: Writer, news: News) => Promise<void>,
): Promise<AnswerOf<typeof JOB>> {
  const guid = newGuid();
  await context.write(async (db, news) => {
    await work(db, news);
    const now = context.now();
    const oldest = new Date(Date.parse(now) - JOBS_ARE_KEPT_MS).toISOString();
    await db
      .deleteFrom("jobs")
      .where("state", "in", ["COMPLETE", "FAILED"])
      .where("created_at", "<", oldest)
      .execute();
    await db
      .insertInto("jobs")
      .values({
        guid,
        created_at: now,
        updated_at: now,
        operation: job.operation,
        state: "COMPLETE",
        resource_type: job.resourceType,
        resource_guid: job.resourceGuid,
        errors: encodeJson([]),
        warnings: encodeJson([]),
      })
      .execute();
  });
  // Deleted apps, packages and droplets leave bits behind that nobody waits for.
  if (job.operation.endsWith(".delete")) void context.bits?.sweep().catch(() => {});
  return { status: 202, headers: { location: context.url(`/v3/jobs/${guid}`) } };
}
