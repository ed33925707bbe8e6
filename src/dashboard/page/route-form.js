// The dialogue in which a route is made, changed and deleted.
import { useEffect, useRef, useState } from "preact/hooks";
import { callApi, logIn, session } from "./api.js";
import { ChoiceField, OptionField, TextField } from "./fields.js";
import { html } from "./html.js";
import { fieldsOf, patchOf, sortProblems, valuesOf } from "./option-fields.js";
import { howToChange, task } from "./state.js";

const LIVE_WITHIN_MS = 10_000;
/** As many as the API gives at once. */
const ALL = "per_page=5000&order_by=name";
const NO_PROBLEMS = { "": [] };

export function TaskDialog() {
  const doing = task.value;
  if (doing === null) return null;
  const title = doing.kind === "create" ? "New route" : doing.name;
  return html`
    <${Dialog} key=${doing.guid ?? ""} title=${title}>
      ${needsLogin() && html`<${LoginForm} />`}
      <div hidden=${needsLogin()}>
        ${doing.kind === "create" ? html`<${NewRoute} />` : html`<${Route} route=${doing} />`}
      </div>
    <//>
  `;
}

const needsLogin = () => session.value === null && howToChange.value === "after login";
const close = () => {
  task.value = null;
};

/** Keeps the keyboard inside, ends with Escape, and gives the focus back to where it came from. */
function Dialog({ title, children }) {
  const element = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    element.current.showModal();
    return () => before?.focus();
  }, []);
  return html`
    <dialog ref=${element} aria-labelledby="dialog-title" onClose=${close}>
      <div class="dialog-head">
        <h2 id="dialog-title">${title}</h2>
        <button type="button" onClick=${() => element.current.close()}>Close</button>
      </div>
      ${children}
    </dialog>
  `;
}

function LoginForm() {
  const [given, setGiven] = useState({ username: "", password: "" });
  const { isBusy, problems, run } = useWork(["username", "password"]);
  const send = submitting(() => run(() => logIn(given)));
  return html`
    <form onSubmit=${send} class="login">
      <p>Changes are made with your own rights: log in as a user of the API.</p>
      <${Problems} sentences=${problems[""]} />
      <${TextField} id="username" label="User" autocomplete="username" value=${given.username} onChange=${(username) => setGiven({ ...given, username })} />
      <${TextField} id="password" label="Password" type="password" autocomplete="current-password" value=${given.password} onChange=${(password) => setGiven({ ...given, password })} />
      <div class="actions"><button type="submit" class="primary" disabled=${isBusy}>Log in</button></div>
    </form>
  `;
}

// === a route that is there ===

function Route({ route }) {
  const { guid, protocol } = route;
  const [loaded, setLoaded] = useState(null);
  const [values, setValues] = useState({});
  const [news, setNews] = useState("");
  const names = loaded?.fields.map(({ name }) => name) ?? [];
  const { isBusy, problems, run } = useWork(names);
  const load = async () => {
    const { json, etag } = await callApi("GET", `/v3/routes/${guid}`);
    const fields = fieldsOf(await loadVocabulary(protocol, json.options), json.options);
    setLoaded({ fields, etag, before: valuesOf(fields, json.options) });
    setValues(valuesOf(fields, json.options));
  };
  const begin = async () => {
    await load();
    if (route.isNew) await tellLiveness(guid, route.unmapped ?? "Created", setNews);
  };
  useEffect(() => {
    if (loaded === null && !needsLogin()) run(begin);
  }, [needsLogin()]);

  const save = submitting((form) =>
    run(async () => {
      setNews("");
      const options = patchOf(loaded.fields, loaded.before, demandReadable(form, loaded.fields, values));
      if (Object.keys(options).length === 0) return setNews("Nothing was changed.");
      await callApi("PATCH", `/v3/routes/${guid}`, { body: { options }, ifMatch: loaded.etag });
      await load();
      await tellLiveness(guid, "Saved", setNews);
    }),
  );
  if (loaded === null)
    return html`<${Problems} sentences=${problems[""]} /><p class="empty">${isBusy ? "Asking the API …" : ""}</p>`;
  return html`
    <form onSubmit=${save} noValidate>
      <${Problems} sentences=${problems[""]} />
      <${Options} fields=${loaded.fields} values=${values} problems=${problems} onChange=${setValues} />
      <div class="actions">
        <button type="submit" class="primary" disabled=${isBusy}>Save</button>
        <button type="button" disabled=${isBusy} onClick=${() => run(load)}>Discard</button>
        <p role="status">${news}</p>
        <${Deletion} route=${route} isBusy=${isBusy} run=${run} />
      </div>
    </form>
  `;
}

