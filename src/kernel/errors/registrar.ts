import { defineError } from "./define.ts";

/** The tree of problems in route-registrar's own form, which operators' tools read. */
export const registrarConfigInvalid = defineError<{ path: string; tree: string }>({
  code: "registrar_config_invalid",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => d.tree,
});

export const registrarConfigUnreadable = defineError<{ path: string; reason: string; remedy: string }>({
  code: "registrar_config_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `the registrar's configuration ${d.path} cannot be read: ${d.reason}; ${d.remedy}`,
});
