/** `PATCH` of resources of which nothing but labels and annotations can change: in one form for all of them. */
import { Type } from "typebox";
import type { RowOf } from "../store/index.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "./endpoint.ts";
import { findRow, type ListedTable, type Listing, presentNow } from "./list.ts";
import { Metadata, writeMetadata } from "./metadata.ts";
import { message } from "./schema.ts";

const Change = message({ metadata: Type.Optional(Metadata) });

/**
 * @param listing  Of a resource that may have labels.
 * @param demand   Throws when the caller may not change this one.
 */
export function metadataEndpoint<T extends ListedTable>(
  path: string,
  summary: string,
  listing: Listing<T>,
  demand: (call: Call<unknown>, row: RowOf<T>) => unknown,
): Endpoint {
  const { labelled = listing.table } = listing;
  return defineEndpoint({
    method: "PATCH",
    path,
    summary,
    access: "write",
    answers: { 200: listing.shape },
    body: Change,
    handle: async (call) => {
      const guid = call.params["guid"] ?? "";
      await demand(call, await findRow(call, listing, guid));
      await call.context.write((db) => writeMetadata(db, labelled, guid, call.body.metadata));
      return ok(await presentNow(call, listing, guid));
    },
  });
}
