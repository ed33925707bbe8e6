import { type ConfigOf, configSection, setting } from "../kernel/index.ts";

/** The `dashboard:` section of `viaduct.yml`. */
export const dashboardSection = configSection("dashboard", {
  host: setting.string({ key: "host", default: "127.0.0.1", describe: "Address the dashboard listens on." }),
  port: setting.port({
    key: "port",
    default: 0,
    describe: "Port of the dashboard; 0 lets the system choose, as it is reached through the router.",
  }),
  login: setting.oneOf({
    key: "login",
    default: "auto",
    values: ["auto", "always", "never"],
    describe:
      "Whether browsers must log in to look, as a user of the API that may see everything; auto asks when the router or the dashboard listens beyond this machine. Changing routes takes a login in any case.",
  }),
});
export type DashboardConfig = ConfigOf<typeof dashboardSection>;
