/** Which apps find the credentials of which service instances in their environment. */
import type { Migration } from "./define.ts";

export const serviceCredentialBindings: Migration = {
  name: "0004-service-credential-bindings",
  statements: ({ text, table }) => [
    `create table service_credential_bindings (
      guid ${text} primary key, created_at ${text} not null, updated_at ${text} not null,
      name ${text},
      app_guid ${text} not null references apps (guid) on delete cascade,
      service_instance_guid ${text} not null references service_instances (guid) on delete cascade
    ) ${table}`,
    "create unique index service_credential_bindings_pair on service_credential_bindings (app_guid, service_instance_guid)",
    "create index service_credential_bindings_instance on service_credential_bindings (service_instance_guid)",
  ],
};
