/**
 * Every table, as both engines hold it. Columns are snake_case; rows leave this room as they are, and the role that
 * owns a table maps them to its own words. GUIDs are text keys, times ISO 8601 text with milliseconds (so that text
 * order is time order), JSON is text made by {@link encodeJson}, flags are 0 or 1.
 */
import type { ColumnType, Generated, Insertable, Selectable, Updateable } from "kysely";
import type { JsonText } from "./values.ts";

/** Read as 0 or 1 in both engines; written as either or as a boolean. */
export type Flag = ColumnType<0 | 1, boolean | 0 | 1, boolean | 0 | 1>;
/** A flag the database fills in when it is left out. */
export type FlagWithDefault = ColumnType<0 | 1, boolean | 0 | 1 | undefined, boolean | 0 | 1>;
/** `2026-11-21T10:00:00.000Z`; see {@link toTimestamp}. */
export type Timestamp = string;

interface Row {
  guid: string;
  created_at: Timestamp;
  updated_at: Timestamp;
}

// --- auth ---

export interface UsersTable extends Row {
  /** Unique whatever its case. */
  username: string;
  password_hash: string;
  email: string;
  /** `uaa` for accounts that live here. */
  origin: string;
  /** Scopes the user's tokens may carry. */
  scopes: JsonText<readonly string[]>;
  active: FlagWithDefault;
}

/** Kept by name, not by user: an unknown name must look like a known one. */
export interface LoginAttemptsTable {
  /** SHA-256 of the lower-case name. */
  name_hash: string;
  /** Wrong passwords since the last right one. */
  failures: number;
  locked_until: Timestamp | null;
  updated_at: Timestamp;
}