function Deletion({ route, isBusy, run }) {
  const [isAsking, setAsking] = useState(false);
  const keep = useRef(null);
  useEffect(() => keep.current?.focus(), [isAsking]);
  if (!isAsking) {
    return html`<button type="button" class="danger" disabled=${isBusy} onClick=${() => setAsking(true)}>Delete …</button>`;
  }
  const remove = () =>
    run(async () => {
      await callApi("DELETE", `/v3/routes/${route.guid}`);
      close();
    });
  return html`
    <div class="confirm" role="group" aria-label="Delete the route?">
      <p>Delete ${route.name}? Its requests get 404 from then on; apps go on running.</p>
      <button type="button" ref=${keep} onClick=${() => setAsking(false)}>Keep it</button>
      <button type="button" class="danger" disabled=${isBusy} onClick=${remove}>Delete the route</button>
    </div>
  `;
}

// === a new route ===

function NewRoute() {
  const [places, setPlaces] = useState(null);
  const [given, setGiven] = useState({ space: "", domain: "", host: "", path: "", app: "" });
  const [values, setValues] = useState({});
  const names = ["host", "path", "domain", ...(places?.fields.map(({ name }) => name) ?? [])];
  const { isBusy, problems, run } = useWork(names);
  const load = async () => {
    const list = async (path) => (await callApi("GET", path)).json;
    const [spaces, domains, apps, vocabulary] = await Promise.all([
      list(`/v3/spaces?include=organization&${ALL}`),
      list("/v3/domains?per_page=5000"),
      list(`/v3/apps?${ALL}`),
      loadVocabulary("http", {}),
    ]);
    const organizations = new Map(spaces.included.organizations.map(({ guid, name }) => [guid, name]));
    const fields = fieldsOf(vocabulary, {});
    // Ports and internal names are made by «viaduct map-route» and «map-internal-route».
    const usable = domains.resources.filter(
      ({ router_group, internal }) => router_group === null && !internal,
    );
    setPlaces({
      fields,
      spaces: spaces.resources.map(({ guid, name, relationships }) => ({
        value: guid,
        text: `${organizations.get(relationships.organization.data.guid)} / ${name}`,
      })),
      domains: usable.map(({ guid, name }) => ({ value: guid, text: name })),
      apps: apps.resources.map(({ guid, name, relationships }) => ({
        guid,
        name,
        space: relationships.space.data.guid,
      })),
    });
    setValues(valuesOf(fields, {}));
    setGiven({ ...given, space: spaces.resources[0]?.guid ?? "", domain: usable[0]?.guid ?? "" });
  };
  useEffect(() => {
    if (places === null && !needsLogin()) run(load);
  }, [needsLogin()]);

  const create = submitting((form) =>
    run(async () => {
      const { space, domain, host, path, app } = given;
      const options = patchOf(
        places.fields,
        valuesOf(places.fields, {}),
        demandReadable(form, places.fields, values),
      );
      const relationships = { space: { data: { guid: space } }, domain: { data: { guid: domain } } };
      const { json: route } = await callApi("POST", "/v3/routes", {
        body: { host, path, options, relationships },
      });
      // From here on the route is there: its own dialogue goes on, also where the app could not be mapped.
      const next = { kind: "change", guid: route.guid, name: route.url, protocol: "http", isNew: true };
      try {
        const destinations = [{ app: { guid: app } }];
        if (app !== "")
          await callApi("POST", `/v3/routes/${route.guid}/destinations`, { body: { destinations } });
      } catch (error) {
        next.unmapped = `Created without the app (${error.message})`;
      }
      task.value = next;
    }),
  );
  if (places === null)
    return html`<${Problems} sentences=${problems[""]} /><p class="empty">${isBusy ? "Asking the API …" : ""}</p>`;
  const set = (name) => (value) =>
    setGiven({ ...given, [name]: value, ...(name === "space" && { app: "" }) });
  const apps = places.apps.filter(({ space }) => space === given.space);
  return html`
    <form onSubmit=${create} noValidate>
      <${Problems} sentences=${problems[""]} />
      <${ChoiceField} id="route-space" label="Space" choices=${places.spaces} value=${given.space} onChange=${set("space")} />
      <${TextField} id="route-host" label="Host" problems=${problems.host} value=${given.host} onChange=${set("host")} />
      <${ChoiceField} id="route-domain" label="Domain" problems=${problems.domain} choices=${places.domains} value=${given.domain} onChange=${set("domain")} />
      <${TextField} id="route-path" label="Path" summary="Empty, or /v2." problems=${problems.path} value=${given.path} onChange=${set("path")} />
      <${ChoiceField}
        id="route-app"
        label="App"
        choices=${[{ value: "", text: "none yet, answers 503" }, ...apps.map(({ guid, name }) => ({ value: guid, text: name }))]}
        value=${given.app}
        onChange=${set("app")}
      />
      <details class="more">
        <summary>Options</summary>
        <${Options} fields=${places.fields} values=${values} problems=${problems} onChange=${setValues} />
      </details>
      <div class="actions"><button type="submit" class="primary" disabled=${isBusy}>Create</button></div>
    </form>
  `;
}

