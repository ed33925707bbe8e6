/** The tables of all roles. Indices serve the filters and orders of the v3 API at 100,000 routes. */
import type { Migration } from "./define.ts";

export const foundation: Migration = {
  name: "0001-foundation",
  statements: ({ text, integer, bigint, ascendingId, table }) => {
    const row = `guid ${text} primary key, created_at ${text} not null, updated_at ${text} not null`;
    const flag = (name: string) => `${name} ${integer} not null default 0 check (${name} in (0, 1))`;
    return [
      `create table users (${row},
        username ${text} not null,
        password_hash ${text} not null,
        email ${text} not null,
        origin ${text} not null,
        scopes ${text} not null,
        active ${integer} not null default 1 check (active in (0, 1))
      ) ${table}`,
      "create unique index users_username on users (lower(username))",

      `create table login_attempts (
        name_hash ${text} primary key,
        failures ${integer} not null,
        locked_until ${text},
        updated_at ${text} not null
      ) ${table}`,
      "create index login_attempts_updated on login_attempts (updated_at)",

      `create table clients (
        id ${text} primary key,
        secret_hash ${text} not null,
        grant_types ${text} not null,
        authorities ${text} not null,
        scopes ${text} not null,
        created_at ${text} not null,
        updated_at ${text} not null
      ) ${table}`,

      `create table signing_keys (
        kid ${text} primary key,
        algorithm ${text} not null,
        private_pem ${text} not null,
        public_pem ${text} not null,
        created_at ${text} not null,
        retired_at ${text}
      ) ${table}`,

      `create table refresh_tokens (
        token_hash ${text} primary key,
        jti ${text} not null,
        user_guid ${text} not null references users (guid) on delete cascade,
        client_id ${text} not null references clients (id) on delete cascade,
        scopes ${text} not null,
        created_at ${text} not null,
        expires_at ${text} not null
      ) ${table}`,
      "create index refresh_tokens_jti on refresh_tokens (jti)",
      "create index refresh_tokens_user on refresh_tokens (user_guid)",
      "create index refresh_tokens_expiry on refresh_tokens (expires_at)",

      `create table revoked_tokens (jti ${text} primary key, expires_at ${text} not null) ${table}`,
      "create index revoked_tokens_expiry on revoked_tokens (expires_at)",

      `create table quotas (${row},
        kind ${text} not null,
        name ${text} not null,
        organization_guid ${text},
        limits ${text} not null
      ) ${table}`,
      "create unique index quotas_name on quotas (kind, lower(name), coalesce(organization_guid, ''))",

      // Names are unique whatever their case, as upstream's are; the second index serves the filter «names».
      `create table organizations (${row},
        name ${text} not null,
        ${flag("suspended")},
        quota_guid ${text} references quotas (guid)
      ) ${table}`,
      "create unique index organizations_unique_name on organizations (lower(name))",
      "create index organizations_name on organizations (name)",
      "create index organizations_order on organizations (created_at, guid)",

      `create table spaces (${row},
        name ${text} not null,
        organization_guid ${text} not null references organizations (guid),
        quota_guid ${text} references quotas (guid)
      ) ${table}`,
      "create unique index spaces_unique_name on spaces (organization_guid, lower(name))",
      "create index spaces_name on spaces (name)",
      "create index spaces_order on spaces (created_at, guid)",

      `create table roles (${row},
        type ${text} not null,
        user_guid ${text} not null references users (guid) on delete cascade,
        organization_guid ${text} references organizations (guid) on delete cascade,
        space_guid ${text} references spaces (guid) on delete cascade,
        check ((organization_guid is null) <> (space_guid is null))
      ) ${table}`,
      `create unique index roles_unique on roles
        (user_guid, type, coalesce(organization_guid, ''), coalesce(space_guid, ''))`,
      "create index roles_organization on roles (organization_guid)",
      "create index roles_space on roles (space_guid)",

      `create table domains (${row},
        name ${text} not null unique,
        ${flag("internal")},
        router_group_guid ${text},
        organization_guid ${text} references organizations (guid)
      ) ${table}`,
      "create index domains_organization on domains (organization_guid)",
      "create index domains_order on domains (created_at, guid)",

      `create table domain_shares (
        domain_guid ${text} not null references domains (guid) on delete cascade,
        organization_guid ${text} not null references organizations (guid) on delete cascade,
        primary key (domain_guid, organization_guid)
      ) ${table}`,
      "create index domain_shares_organization on domain_shares (organization_guid)",

      `create table routes (${row},
        space_guid ${text} not null references spaces (guid),
        domain_guid ${text} not null references domains (guid),
        host ${text} not null,
        path ${text} not null,
        port ${integer},
        protocol ${text} not null,
        options ${text} not null
      ) ${table}`,
      // Host first: the same index answers the filter «hosts».
      "create unique index routes_address on routes (host, domain_guid, path, coalesce(port, 0))",
      "create index routes_path on routes (path)",
      "create index routes_port on routes (port)",
      "create index routes_space on routes (space_guid, created_at, guid)",
      "create index routes_domain on routes (domain_guid, created_at, guid)",
      "create index routes_order on routes (created_at, guid)",
      "create index routes_updated on routes (updated_at, guid)",

      `create table route_shares (
        route_guid ${text} not null references routes (guid) on delete cascade,
        space_guid ${text} not null references spaces (guid) on delete cascade,
        primary key (route_guid, space_guid)
      ) ${table}`,
      "create index route_shares_space on route_shares (space_guid)",

      `create table apps (${row},
        name ${text} not null,
        space_guid ${text} not null references spaces (guid),
        state ${text} not null,
        lifecycle ${text} not null,
        environment ${text} not null,
        current_droplet_guid ${text}
      ) ${table}`,
      "create unique index apps_unique_name on apps (space_guid, lower(name))",
      "create index apps_name on apps (name)",
      "create index apps_order on apps (created_at, guid)",

      `create table processes (${row},
        app_guid ${text} not null references apps (guid) on delete cascade,
        type ${text} not null,
        command ${text},
        instances ${integer} not null,
        memory_in_mb ${integer} not null,
        disk_in_mb ${integer} not null,
        log_rate_limit_in_bytes_per_second ${bigint} not null default -1,
        health_check ${text} not null,
        readiness_health_check ${text} not null,
        version ${text} not null,
        ports ${text} not null
      ) ${table}`,
      "create index processes_app on processes (app_guid, type)",
      "create index processes_order on processes (created_at, guid)",

      `create table destinations (${row},
        route_guid ${text} not null references routes (guid) on delete cascade,
        app_guid ${text} not null references apps (guid) on delete cascade,
        process_type ${text} not null,
        app_port ${integer},
        weight ${integer},
        protocol ${text}
      ) ${table}`,
      `create unique index destinations_unique on destinations
        (route_guid, app_guid, process_type, coalesce(app_port, 0))`,
      "create index destinations_app on destinations (app_guid, process_type, route_guid)",

      `create table packages (${row},
        app_guid ${text} not null references apps (guid) on delete cascade,
        type ${text} not null,
        state ${text} not null,
        error ${text},
        data ${text} not null
      ) ${table}`,
      "create index packages_app on packages (app_guid, created_at, guid)",

      `create table droplets (${row},
        app_guid ${text} not null references apps (guid) on delete cascade,
        package_guid ${text},
        state ${text} not null,
        error ${text},
        process_types ${text} not null,
        data ${text} not null
      ) ${table}`,
      "create index droplets_app on droplets (app_guid, created_at, guid)",

      `create table builds (${row},
        app_guid ${text} not null references apps (guid) on delete cascade,
        package_guid ${text} not null references packages (guid) on delete cascade,
        droplet_guid ${text},
        state ${text} not null,
        error ${text}
      ) ${table}`,
      "create index builds_app on builds (app_guid, created_at, guid)",
      "create index builds_package on builds (package_guid)",

      `create table service_instances (${row},
        name ${text} not null,
        space_guid ${text} not null references spaces (guid),
        type ${text} not null,
        route_service_url ${text},
        syslog_drain_url ${text},
        credentials ${text} not null,
        tags ${text} not null
      ) ${table}`,
      "create unique index service_instances_unique_name on service_instances (space_guid, lower(name))",
      "create index service_instances_name on service_instances (name)",

      `create table service_route_bindings (${row},
        route_guid ${text} not null unique references routes (guid) on delete cascade,
        service_instance_guid ${text} not null references service_instances (guid),
        parameters ${text} not null
      ) ${table}`,
      "create index service_route_bindings_instance on service_route_bindings (service_instance_guid)",

      `create table metadata (
        resource_type ${text} not null,
        resource_guid ${text} not null,
        kind ${text} not null,
        prefix ${text} not null,
        name ${text} not null,
        value ${text} not null,
        primary key (resource_type, resource_guid, kind, prefix, name)
      ) ${table}`,
      // Labels only: selectors ask for nothing else, and an annotation may be longer than PostgreSQL's longest
      // index entry (2,704 bytes).
      `create index metadata_selector on metadata (resource_type, prefix, name, value, resource_guid)
        where kind = 'label'`,

      `create table feature_flags (
        name ${text} primary key,
        ${flag("enabled")},
        error_message ${text},
        updated_at ${text} not null
      ) ${table}`,

      `create table jobs (${row},
        operation ${text} not null,
        state ${text} not null,
        resource_type ${text},
        resource_guid ${text},
        errors ${text} not null,
        warnings ${text} not null
      ) ${table}`,
      "create index jobs_state on jobs (state, created_at)",

      `create table router_groups (${row},
        name ${text} not null unique,
        type ${text} not null,
        reservable_ports ${text} not null
      ) ${table}`,

      `create table route_reservations (
        guid ${text} primary key,
        protocol ${text} not null,
        route ${text} not null,
        router_group_guid ${text} not null default '',
        document ${text} not null,
        sequence ${bigint} not null,
        created_at ${text} not null,
        updated_at ${text} not null
      ) ${table}`,
      "create unique index route_reservations_address on route_reservations (route, protocol, router_group_guid)",
      "create index route_reservations_sequence on route_reservations (sequence)",

      `create table desired_lrps (
        process_guid ${text} primary key,
        domain ${text} not null,
        log_guid ${text} not null,
        document ${text} not null,
        modification_epoch ${text} not null,
        modification_index ${bigint} not null,
        created_at ${text} not null,
        updated_at ${text} not null
      ) ${table}`,
      "create index desired_lrps_domain on desired_lrps (domain)",
      "create index desired_lrps_log_guid on desired_lrps (log_guid)",

      `create table outbox (
        id ${ascendingId},
        topic ${text} not null,
        key ${text} not null,
        created_at ${text} not null
      ) ${table}`,

      `create table outbox_cursors (
        consumer ${text} primary key,
        last_id ${bigint} not null,
        updated_at ${text} not null
      ) ${table}`,
    ];
  },
};
