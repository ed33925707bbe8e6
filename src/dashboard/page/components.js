// What the page looks like. Each component reads signals and is drawn again when they change.
import { logOut, session } from "./api.js";
import { html } from "./html.js";
import { TaskDialog } from "./route-form.js";
import {
  connection,
  currentPage,
  expanded,
  feed,
  filter,
  fresh,
  howToChange,
  linkOf,
  matching,
  pageCount,
  pageNumber,
  PAGE_SIZE,
  stateFilter,
  table,
  task,
  toggleExpanded,
  totals,
  traffic,
  trafficHistory,
  visible,
} from "./state.js";

const number = new Intl.NumberFormat("en");
const CONNECTION_TEXTS = {
  connecting: "connecting …",
  live: "live",
  lost: "connection lost, trying again",
};

export function App() {
  return html`
    <${Header} />
    <main>
      <${Tiles} />
      <${Toolbar} />
      <${RouteTable} />
      <${Pager} />
    </main>
    <${TaskDialog} />
  `;
}

function Header() {
  const status = connection.value === "live" && feed.value === "lost" ? "lost" : connection.value;
  const text = status === connection.value ? CONNECTION_TEXTS[status] : "routing API lost, last known state";
  return html`
    <header>
      <h1><img src="./icon.svg" alt="" width="28" height="28" /> Viaduct</h1>
      ${session.value !== null && html`<p class="user">${session.value.username}${howToChange.value === "after login" && html` <button type="button" onClick=${logOut}>Log out</button>`}</p>`}
      <p class="connection" role="status" data-state=${status}><span class="dot"></span>${text}</p>
    </header>
  `;
}

function Tiles() {
  const { routes: all, active, reserved, endpoints } = totals.value;
  return html`
    <div class="tiles">
      <${StateTile} state="all" title="Routes" count=${all} />
      <${StateTile} state="active" title="Active" count=${active} />
      <${StateTile} state="reserved" title="Reserved" count=${reserved} />
      <div class="tile"><span class="title">Endpoints</span><span class="count">${number.format(endpoints)}</span></div>
      <${TrafficTile} />
    </div>
  `;
}

/** A total that is also a switch: pressed, the table shows only these. */
function StateTile({ state, title, count }) {
  const choose = () => {
    stateFilter.value = state;
    pageNumber.value = 0;
  };
  return html`
    <button type="button" class="tile" data-state=${state} aria-pressed=${stateFilter.value === state} onClick=${choose}>
      <span class="title">${title}</span><span class="count">${number.format(count)}</span>
    </button>
  `;
}

function TrafficTile() {
  const { requestsPerSecond, failuresPerSecond } = traffic.value;
  if (requestsPerSecond === null && trafficHistory.value.length === 0) return null;
  return html`
    <div class="tile traffic">
      <span class="title">
        Requests/s${failuresPerSecond > 0 && html` <span class="bad">${number.format(failuresPerSecond)} failed</span>`}
      </span>
      <span class="count">${requestsPerSecond === null ? "–" : number.format(requestsPerSecond < 10 ? requestsPerSecond : Math.round(requestsPerSecond))}</span>
      <${Sparkline} values=${trafficHistory.value} />
    </div>
  `;
}

const SPARK_WIDTH = 120;
const SPARK_HEIGHT = 32;

function Sparkline({ values }) {
  if (values.length < 2) return null;
  const top = Math.max(...values, 1);
  const step = SPARK_WIDTH / (values.length - 1);
  const points = values.map(
    (value, i) =>
      `${(i * step).toFixed(1)},${(SPARK_HEIGHT - 1 - (value / top) * (SPARK_HEIGHT - 2)).toFixed(1)}`,
  );
  return html`
    <svg class="spark" viewBox="0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
      <polygon points="0,${SPARK_HEIGHT} ${points.join(" ")} ${SPARK_WIDTH},${SPARK_HEIGHT}" />
      <polyline points=${points.join(" ")} />
    </svg>
  `;
}

function Toolbar() {
  const type = (event) => {
    filter.value = event.currentTarget.value;
    pageNumber.value = 0;
  };
  return html`
    <search class="toolbar">
      <label for="filter">Filter</label>
      <input
        id="filter"
        type="search"
        placeholder="host, path, app, address, option …  ( / )"
        autocomplete="off"
        spellcheck=${false}
        value=${filter.value}
        onInput=${type}
      />
      <output for="filter">${countText()}</output>
      ${howToChange.value !== "not" && html`<button type="button" onClick=${() => (task.value = { kind: "create" })}>New route</button>`}
    </search>
  `;
}

function countText() {
  const shown = matching.value.length;
  const { routes: all } = totals.value;
  return shown === all
    ? `${number.format(all)} routes`
    : `${number.format(shown)} of ${number.format(all)} routes`;
}

// Roles are spelt out because on narrow screens the rows are laid out as cards, and with another `display`
// browsers forget that a table is one.
function RouteTable() {
  const rows = visible.value;
  if (rows.length === 0) return html`<p class="empty">${emptyText()}</p>`;
  return html`
    <table role="table">
      <caption>Routes, their state and the endpoints that serve them</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">Route</th>
          <th role="columnheader" scope="col">State</th>
          <th role="columnheader" scope="col">App</th>
          <th role="columnheader" scope="col">Options</th>
          <th role="columnheader" scope="col">Endpoints</th>
        </tr>
      </thead>
      ${rows.map((route) => html`<${RouteRows} key=${route.id} route=${route} />`)}
    </table>
  `;
}