// === for both ===

function Options({ fields, values, problems, onChange }) {
  if (fields.length === 0) return html`<p>Routes of this kind have no options.</p>`;
  return fields.map(
    (field) => html`
      <${OptionField}
        key=${field.name}
        field=${field}
        value=${values[field.name]}
        problems=${problems[field.name]}
        onChange=${(value) => onChange((before) => ({ ...before, [field.name]: value }))}
      />
    `,
  );
}

const Problems = ({ sentences }) =>
  html`<div role="alert">${sentences.map((sentence) => html`<p class="problem" key=${sentence}>${sentence}</p>`)}</div>`;

/** Options that act on such a route, and those that it has anyway. */
async function loadVocabulary(protocol, set) {
  const { json } = await callApi("GET", "/v3/viaduct/options");
  const isOf = (each) => protocol !== "internal" && (each === "tcp") === (protocol === "tcp");
  return json.resources.filter(({ name, protocols }) => name in set || protocols.some(isOf));
}

async function tellLiveness(guid, done, setNews) {
  setNews(`${done}; the routers are taking it over …`);
  try {
    const { json } = await callApi("GET", `/v3/viaduct/routes/${guid}/liveness?wait_ms=${LIVE_WITHIN_MS}`);
    const routers = `${json.current} of ${json.readers} ${json.readers === 1 ? "router" : "routers"}`;
    setNews(json.live ? `${done}: live on ${routers}.` : `${done}, but live on ${routers} only.`);
  } catch (error) {
    // The change is made all the same; that must not look as if it had been refused.
    setNews(`${done}; whether the routers have it is unknown: ${error.message}`);
  }
}

/** Work that the API may refuse: one at a time, with what was refused sorted by the names of the inputs. */
function useWork(names) {
  const [isBusy, setBusy] = useState(false);
  const [problems, setProblems] = useState(NO_PROBLEMS);
  // Where to go on; the reader of a screen is told what is wrong there.
  useEffect(() => {
    if (problems !== NO_PROBLEMS) document.querySelector('dialog [aria-invalid="true"]')?.focus();
  }, [problems]);
  const known = useRef(names);
  known.current = names;
  const run = async (work) => {
    setBusy(true);
    try {
      await work();
      setProblems(NO_PROBLEMS);
    } catch (error) {
      setProblems(error.byName ?? sortProblems(error.sentences ?? [String(error)], known.current));
    }
    setBusy(false);
  };
  return { isBusy, problems, run };
}

const submitting = (work) => (event) => {
  event.preventDefault();
  return work(event.currentTarget);
};

/** What an input could not read looks to scripts as if it were empty, and would take the option away. */
function demandReadable(form, fields, values) {
  const wrong = fields.filter(({ name }) => form.elements[`option-${name}`].validity.badInput);
  if (wrong.length === 0) return values;
  const byName = Object.fromEntries(wrong.map(({ name }) => [name, ["This is not a number."]]));
  throw Object.assign(new Error("not a number"), { byName: { "": [], ...byName } });
}
