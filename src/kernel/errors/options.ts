/** How options of a route end an exchange, and what is wrong with options of an operator's own. */
import { defineError } from "./define.ts";

// === the route's own limits ===

export const responseTimeout = defineError<{ endpoint: string; afterMs: number }>({
  code: "response_timeout",
  source: "upstream",
  retry: "never",
  status: 504,
  explain: (d) => `${d.endpoint} did not begin its answer within the ${d.afterMs} ms that the route allows`,
});
export const exchangeIdle = defineError<{ afterMs: number }>({
  code: "exchange_idle",
  source: "upstream",
  retry: "never",
  status: 504,
  explain: (d) => `no byte moved for ${d.afterMs} ms, which is all that the route allows`,
});
/** A client sees it only when the endpoint that was left to be asked went away meanwhile. */
export const endpointAnsweredFailure = defineError<{ endpoint: string; answered: number }>({
  code: "endpoint_answered_failure",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: (d) => `${d.endpoint} answered ${d.answered}, for which the route asks another endpoint`,
});

// === options of an operator's own ===

export const optionFolderUnreadable = defineError<{ folder: string; reason: string }>({
  code: "option_folder_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `options.folder ${d.folder} cannot be read: ${d.reason}`,
});
export const optionFileInvalid = defineError<{ file: string; reason: string }>({
  code: "option_file_invalid",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `${d.file} gives no route option: ${d.reason}`,
});
