/** Jobs: what became of an asynchronous call. */
import { Type } from "typebox";
import { decodeJson } from "../../store/index.ts";
import type { Endpoint } from "../endpoint.ts";
import { everything } from "../condition.ts";
import { type Listing, showEndpoint } from "../list.ts";
import { head, link } from "../present.ts";
import { AboutOption, linksTo, oneOf, part, resource } from "../shape.ts";

const Job = resource("Job", {
  operation: Type.String({ examples: ["route.delete"] }),
  state: oneOf("PROCESSING", "COMPLETE", "FAILED"),
  links: linksTo(["self"]),
  errors: Type.Array(
    Type.Unsafe<unknown>(
      part({
        code: Type.Integer(),
        title: Type.String(),
        detail: Type.String(),
        about: Type.Optional(AboutOption),
      }),
    ),
  ),
  warnings: Type.Array(Type.Unsafe<unknown>(part({ detail: Type.String() }))),
});

/** Whoever knows the GUID may look, as upstream: a job says nothing about what it worked on. */
const jobListing: Listing<"jobs", typeof Job> = {
  table: "jobs",
  resource: "Job",
  shape: Job,
  filters: {},
  visible: () => everything,
  present: async ({ context }, rows) =>
    rows.map((row) => ({
      ...head(row),
      operation: row.operation,
      state: row.state,
      links: { self: link(context, `/v3/jobs/${row.guid}`) },
      errors: decodeJson(row.errors),
      warnings: decodeJson(row.warnings),
    })),
};

export const jobs: readonly Endpoint[] = [showEndpoint("/v3/jobs/:guid", "Shows a job.", jobListing)];
