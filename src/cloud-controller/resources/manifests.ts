/** Manifests: a space's apps in one document; applied, compared, and written down. */
import { Type } from "typebox";
import { stringify } from "yaml";
import { newGuid, ViaductError } from "../../kernel/index.ts";
import { wrongContentType } from "../../kernel/errors/cloud-controller.ts";
import { encodeJson, isUniqueViolation, type RowOf } from "../../store/index.ts";
import type { Context, Writer } from "../context.ts";
import { type AnswerOf, type Call, created, defineEndpoint, type Endpoint } from "../endpoint.ts";
import { JOB } from "../jobs.ts";
import { findRow } from "../list.ts";
import { applyManifest } from "../manifest/apply.ts";
import { type Difference, diffApp } from "../manifest/diff.ts";
import { type Manifest, readManifest, refuseAll, subjectOf } from "../manifest/document.ts";
import { generateManifest } from "../manifest/generate.ts";
import { optionProblems, type Place } from "../manifest/routes.ts";
import { demand } from "../permissions.ts";
import { errorAnswer } from "../respond.ts";
import { part, shape } from "../shape.ts";
import { appListing, demandEnvironment } from "./apps.ts";
import { placeOf, spaceListing } from "./spaces.ts";

/** The space of the call, if the caller may write apps in it. */
async function findPlace(call: Call<unknown>): Promise<Place> {
  const { context, caller } = call;
  const space = await findRow(call, spaceListing, call.params["guid"] ?? "");
  await demand(context.store.db, caller, "app.write", placeOf(space));
  return { context, caller, space };
}

/** @throws unprocessable with everything that is wrong with any application, before any of them is touched */
async function readChecked(call: Call<unknown>, place: Place): Promise<Manifest> {
  const manifest = readManifest(call.payload, call.context.config);
  const { db } = call.context.store;
  const problems = [...manifest.problems];
  for (const [index, app] of manifest.applications.entries()) {
    for (const route of app.routes ?? []) {
      const own = await optionProblems(db, place, route);
      problems.push(...own.map((problem) => subjectOf(app, index) + problem));
    }
  }
  refuseAll(problems);
  return manifest;
}

async function apply(call: Call<unknown>): Promise<AnswerOf<typeof JOB>> {
  const { context } = call;
  const place = await findPlace(call);
  const { applications, warnings } = await readChecked(call, place);
  const job = { guid: newGuid(), space: place.space.guid, warnings };
  const tryIt = () =>
    context.write(async (db, news) => {
      await applyManifest(db, news, place, applications);
      await insertJob(db, context, { ...job, state: "COMPLETE", errors: [] });
    });
  try {
    // What another manifest made at the same time is not in the way: the second look finds it, as if it had come later.
    await tryIt().catch((error: unknown) => (isTaken(error) ? tryIt() : Promise.reject(error)));
  } catch (error) {
    // What the rows refuse is the job's failure, as clients expect; a fault of ours is the call's.
    if (!(error instanceof ViaductError) || errorAnswer(error).isOurFault) throw error;
    const { errors } = errorAnswer(error).body;
    await context.write((db) => insertJob(db, context, { ...job, state: "FAILED", errors }));
  }
  return { status: 202, headers: { location: context.url(`/v3/jobs/${job.guid}`) } };
}

/** A unique index refused a row, whoever has said so in other words since. */
function isTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return isUniqueViolation(error) || isTaken(error.cause);
}

async function insertJob(
  db: Writer,
  context: Context,
  job: Pick<RowOf<"jobs">, "guid" | "state"> & {
    readonly space: string;
    readonly errors: readonly object[];
    readonly warnings: readonly string[];
  },
): Promise<void> {
  const now = context.now();
  await db
    .insertInto("jobs")
    .values({
      guid: job.guid,
      created_at: now,
      updated_at: now,
      operation: "space.apply_manifest",
      state: job.state,
      resource_type: "space",
      resource_guid: job.space,
      errors: encodeJson(job.errors),
      warnings: encodeJson(job.warnings.map((detail) => ({ detail }))),
    })
    .execute();
}

async function diff(call: Call<unknown>): Promise<AnswerOf<{ readonly 201: typeof ManifestDiff }>> {
  const { db } = call.context.store;
  const place = await findPlace(call);
  const { raw } = await readChecked(call, place);
  const differences: Difference[] = [];
  for (const [index, wanted] of raw.entries()) {
    const app = await db
      .selectFrom("apps")
      .selectAll()
      .where("space_guid", "=", place.space.guid)
      .where("name", "=", String(wanted["name"]))
      .executeTakeFirst();
    differences.push(...diffApp(index, wanted, app === undefined ? null : await generateManifest(db, app)));
  }
  return created({ diff: differences });
}

async function show(call: Call<unknown>): Promise<AnswerOf<{ readonly 200: typeof ManifestText }>> {
  const app = await findRow(call, appListing, call.params["guid"] ?? "");
  await demandEnvironment(call, app);
  const manifest = { applications: [await generateManifest(call.context.store.db, app)] };
  return {
    status: 200,
    headers: { "content-type": "application/x-yaml" },
    body: `---\n${stringify(manifest, { lineWidth: 0 })}`,
  };
}

const YAML = { type: "application/x-yaml", schema: { type: "string" } };
const ManifestText = Type.String({ contentMediaType: YAML.type });

const at = { path: Type.String({ pattern: "^/" }), value: Type.Unknown() };
const ManifestDiff = shape("ManifestDiff", {
  diff: Type.Array(
    Type.Unsafe<Difference>({
      anyOf: [
        part({ op: Type.Literal("add"), ...at }),
        part({ op: Type.Literal("replace"), ...at, was: Type.Unknown() }),
      ],
    }),
  ),
});

export const manifests: readonly Endpoint[] = [
  defineEndpoint({
    method: "POST",
    path: "/v3/spaces/:guid/actions/apply_manifest",
    summary: "Makes a space's apps what a manifest (YAML) says.",
    access: "write",
    answers: JOB,
    refuses: [wrongContentType],
    takes: YAML,
    handle: apply,
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/spaces/:guid/manifest_diff",
    summary: "Says what applying a manifest (YAML) would change.",
    access: "write",
    answers: { 201: ManifestDiff },
    refuses: [wrongContentType],
    takes: YAML,
    handle: diff,
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/manifest",
    summary: "Writes down an app as a manifest (YAML).",
    access: "read",
    answers: { 200: ManifestText },
    handle: show,
  }),
];
