/** Packages: the files of an app as they were uploaded. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid, ViaductError } from "../../kernel/index.ts";
import { multipartInvalid, uploadTooLarge, zipInvalid } from "../../kernel/errors/bits.ts";
import { featureDisabled, resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, encodeJson, type RowOf } from "../../store/index.ts";
import { bitsOf, type StoredBits } from "../app-droplet.ts";
import { recordEvent } from "../audit.ts";
import { boundaryOf, readMultipart } from "../bits/multipart.ts";
import type { Bits, Incoming } from "../bits/store.ts";
import type { Context, Writer } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { demandFeature } from "../feature-flags.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findAgain, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { deleteMetadata, Metadata, writeMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import { head, link, toOneData, withMetadata } from "../present.ts";
import { refuse } from "../refuse.ts";
import { message, toOne } from "../schema.ts";
import {
  linksTo,
  MetadataShape,
  Nothing,
  oneOf,
  orNull,
  part,
  resource,
  shape,
  type Shown,
  ToOne,
} from "../shape.ts";
import { appFilters, appVisible } from "./app-rows.ts";
import { appListing, demandApp } from "./apps.ts";

/** As upstream: of each app so many packages and droplets are kept. */
export const KEPT_PER_APP = 5;
/** The list of files a client believes to be here; a few hundred bytes per file. */
const MAX_RESOURCES_BYTES = 16 * 1024 * 1024;

/** States in which a package takes bits. */
const WAITING: readonly string[] = ["AWAITING_UPLOAD", "FAILED"];
const ALREADY_UPLOADED = "Bits have already been uploaded; create another package.";

// --- messages ---

const CreatePackage = message({
  // A copy has the type of what it was made of.
  type: Type.Optional(Type.Enum(["bits"], { sentence: "Type must be one of 'bits'" })),
  data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  relationships: message({ app: toOne("app") }),
  metadata: Type.Optional(Metadata),
});
const MatchResources = message({ resources: Type.Array(Type.Record(Type.String(), Type.Unknown())) });

/** @throws unprocessable where no folder for bits is configured */
export function demandBits(context: Context): Bits {
  return (
    context.bits ??
    refuse("Pushing is not possible here; an operator may set cloud-controller.bits_directory.")
  );
}

// --- actions ---

/** An empty one, or with `source_guid` the copy of another app's or this app's. */
async function createPackage(call: Call<Static<typeof CreatePackage>>): Promise<string> {
  const { context, body, query } = call;
  demandBits(context);
  const source = query["source_guid"];
  if (source !== undefined) await demandPackage(call, await findRow(call, packageListing, source));
  else if (body.type === undefined) refuse("Type can't be blank");
  const app = await findRow(call, appListing, body.relationships.app.data.guid).catch((error: unknown) => {
    if (!resourceNotFound.is(error)) throw error;
    return refuse("App is invalid. Ensure it exists and you have access to it.");
  });
  await demandApp(call, "app.write", app);
  if (decodeJson(app.lifecycle).type === "local") {
    refuse("Apps with lifecycle 'local' run in a folder and take no packages.");
  }
  const guid = newGuid();
  await context.write(async (db) => {
    const now = context.now();
    // As it is in this transaction: bits are kept as long as a row names them.
    const copied = source === undefined ? null : await findAgain(db, packageListing, source);
    if (copied !== null && copied.state !== "READY") refuse("Source package is not ready to be copied.");
    await db
      .insertInto("packages")
      .values({
        guid,
        created_at: now,
        updated_at: now,
        app_guid: app.guid,
        type: "bits",
        state: copied?.state ?? "AWAITING_UPLOAD",
        error: null,
        data: copied?.data ?? encodeJson({}),
      })
      .execute();
    await writeMetadata(db, "package", guid, body.metadata);
    await recordEvent(db, call, {
      type: "audit.app.package.create",
      target: app,
      data: { package_guid: guid, request: body },
    });
    const old = await db
      .selectFrom("packages")
      .select("guid")
      .where("app_guid", "=", app.guid)
      .orderBy("created_at", "desc")
      .offset(KEPT_PER_APP)
      .limit(100)
      .execute();
    for (const each of old) await deletePackage(db, each.guid);
  });
  return guid;
}

