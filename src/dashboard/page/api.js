// Calls of the API through the dashboard's own server, and the login that they need. The key of the session lives in
// this module and nowhere else: a page that is loaded again asks again.
import { signal } from "@preact/signals";
import { howToChange } from "./state.js";

/** { key, username }, or null. */
export const session = signal(null);

/** A session that is being opened, for all calls that wait for it. */
let opening = null;

/** The API, or the way to it, refused: what it said, sentence by sentence. */
export class Refused extends Error {
  constructor(status, sentences) {
    super(sentences.join(" "));
    this.status = status;
    this.sentences = sentences;
  }
}

/** @throws Refused */
export async function logIn(given) {
  const { json } = await ask("POST", "./session", { body: given });
  session.value = json;
}

export async function logOut() {
  const { key } = session.value;
  session.value = null;
  await ask("DELETE", "./session", { headers: { "x-viaduct-session": key } });
}

/**
 * @returns { json, etag }
 * @throws Refused; with status 401 the session is over
 */
export async function callApi(method, path, { body, ifMatch } = {}) {
  // Where the browser is logged in already, a session is no question to the user.
  if (session.value === null && howToChange.value === "as logged in") {
    opening ??= logIn({}).finally(() => {
      opening = null;
    });
    await opening;
  }
  const headers = { "x-viaduct-session": session.value?.key ?? "", ...(ifMatch && { "if-match": ifMatch }) };
  try {
    return await ask(method, `.${path}`, { body, headers });
  } catch (error) {
    if (error.status === 401) session.value = null;
    throw error;
  }
}

async function ask(method, url, { body, headers = {} }) {
  const init = { method, headers: { ...headers } };
  if (body !== undefined) {
    init.headers["content-type"] = "application/json";
    init.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(url, init);
  } catch {
    throw new Refused(0, ["The dashboard does not answer; whether anything was changed is unknown."]);
  }
  const json = await answer.json().catch(() => ({}));
  if (answer.ok) return { json, etag: answer.headers.get("etag") };
  const sentences = (json.errors ?? []).map(({ detail }) => detail);
  throw new Refused(
    answer.status,
    sentences.length > 0 ? sentences : [`The dashboard answered ${answer.status}.`],
  );
}
