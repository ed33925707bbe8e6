/** What may be switched on for single apps. What this foundation cannot do stays off, and says so when asked for. */
import { Type } from "typebox";
import { resourceNotFound } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { findRow, onePage } from "../list.ts";
import { refuse } from "../refuse.ts";
import { message } from "../schema.ts";
import { listOf, oneOf, shape, type Shown } from "../shape.ts";
import { appListing, demandApp } from "./apps.ts";

interface Feature {
  readonly name: string;
  readonly description: string;
  /** Until somebody says otherwise. */
  readonly isOn: boolean;
  readonly canBeOn: boolean;
}

/** Upstream's names and words. SSH is an app's wish; `ssh_enabled` says that the foundation has none. */
const FEATURES: readonly Feature[] = [
  { name: "ssh", description: "Enable SSHing into the app.", isOn: true, canBeOn: true },
  { name: "revisions", description: "Enable versioning of an application", isOn: false, canBeOn: false },
  {
    name: "service-binding-k8s",
    description: "Enable k8s service bindings for the app",
    isOn: false,
    canBeOn: false,
  },
  {
    name: "file-based-vcap-services",
    description: "Enable file-based VCAP service bindings for the app",
    isOn: false,
    canBeOn: false,
  },
];

const UpdateFeature = message({ enabled: Type.Boolean() });

function findFeature(name: string | undefined): Feature {
  const feature = FEATURES.find((each) => each.name === name);
  if (feature === undefined) throw resourceNotFound({ resource: "Feature" });
  return feature;
}

const findApp = (call: Call<unknown>) => findRow(call, appListing, call.params["guid"] ?? "");

const AppFeature = shape("AppFeature", {
  name: oneOf<string>(...FEATURES.map(({ name }) => name)),
  description: Type.String(),
  enabled: Type.Boolean(),
});

type App = Pick<RowOf<"apps">, "guid">;

async function present(
  { context }: Call<unknown>,
  app: App,
): Promise<(feature: Feature) => Shown<typeof AppFeature>> {
  const rows = await context.store.db
    .selectFrom("app_features")
    .select(["name", "enabled"])
    .where("app_guid", "=", app.guid)
    .execute();
  const stored = new Map(rows.map((row) => [row.name, row.enabled === 1]));
  return ({ name, description, isOn }) => ({ name, description, enabled: stored.get(name) ?? isOn });
}

const presentOne = async (call: Call<unknown>, app: App, feature: Feature) =>
  (await present(call, app))(feature);

export const appFeatures: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/features",
    summary: "Lists what may be switched on for an app.",
    access: "read",
    answers: { 200: listOf(AppFeature) },
    parameters: ["page", "per_page"],
    handle: async (call) => ok(onePage(call, FEATURES.map(await present(call, await findApp(call))))),
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/apps/:guid/features/:name",
    summary: "Shows whether something is switched on for an app.",
    access: "read",
    answers: { 200: AppFeature },
    handle: async (call) => {
      const app = await findApp(call);
      return ok(await presentOne(call, app, findFeature(call.params["name"])));
    },
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/apps/:guid/features/:name",
    summary: "Switches something on or off for an app.",
    access: "write",
    answers: { 200: AppFeature },
    body: UpdateFeature,
    handle: async (call) => {
      const app = await findApp(call);
      const feature = findFeature(call.params["name"]);
      await demandApp(call, "app.write", app);
      const { enabled } = call.body;
      if (enabled && !feature.canBeOn) {
        refuse(
          `Feature '${feature.name}' cannot be enabled for app '${app.name}': this foundation has none of it.`,
        );
      }
      await call.context.write((db) =>
        db
          .insertInto("app_features")
          .values({ app_guid: app.guid, name: feature.name, enabled })
          .onConflict((conflict) => conflict.columns(["app_guid", "name"]).doUpdateSet({ enabled }))
          .execute(),
      );
      return ok(await presentOne(call, app, feature));
    },
  }),
];
