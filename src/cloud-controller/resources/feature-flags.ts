/** Feature flags: what administrators switch on and off for everybody. */
import { Type } from "typebox";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import type { Context } from "../context.ts";
import { defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { FEATURE_FLAGS, type FeatureFlag, isFeatureFlag } from "../feature-flags.ts";
import { onePage } from "../list.ts";
import { demandAdmin } from "../permissions.ts";
import { link, shownTime } from "../present.ts";
import { message, nullable } from "../schema.ts";
import { linksTo, listOf, oneOf, orNull, shape, type Shown, Time } from "../shape.ts";

const FLAG_NAMES = Object.keys(FEATURE_FLAGS).filter(isFeatureFlag);

const UpdateFeatureFlag = message({
  enabled: Type.Optional(Type.Boolean()),
  custom_error_message: Type.Optional(nullable(Type.String({ minLength: 1, maxLength: 250 }))),
});

function findFlag(name: string | undefined): FeatureFlag {
  if (name === undefined || !isFeatureFlag(name)) throw resourceNotFound({ resource: "Feature flag" });
  return name;
}

const Flag = shape("FeatureFlag", {
  name: oneOf(...FLAG_NAMES),
  enabled: Type.Boolean(),
  updated_at: orNull(Time),
  custom_error_message: orNull(Type.String()),
  links: linksTo(["self"]),
});

async function present(context: Context): Promise<(name: FeatureFlag) => Shown<typeof Flag>> {
  const rows = await context.store.db.selectFrom("feature_flags").selectAll().execute();
  return (name) => {
    const row = rows.find((each) => each.name === name);
    return {
      name,
      enabled: row === undefined ? FEATURE_FLAGS[name] : row.enabled === 1,
      updated_at: row === undefined ? null : shownTime(row.updated_at),
      custom_error_message: row?.error_message ?? null,
      links: { self: link(context, `/v3/feature_flags/${name}`) },
    };
  };
}

export const featureFlags: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/feature_flags",
    summary: "Lists feature flags.",
    access: "read",
    answers: { 200: listOf(Flag) },
    parameters: ["page", "per_page", "order_by"],
    handle: async (call) => ok(onePage(call, FLAG_NAMES.map(await present(call.context)))),
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/feature_flags/:name",
    summary: "Shows a feature flag.",
    access: "read",
    answers: { 200: Flag },
    handle: async ({ context, params }) => ok((await present(context))(findFlag(params["name"]))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/feature_flags/:name",
    summary: "Switches a feature flag.",
    access: "write",
    answers: { 200: Flag },
    body: UpdateFeatureFlag,
    handle: async ({ context, caller, params, body }) => {
      const name = findFlag(params["name"]);
      demandAdmin(caller);
      await context.write(async (db) => {
        const row = await db
          .selectFrom("feature_flags")
          .selectAll()
          .where("name", "=", name)
          .executeTakeFirst();
        const isEnabled = body.enabled ?? (row === undefined ? FEATURE_FLAGS[name] : row.enabled === 1);
        const values = {
          enabled: isEnabled ? (1 as const) : (0 as const),
          error_message:
            body.custom_error_message === undefined
              ? (row?.error_message ?? null)
              : body.custom_error_message,
          updated_at: context.now(),
        };
        await db
          .insertInto("feature_flags")
          .values({ name, ...values })
          .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
          .execute();
      });
      return ok((await present(context))(name));
    },
  }),
];