async function deletePackage(db: Writer, guid: string): Promise<void> {
  await deleteMetadata(db, "package", [guid]);
  await db.deleteFrom("packages").where("guid", "=", guid).execute();
}

async function upload(call: Call<unknown>, row: RowOf<"packages">): Promise<void> {
  const { context, payload } = call;
  const bits = demandBits(context);
  await demandFeature(context.store.db, call.caller, "app_bits_upload");
  const app = await demandPackage(call, row);
  if (!WAITING.includes(row.state)) refuse(ALREADY_UPLOADED);
  if (payload.stream === null) throw multipartInvalid({ reason: "its content type is another" });
  const incoming = bits.receive();
  try {
    await readForm(payload.stream, boundaryOf(payload.type), incoming);
    await incoming.keep((sha256) =>
      context.write(async (db) => {
        if (!(await setState(db, context, row, "READY", null, { sha256 }))) {
          await findAgain(db, packageListing, row.guid);
          refuse(ALREADY_UPLOADED);
        }
        const data = { package_guid: row.guid };
        await recordEvent(db, call, { type: "audit.app.package.upload", target: app, data });
      }),
    );
  } catch (error) {
    if (error instanceof ViaductError && error.source === "client") {
      await context.write((db) => setState(db, context, row, "FAILED", error.message, {}));
    }
    throw zipInvalid.is(error) ? refuse(error.message, error) : error;
  } finally {
    await incoming.drop();
  }
  context.appLog.say(row.app_guid, "API", `Uploading bits of package ${row.guid} is complete`);
}

/** The parts `bits` and `resources`; the second names files that were matched, and here none ever is. */
async function readForm(stream: AsyncIterable<Buffer>, boundary: string, bits: Incoming): Promise<void> {
  let resources = "";
  let hasBits = false;
  await readMultipart(stream, boundary, (name) => {
    if (name === "bits" && !hasBits) {
      hasBits = true;
      return bits;
    }
    return {
      write: (bytes) => {
        if (name === "resources") resources += bytes.toString("latin1");
        if (resources.length > MAX_RESOURCES_BYTES)
          throw multipartInvalid({ reason: "resources is too long" });
      },
      end: () => {},
    };
  });
  if (!hasBits) refuse("Upload must include bits");
  if (resources.trim() !== "" && resources.trim() !== "[]" && resources.trim() !== "null") {
    refuse("Upload names resources that were not matched; send every file in bits.");
  }
}

/** False when it waits no longer: another upload was faster, or it was deleted. */
async function setState(
  db: Writer,
  context: Context,
  { guid }: Pick<RowOf<"packages">, "guid">,
  state: "READY" | "FAILED",
  error: string | null,
  data: StoredBits,
): Promise<boolean> {
  const changed = await db
    .updateTable("packages")
    .set({ state, error, data: encodeJson({ ...data }), updated_at: context.now() })
    .where("guid", "=", guid)
    .where("state", "in", WAITING)
    .executeTakeFirst();
  return Number(changed.numUpdatedRows) > 0;
}

/** @returns its app */
async function demandPackage(
  call: Call<unknown>,
  row: Pick<RowOf<"packages">, "app_guid">,
): Promise<RowOf<"apps">> {
  const app = await findRow(call, appListing, row.app_guid);
  await demandApp(call, "app.write", app);
  return app;
}

// --- presenter ---

/** Of bits; the value is null until there are some. */
export const Checksum = part({
  type: Type.Literal("sha256"),
  value: orNull(Type.String({ pattern: "^[0-9a-f]{64}$" })),
});

