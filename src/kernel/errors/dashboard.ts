/** What the dashboard refuses to a page that wants to change something. */
import { defineError } from "./define.ts";

export const foreignPage = defineError<{ sentBy: string; host: string }>({
  code: "foreign_page",
  source: "client",
  retry: "never",
  status: 403,
  explain: (d) =>
    `changes are taken from the dashboard's own page only: ${d.sentBy} is not ${d.host}; open the dashboard itself`,
});

export const foreignHost = defineError<{ host: string }>({
  code: "foreign_host",
  source: "client",
  retry: "never",
  status: 403,
  explain: (d) =>
    `nobody here is called ${d.host}; open the dashboard through the router, or by the address that it listens on`,
});

export const dashboardLoginNeeded = defineError({
  code: "dashboard_login_needed",
  source: "client",
  retry: "never",
  status: 401,
  explain: () => "log in to change routes; an earlier login has ended",
});

export const dashboardApiAway = defineError({
  code: "dashboard_api_away",
  source: "control-plane",
  retry: "never",
  status: 502,
  explain: () =>
    "the API did not answer; whether the change was made is unknown: look at the route before you repeat it",
});