function emptyText() {
  if (connection.value === "connecting") return "Loading the routes …";
  if (table.value.routes.size > 0) return "No route fits the filter.";
  return "No routes yet. «viaduct run --name shop --route shop.localhost -- COMMAND» makes one.";
}

function RouteRows({ route }) {
  const isExpanded = expanded.value.has(route.id) && route.endpoints.length > 0;
  const detailsId = `endpoints of ${route.id}`.replaceAll(/[^\w.-]/g, "_");
  return html`
    <tbody role="rowgroup" data-route=${route.name} data-state=${route.state} class=${fresh.value.has(route.id) ? "fresh" : ""}>
      <tr role="row">
        <th role="rowheader" scope="row" data-label="Route"><${RouteName} route=${route} /></th>
        <td role="cell" data-label="State"><span class="state"><span class="dot"></span>${route.state}</span></td>
        <td role="cell" data-label="App" class=${route.apps.length === 0 ? "nothing" : ""}>${route.apps.map((app) => html`<span class="app" key=${app} title=${app}>${app}</span>`)}</td>
        <td role="cell" data-label="Options" class=${hasOptions(route) || isChangeable(route) ? "" : "nothing"}><${Options} route=${route} /><${ChangeButton} route=${route} /></td>
        <td role="cell" data-label="Endpoints">
          <${EndpointsButton} route=${route} isExpanded=${isExpanded} detailsId=${detailsId} />
        </td>
      </tr>
      ${isExpanded && html`<tr role="row" class="details" id=${detailsId}><td role="cell" colspan="5"><${Endpoints} route=${route} /></td></tr>`}
    </tbody>
  `;
}

function RouteName({ route }) {
  const link = linkOf(route);
  const name = html`<span class="host">${route.host}</span><span class="path">${route.path}</span>`;
  const badge = route.protocol !== "http" ? route.protocol : route.guid === null ? "classic" : "";
  return html`
    ${link === null ? name : html`<a href=${link} rel="noreferrer">${name}</a>`}
    ${badge !== "" && html` <span class="badge">${badge}</span>`}
  `;
}

const hasOptions = (route) => route.routeServiceUrl !== null || Object.keys(route.options).length > 0;

function Options({ route }) {
  const pairs = Object.entries(route.options);
  return html`
    ${pairs.map(([key, value]) => html`<span class="option" key=${key}>${key}=<b>${String(value)}</b></span>`)}
    ${route.routeServiceUrl !== null && html`<span class="option">route service <b>${route.routeServiceUrl}</b></span>`}
  `;
}

const isChangeable = (route) => route.guid !== null && howToChange.value !== "not";

function ChangeButton({ route }) {
  if (!isChangeable(route)) return null;
  const { guid, name, protocol } = route;
  const open = () => {
    task.value = { kind: "change", guid, name, protocol };
  };
  return html`<button type="button" class="change" aria-label=${`Change ${name}`} onClick=${open}>Change</button>`;
}

function EndpointsButton({ route, isExpanded, detailsId }) {
  const { length } = route.endpoints;
  if (length === 0) {
    const isRefused = route.protocol === "http" && route.routeServiceUrl === null;
    return html`<span class="none">${isRefused ? "none, answers 503" : "none"}</span>`;
  }
  return html`
    <button type="button" class="expand" aria-expanded=${isExpanded} aria-controls=${isExpanded ? detailsId : null} onClick=${() => toggleExpanded(route.id)}>
      ${number.format(length)} ${length === 1 ? "endpoint" : "endpoints"}
    </button>
  `;
}

function Endpoints({ route }) {
  return html`
    <table class="endpoints">
      <caption>Endpoints of ${route.name}</caption>
      <thead>
        <tr><th scope="col">#</th><th scope="col">Address</th><th scope="col">App</th><th scope="col">Process</th><th scope="col">Instance</th><th scope="col">Zone</th></tr>
      </thead>
      <tbody>
        ${route.endpoints.map(
          (endpoint) => html`
            <tr key=${endpoint.address}>
              <td>${endpoint.index}</td><td class="address">${endpoint.address}</td><td>${endpoint.app}</td>
              <td class="guid">${endpoint.process}</td><td class="guid">${endpoint.instance}</td><td>${endpoint.zone}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

function Pager() {
  if (pageCount.value === 1) return null;
  const page = currentPage.value;
  const first = page * PAGE_SIZE + 1;
  const last = Math.min((page + 1) * PAGE_SIZE, matching.value.length);
  const turn = (to) => () => {
    pageNumber.value = to;
    scrollTo({ top: 0 });
  };
  return html`
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled=${page === 0} onClick=${turn(page - 1)}>Previous</button>
      <span>${number.format(first)}–${number.format(last)} of ${number.format(matching.value.length)}</span>
      <button type="button" disabled=${page === pageCount.value - 1} onClick=${turn(page + 1)}>Next</button>
    </nav>
  `;
}
