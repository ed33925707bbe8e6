/** `VCAP_SERVICES`: what an app knows of the services it is bound to, from its next start on. */
import { newGuid } from "../kernel/index.ts";
import { decodeJson, type RowOf } from "../store/index.ts";
import { recordEvent } from "./audit.ts";
import type { Database, Writer } from "./context.ts";
import type { Actor } from "./endpoint.ts";
import { groupBy } from "./present.ts";

export type VcapServices = Readonly<Record<string, readonly object[]>>;

/** @param appGuids  Null for all apps. */
export async function loadVcapServices(
  db: Database,
  appGuids: readonly string[] | null,
): Promise<(appGuid: string) => VcapServices> {
  const rows =
    appGuids?.length === 0
      ? []
      : await db
          .selectFrom("service_credential_bindings as bindings")
          .innerJoin("service_instances as instances", "instances.guid", "bindings.service_instance_guid")
          .selectAll("instances")
          .select(["bindings.app_guid", "bindings.guid as bindingGuid", "bindings.name as bindingName"])
          .$if(appGuids !== null, (query) => query.where("bindings.app_guid", "in", appGuids ?? []))
          .orderBy("bindings.created_at")
          .orderBy("bindings.guid")
          .execute();
  const rowsOf = groupBy(rows, (row) => row.app_guid);
  return (appGuid): VcapServices => {
    const services = rowsOf(appGuid).map((row) => ({
      label: row.type,
      name: row.bindingName ?? row.name,
      tags: decodeJson(row.tags),
      instance_guid: row.guid,
      instance_name: row.name,
      binding_guid: row.bindingGuid,
      binding_name: row.bindingName,
      credentials: decodeJson(row.credentials),
      syslog_drain_url: row.syslog_drain_url,
      volume_mounts: [],
    }));
    return services.length === 0 ? {} : { "user-provided": services };
  };
}

/** An app and a service are bound once; the unique index sees to it. */
export async function insertBinding(
  db: Writer,
  actor: Actor,
  binding: {
    readonly app: string;
    readonly instance: Pick<RowOf<"service_instances">, "guid" | "space_guid">;
    readonly name: string | null;
  },
): Promise<string> {
  const { context } = actor;
  const guid = newGuid();
  const now = context.now();
  await db
    .insertInto("service_credential_bindings")
    .values({
      guid,
      created_at: now,
      updated_at: now,
      name: binding.name,
      app_guid: binding.app,
      service_instance_guid: binding.instance.guid,
    })
    .execute();
  await recordEvent(db, actor, {
    type: "audit.service_binding.create",
    target: { guid, name: binding.name ?? "", space_guid: binding.instance.space_guid },
    data: { request: { app_guid: binding.app, service_instance_guid: binding.instance.guid } },
  });
  return guid;
}
