/** Environment variable groups: what every app finds in its environment, unless it sets the variable itself. */
import { Type } from "typebox";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import { encodeJson } from "../../store/index.ts";
import type { Context } from "../context.ts";
import { defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { ENVIRONMENT_GROUPS, type EnvironmentGroup, loadEnvironmentGroup } from "../environment-groups.ts";
import { demandAdmin } from "../permissions.ts";
import { link, shownTime } from "../present.ts";
import { message } from "../schema.ts";
import { linksTo, oneOf, orNull, shape, type Shown, Texts, Time } from "../shape.ts";
import { variableProblems } from "./apps.ts";

const UpdateGroup = message({ var: Type.Record(Type.String(), Type.Unknown()) });
const PATH = "/v3/environment_variable_groups/:name";

function findGroup(name: string | undefined): EnvironmentGroup {
  const known = ENVIRONMENT_GROUPS.find((each) => each === name);
  if (known === undefined) throw resourceNotFound({ resource: "Environment variable group" });
  return known;
}

async function updateGroup(
  context: Context,
  name: EnvironmentGroup,
  change: Readonly<Record<string, unknown>>,
): Promise<void> {
  await context.write(async (db) => {
    const { variables } = await loadEnvironmentGroup(db, name);
    const merged = Object.entries({ ...variables, ...change }).filter(([, value]) => value !== null);
    const values = {
      // Checked to be text before.
      variables: encodeJson(Object.fromEntries(merged) as Record<string, string>),
      updated_at: context.now(),
    };
    await db
      .insertInto("environment_groups")
      .values({ name, ...values })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
      .execute();
  });
}

const Group = shape("EnvironmentVariableGroup", {
  name: oneOf(...ENVIRONMENT_GROUPS),
  var: Texts,
  updated_at: orNull(Time),
  links: linksTo(["self"]),
});

async function present(context: Context, name: EnvironmentGroup): Promise<Shown<typeof Group>> {
  const { variables, updatedAt } = await loadEnvironmentGroup(context.store.db, name);
  return {
    name,
    var: variables,
    updated_at: updatedAt === null ? null : shownTime(updatedAt),
    links: { self: link(context, `/v3/environment_variable_groups/${name}`) },
  };
}

export const environmentGroups: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: PATH,
    summary: "Shows variables that every app gets while it runs or is staged.",
    access: "read",
    answers: { 200: Group },
    handle: async ({ context, params }) => ok(await present(context, findGroup(params["name"]))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: PATH,
    summary: "Sets variables of every app, from its next start on, or removes those that are null.",
    access: "write",
    answers: { 200: Group },
    body: UpdateGroup,
    check: (body) => variableProblems("Var", body.var, "allowed"),
    handle: async ({ context, caller, params, body }) => {
      const name = findGroup(params["name"]);
      demandAdmin(caller);
      await updateGroup(context, name, body.var);
      return ok(await present(context, name));
    },
  }),
];