export interface ClientsTable {
  id: string;
  /** "" for the empty secret of a public client. */
  secret_hash: string;
  grant_types: JsonText<readonly string[]>;
  /** Scopes of the client's own tokens (client_credentials). */
  authorities: JsonText<readonly string[]>;
  /** Scopes a user's token may carry through this client; `*` stands for all. */
  scopes: JsonText<readonly string[]>;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface SigningKeysTable {
  kid: string;
  algorithm: string;
  private_pem: string;
  public_pem: string;
  created_at: Timestamp;
  /** Signs no more since then, still verifies; null for the key in use. */
  retired_at: Timestamp | null;
}

export interface RefreshTokensTable {
  /** SHA-256 of the token: whoever reads the table cannot use it. */
  token_hash: string;
  jti: string;
  user_guid: string;
  client_id: string;
  scopes: JsonText<readonly string[]>;
  created_at: Timestamp;
  expires_at: Timestamp;
}

export interface RevokedTokensTable {
  jti: string;
  /** From then on the token is refused for its age, and the row may go. */
  expires_at: Timestamp;
}

// --- cloud controller ---

export interface OrganizationsTable extends Row {
  name: string;
  suspended: FlagWithDefault;
  quota_guid: string | null;
  /** Of spaces that have none of their own; null for the shared segment. */
  isolation_segment_guid: string | null;
}

export interface SpacesTable extends Row {
  name: string;
  organization_guid: string;
  quota_guid: string | null;
  isolation_segment_guid: string | null;
}

export interface IsolationSegmentsTable extends Row {
  name: string;
}

/** Organizations whose spaces may be put into a segment. */
export interface EntitlementsTable {
  isolation_segment_guid: string;
  organization_guid: string;
}

/** Exactly one of `organization_guid` and `space_guid` is set. */
export interface RolesTable extends Row {
  /** `organization_manager`, `space_developer`, … */
  type: string;
  user_guid: string;
  organization_guid: string | null;
  space_guid: string | null;
}

export interface DomainsTable extends Row {
  /** Lower-case. */
  name: string;
  internal: FlagWithDefault;
  router_group_guid: string | null;
  /** The owner of a private domain; null for a shared one. */
  organization_guid: string | null;
}

export interface DomainSharesTable {
  domain_guid: string;
  organization_guid: string;
}

export interface RoutesTable extends Row {
  space_guid: string;
  domain_guid: string;
  /** Lower-case; "" for none. */
  host: string;
  /** "" or `/v2`. */
  path: string;
  port: number | null;
  protocol: "http" | "tcp";
  options: JsonText<Readonly<Record<string, string | number | boolean>>>;
}

/** Of each space and protocol, how many routes there are; a space without any may have no row. */
export interface RouteCountsTable {
  space_guid: string;
  protocol: "http" | "tcp";
  total: number;
}

export interface RouteSharesTable {
  route_guid: string;
  space_guid: string;
}

export interface DestinationsTable extends Row {
  route_guid: string;
  app_guid: string;
  process_type: string;
  /** null takes the app's first port. */
  app_port: number | null;
  weight: number | null;
  protocol: "http1" | "http2" | "tcp" | null;
}

export interface AppsTable extends Row {
  name: string;
  space_guid: string;
  state: "STOPPED" | "STARTED";
  lifecycle: JsonText<{ readonly type: string; readonly data: Readonly<Record<string, unknown>> }>;
  environment: JsonText<Readonly<Record<string, string>>>;
  current_droplet_guid: string | null;
}

export interface ProcessesTable extends Row {
  app_guid: string;
  type: string;
  command: string | null;
  instances: number;
  memory_in_mb: number;
  disk_in_mb: number;
  log_rate_limit_in_bytes_per_second: Generated<number>;
  health_check: JsonText<HealthCheckDocument>;
  readiness_health_check: JsonText<HealthCheckDocument>;
  /** A new one for every change that needs a restart. */
  version: string;
  /** Ports the process listens on; empty for the default. */
  ports: JsonText<readonly number[]>;
}

export interface HealthCheckDocument {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What is switched on or off for an app; without a row it is as it is by default. */
export interface AppFeaturesTable {
  app_guid: string;
  name: string;
  enabled: Flag;
}

/** Variables of every app. */
export interface EnvironmentGroupsTable {
  name: "running" | "staging";
  variables: JsonText<Readonly<Record<string, string>>>;
  updated_at: Timestamp;
}

export interface PackagesTable extends Row {
  app_guid: string;
  type: string;
  state: string;
  error: string | null;
  /** Where the bits lie, checksum, …: what the role keeps. */
  data: JsonText<Readonly<Record<string, unknown>>>;
}

export interface DropletsTable extends Row {
  app_guid: string;
  package_guid: string | null;
  state: string;
  error: string | null;
  process_types: JsonText<Readonly<Record<string, string>>>;
  data: JsonText<Readonly<Record<string, unknown>>>;
}

export interface BuildsTable extends Row {
  app_guid: string;
  package_guid: string;
  droplet_guid: string | null;
  state: string;
  error: string | null;
  /** Whoever asked for it, as they were called then; null for what nobody knows. */
  created_by: JsonText<Author>;
}

export interface Author {
  readonly guid: string | null;
  readonly name: string | null;
  readonly email: string | null;
}

export interface DeploymentsTable extends Row {
  app_guid: string;
  /** The process that changes its version. */
  process_guid: string;
  strategy: "rolling";
  status_value: "ACTIVE" | "FINALIZED";
  status_reason: "DEPLOYING" | "CANCELING" | "DEPLOYED" | "CANCELED" | "SUPERSEDED";
  status_changed_at: Timestamp;
  droplet_guid: string | null;
  /** What a cancellation goes back to. */
  previous_droplet_guid: string | null;
  /** The version that leaves: while the deployment is active its instances run beside the process's own version. */
  previous_version: string;
  /** How many of each version are to run now. */
  previous_instances: number;
  new_instances: number;
  /** How many instances may start at once. */
  max_in_flight: number;
}

export interface ServiceInstancesTable extends Row {
  name: string;
  space_guid: string;
  type: "user-provided" | "managed";
  route_service_url: string | null;
  syslog_drain_url: string | null;
  credentials: JsonText<Readonly<Record<string, unknown>>>;
  tags: JsonText<readonly string[]>;
}

/** At most one of an app and a service instance. */
export interface ServiceCredentialBindingsTable extends Row {
  name: string | null;
  app_guid: string;
  service_instance_guid: string;
}

export interface ServiceRouteBindingsTable extends Row {
  /** Unique: a route has at most one route service. */
  route_guid: string;
  service_instance_guid: string;
  parameters: JsonText<Readonly<Record<string, unknown>>>;
}

export interface MetadataTable {
  /** `route`, `app`, … */
  resource_type: string;
  resource_guid: string;
  kind: "label" | "annotation";
  /** "" for none. */
  prefix: string;
  name: string;
  value: string;
}

export interface QuotasTable extends Row {
  kind: "organization" | "space";
  name: string;
  /** The organization a space quota belongs to. */
  organization_guid: string | null;
  limits: JsonText<QuotaLimitsDocument>;
}

/** What may be had at most; null for any number. */
export interface QuotaLimitsDocument {
  readonly apps: {
    readonly total_memory_in_mb: number | null;
    readonly per_process_memory_in_mb: number | null;
    readonly log_rate_limit_in_bytes_per_second: number | null;
    readonly total_instances: number | null;
    readonly per_app_tasks: number | null;
  };
  readonly services: {
    readonly paid_services_allowed: boolean;
    readonly total_service_instances: number | null;
    readonly total_service_keys: number | null;
  };
  readonly routes: { readonly total_routes: number | null; readonly total_reserved_ports: number | null };
  /** Private domains; of an organization only. */
  readonly domains: { readonly total_domains: number | null };
}

export interface FeatureFlagsTable {
  name: string;
  enabled: Flag;
  error_message: string | null;
  updated_at: Timestamp;
}

export interface AuditEventsTable extends Row {
  /** `audit.route.create`, … */
  type: string;
  /** "" for a client that acted for itself. */
  actor_guid: string;
  actor_name: string;
  target_guid: string;
  /** `app`, `route`, `space`, … */
  target_type: string;
  target_name: string;
  data: JsonText<Readonly<Record<string, unknown>>>;
  space_guid: string;
  organization_guid: string;
}

export interface JobsTable extends Row {
  /** `route.delete`, … */
  operation: string;
  state: "PROCESSING" | "COMPLETE" | "FAILED";
  resource_type: string | null;
  resource_guid: string | null;
  errors: JsonText<readonly unknown[]>;
  warnings: JsonText<readonly unknown[]>;
}

// --- routing API ---

export interface RouteReservationsTable {
  guid: string;
  protocol: "http" | "tcp" | "internal";
  /** Unique within protocol and router group. */
  route: string;
  /** "" where router groups do not apply. */
  router_group_guid: Generated<string>;
  /** The reservation as the room `table` knows it. */
  document: JsonText<unknown>;
  /** Of the change that wrote it. */
  sequence: number;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface RouterGroupsTable extends Row {
  name: string;
  type: "http" | "tcp";
  /** `1024-1123,2000`; "" for http. */
  reservable_ports: string;
}

// --- diego ---

export interface DesiredLrpsTable {
  process_guid: string;
  domain: string;
  log_guid: string;
  document: JsonText<unknown>;
  /** The modification tag: a new epoch per creation, index + 1 per update. */
  modification_epoch: string;
  modification_index: number;
  created_at: Timestamp;
  updated_at: Timestamp;
}

// --- the outbox ---

export interface OutboxTable {
  /** Grows in commit order. */
  id: Generated<number>;
  topic: string;
  key: string;
  created_at: Timestamp;
}

export interface OutboxCursorsTable {
  consumer: string;
  /** Everything up to here is handled. */
  last_id: number;
  updated_at: Timestamp;
}

export interface SchemaMigrationsTable {
  name: string;
  checksum: string;
  applied_at: Timestamp;
}

export interface Tables {
  users: UsersTable;
  login_attempts: LoginAttemptsTable;
  clients: ClientsTable;
  signing_keys: SigningKeysTable;
  refresh_tokens: RefreshTokensTable;
  revoked_tokens: RevokedTokensTable;
  organizations: OrganizationsTable;
  spaces: SpacesTable;
  isolation_segments: IsolationSegmentsTable;
  entitlements: EntitlementsTable;
  roles: RolesTable;
  domains: DomainsTable;
  domain_shares: DomainSharesTable;
  routes: RoutesTable;
  route_counts: RouteCountsTable;
  route_shares: RouteSharesTable;
  destinations: DestinationsTable;
  apps: AppsTable;
  app_features: AppFeaturesTable;
  environment_groups: EnvironmentGroupsTable;
  processes: ProcessesTable;
  packages: PackagesTable;
  droplets: DropletsTable;
  builds: BuildsTable;
  deployments: DeploymentsTable;
  service_instances: ServiceInstancesTable;
  service_credential_bindings: ServiceCredentialBindingsTable;
  service_route_bindings: ServiceRouteBindingsTable;
  metadata: MetadataTable;
  quotas: QuotasTable;
  audit_events: AuditEventsTable;
  feature_flags: FeatureFlagsTable;
  jobs: JobsTable;
  route_reservations: RouteReservationsTable;
  router_groups: RouterGroupsTable;
  desired_lrps: DesiredLrpsTable;
  outbox: OutboxTable;
  outbox_cursors: OutboxCursorsTable;
  schema_migrations: SchemaMigrationsTable;
}

/** A row as it is read: `RowOf<"routes">`. */
export type RowOf<T extends keyof Tables> = Selectable<Tables[T]>;
/** A row as it is written. */
export type NewRow<T extends keyof Tables> = Insertable<Tables[T]>;
/** Some columns of a row. */
export type RowChange<T extends keyof Tables> = Updateable<Tables[T]>;
