import { type ConfigOf, configSection, setting } from "../kernel/index.ts";

export const cloudControllerSection = configSection("cloud-controller", {
  host: setting.string({
    key: "host",
    default: "127.0.0.1",
    describe: "Address the v3 API and the token endpoints listen on.",
  }),
  port: setting.port({
    key: "port",
    default: 0,
    describe: "Port of the v3 API; 0 takes a free one, for an API that is reached through the router.",
  }),
  externalUrl: setting.string({
    key: "external_url",
    default: "",
    describe:
      "What users give to `cf api`, without a path; every link starts with it. Empty: where it listens.",
  }),
  routingUrl: setting.string({
    key: "routing_url",
    default: "",
    describe: "Address of the Routing API that discovery announces. Empty: /routing below external_url.",
  }),
  uaaUrl: setting.string({
    key: "uaa_url",
    default: "",
    describe:
      "Address of an external UAA: discovery announces it, tokens are checked by the keys at /token_keys there, and the dashboard's users log in there. Empty: the built-in one, /uaa below external_url.",
  }),
  name: setting.string({ key: "name", default: "Viaduct", describe: "Name of the foundation in /v3/info." }),
  sharedDomains: setting.list({
    key: "shared_domains",
    default: ["localhost"],
    describe: "Domains for everybody, made at the first start.",
  }),
  internalDomains: setting.list({
    key: "internal_domains",
    default: ["apps.internal"],
    describe: "Domains for routes between apps, made at the first start.",
  }),
  organization: setting.string({
    key: "organization",
    default: "viaduct",
    describe: "Organization made at the first start; empty for none.",
  }),
  space: setting.string({
    key: "space",
    default: "dev",
    describe: "Space in it, made at the first start; empty for none.",
  }),
  adminUser: setting.string({
    key: "admin_user",
    default: "admin",
    describe: "Name of the administrator made at the first start.",
  }),
  adminPassword: setting.string({
    key: "admin_password",
    default: "",
    secret: true,
    describe: "Their password at the first start; empty makes no administrator.",
  }),
  systemRoutes: setting.list({
    key: "system_routes",
    default: [],
    describe: "Names that no app may take, because the platform answers there: `api.example.com`.",
  }),
  reservedDomains: setting.list({
    key: "reserved_private_domains",
    default: [],
    describe: "Names that no organization may have as its private domain: `com`, `co.uk`.",
  }),
  localLifecycle: setting.boolean({
    key: "local_lifecycle",
    default: false,
    describe:
      "Accepts apps that run unconfined on the cell's machine: in a folder of it, or from a droplet that was pushed.",
  }),
  bitsDirectory: setting.string({
    key: "bits_directory",
    default: "",
    describe: "Folder for what `cf push` uploads, on the machine of the cell. Empty: nothing can be pushed.",
  }),
  maxPackageBytes: setting.bytes({
    key: "max_package_size",
    default: "1 GiB",
    describe: "Largest upload of an app's files.",
  }),
  maxUnpackedBytes: setting.bytes({
    key: "max_unpacked_size",
    default: "4 GiB",
    describe: "Largest size of an app's files once they are unpacked.",
  }),
  maxInstances: setting.integer({
    key: "max_instances",
    default: 1000,
    minimum: 1,
    maximum: 100_000,
    describe: "Most instances that a process may ask for, whatever its quotas leave.",
  }),
  defaultMemoryMb: setting.integer({
    key: "default_memory_mb",
    default: 1024,
    minimum: 1,
    describe: "Memory of a process that does not ask for any, in MiB.",
  }),
  defaultDiskMb: setting.integer({
    key: "default_disk_mb",
    default: 1024,
    minimum: 1,
    describe: "Disk of a process that does not ask for any, in MiB.",
  }),
});
export type CloudControllerConfig = ConfigOf<typeof cloudControllerSection>;