const Package = resource("Package", {
  type: oneOf<string>("bits"),
  data: part({ error: orNull(Type.String()), checksum: Checksum }),
  state: oneOf<string>("AWAITING_UPLOAD", "READY", "FAILED"),
  relationships: part({ app: ToOne }),
  metadata: MetadataShape,
  links: linksTo(["self", "upload", "app"]),
});

async function presentPackages(
  context: Context,
  rows: readonly RowOf<"packages">[],
): Promise<Shown<typeof Package>[]> {
  return withMetadata(context, "package", rows, (row, metadata) => {
    const self = `/v3/packages/${row.guid}`;
    return {
      ...head(row),
      type: row.type,
      data: { error: row.error, checksum: { type: "sha256", value: bitsOf(row) } },
      state: row.state,
      relationships: { app: toOneData(row.app_guid) },
      metadata,
      links: {
        self: link(context, self),
        upload: link(context, `${self}/upload`, "POST"),
        app: link(context, `/v3/apps/${row.app_guid}`),
      },
    };
  });
}

export const packageListing: Listing<"packages", typeof Package> = {
  table: "packages",
  resource: "Package",
  shape: Package,
  labelled: "package",
  filters: {
    ...appFilters("packages"),
    states: column("packages.state"),
    types: column("packages.type"),
  },
  visible: (call) => appVisible(call, "packages"),
  present: ({ context }, rows) => presentPackages(context, rows),
};

// --- endpoints ---

const findPackage = (call: Call<unknown>) => findRow(call, packageListing, call.params["guid"] ?? "");

export const packages: readonly Endpoint[] = [
  listEndpoint("/v3/packages", "Lists packages.", packageListing),
  showEndpoint("/v3/packages/:guid", "Shows a package.", packageListing),
  listEndpoint("/v3/apps/:guid/packages", "Lists an app's packages.", packageListing, async (call) => {
    const app = await findRow(call, appListing, call.params["guid"] ?? "");
    return sql<boolean>`packages.app_guid = ${app.guid}`;
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/packages",
    summary:
      "Creates a package, to which the files are uploaded next; or copies the one that `source_guid` names.",
    access: "write",
    answers: { 201: Package },
    refuses: [resourceNotFound],
    parameters: ["source_guid"],
    body: CreatePackage,
    handle: async (call) => created(await presentNow(call, packageListing, await createPackage(call))),
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/packages/:guid/upload",
    summary: "Uploads the files of a package: a form with the zip file `bits`.",
    access: "write",
    answers: { 200: Package },
    refuses: [featureDisabled, multipartInvalid, uploadTooLarge],
    takes: {
      type: "multipart/form-data",
      schema: {
        type: "object",
        required: ["bits"],
        properties: {
          bits: { type: "string", contentMediaType: "application/zip" },
          resources: { type: "string", const: "[]" },
        },
      },
    },
    handle: async (call) => {
      const row = await findPackage(call);
      await upload(call, row);
      return ok(await presentNow(call, packageListing, row.guid));
    },
  }),
  metadataEndpoint("/v3/packages/:guid", "Changes a package's metadata.", packageListing, demandPackage),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/packages/:guid",
    summary: "Deletes a package.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const row = await findPackage(call);
      const app = await demandPackage(call, row);
      const job = { operation: "package.delete", resourceType: "package", resourceGuid: row.guid };
      return asJob(call.context, job, async (db) => {
        const data = { package_guid: row.guid };
        await recordEvent(db, call, { type: "audit.app.package.delete", target: app, data });
        await deletePackage(db, row.guid);
      });
    },
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/resource_matches",
    // Files are kept by archive, so that a push is one upload and nothing has to be put together from two places.
    summary: "Says which files need not be uploaded: none.",
    access: "write",
    answers: { 201: shape("ResourceMatches", { resources: Type.Array(Nothing) }) },
    refuses: [featureDisabled],
    body: MatchResources,
    handle: async ({ context, caller }) => {
      await demandFeature(context.store.db, caller, "app_bits_upload");
      return created({ resources: [] });
    },
  }),
];
