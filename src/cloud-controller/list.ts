/**
 * Lists: pages, filters, order, includes and label selectors, the same for every resource. A resource says which
 * filters it has and what a caller may see; everything a query string may contain follows from that.
 */
import assert from "node:assert";
import { type RawBuilder, sql } from "kysely";
import type { TSchema } from "typebox";
import type { RowOf, Tables } from "../store/index.ts";
import { toTimestamp } from "../store/index.ts";
import { badQueryParameter, resourceNotFound } from "../kernel/errors/cloud-controller.ts";
import { type Condition, everything } from "./condition.ts";
import type { Database, Writer } from "./context.ts";
import { type Call, defineEndpoint, type Endpoint, ok, type Query } from "./endpoint.ts";
import { type LabelConditions, labelConditions } from "./metadata.ts";
import { type Included, listOf, type Pagination, type Shown, withIncluded } from "./shape.ts";

/** What a list parameter narrows the list to. */
export type Filter = (values: readonly string[], call: Call) => Condition;

/** `?include=space`: the key below `included`, and the resources that belong to these rows. */
export interface Include<Row> {
  readonly key: string;
  readonly shape: TSchema;
  readonly load: (call: Call, rows: readonly Row[]) => Promise<readonly object[]>;
}

/** Tables with a GUID and times, which is what order and the general filters need. */
export type ListedTable = {
  [T in keyof Tables]: Tables[T] extends { guid: unknown; created_at: unknown; updated_at: unknown }
    ? T
    : never;
}[keyof Tables];

export interface Listing<T extends ListedTable, S extends TSchema = TSchema> {
  readonly table: T;
  /** As in «Route not found». */
  readonly resource: string;
  readonly shape: S;
  /** Name in the metadata table; without one there is no `label_selector`. */
  readonly labelled?: string;
  readonly filters: Readonly<Record<string, Filter>>;
  readonly includes?: Readonly<Record<string, Include<RowOf<T>>>>;
  /** Columns to order by besides the two times. */
  readonly orderBy?: readonly string[];
  /** Parameters that the presenter looks at by itself. */
  readonly otherParameters?: readonly string[];
  /** How many rows there are, where somebody keeps count; for lists that nothing narrows. */
  readonly total?: (call: Call<unknown>) => Promise<number>;
  readonly visible: (call: Call<unknown>) => Condition;
  /** The header `ETag` of a single resource; read before the row. */
  readonly tag?: (call: Call<unknown>, guid: string) => Promise<string>;
  /** All rows of a page at once, so that what they refer to is read once. */
  readonly present: (call: Call<unknown>, rows: readonly RowOf<T>[]) => Promise<readonly Presented<S>[]>;
}

/** As a listing presents it. */
type Presented<S extends TSchema> = Shown<S> & object;

/** The filter «this column has one of these values». */
export function column(name: string): Filter {
  return (values) => sql<boolean>`${sql.ref(name)} in (${sql.join(values)})`;
}

const GENERAL_PARAMETERS = ["page", "per_page", "order_by", "created_ats", "updated_ats", "guids"];
export const DEFAULT_PER_PAGE = 50;
export const MAX_PER_PAGE = 5000;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/**
 * `GET <path>`.
 * @param scope  For lists below another resource: checks that one and narrows the list to it.
 */
export function listEndpoint<T extends ListedTable>(
  path: string,
  summary: string,
  listing: Listing<T>,
  scope?: (call: Call) => Promise<Condition>,
): Endpoint {
  return defineEndpoint({
    method: "GET",
    path,
    summary,
    access: "read",
    parameters: parametersOf(listing),
    words: {
      ...includeWords(listing),
      order_by: orderColumns(listing).flatMap((name) => [name, `-${name}`]),
    },
    answers: { 200: withIncluded(listOf(listing.shape), includedOf(listing)) },
    handle: async (call) =>
      ok(await page(call, listing, scope === undefined ? everything : await scope(call))),
  });
}

/** `GET <path>` of one resource; the path's last parameter is `:guid`. */
export function showEndpoint<T extends ListedTable>(
  path: string,
  summary: string,
  listing: Listing<T>,
): Endpoint {
  return defineEndpoint({
    method: "GET",
    path,
    summary,
    access: "read",
    parameters: [...(listing.includes === undefined ? [] : ["include"]), ...(listing.otherParameters ?? [])],
    words: includeWords(listing),
    answers: { 200: withIncluded(listing.shape, includedOf(listing)) },
    handle: async (call) => {
      const problems: string[] = [];
      const includes = readIncludes(call.query, listing, problems);
      if (problems.length > 0) throw badQueryParameter({ problems });
      const guid = call.params["guid"] ?? "";
      const etag = await listing.tag?.(call, guid);
      const row = await findRow(call, listing, guid);
      const included = await loadIncludes(call, includes, [row]);
      return {
        ...ok({ ...(await presentRow(call, listing, row)), ...(includes.length > 0 && { included }) }),
        ...(etag !== undefined && { headers: { etag } }),
      };
    },
  });
}

/**
 * The row with this GUID, if the caller may see it.
 * @throws resourceNotFound
 */
export async function findRow<T extends ListedTable>(
  call: Call<unknown>,
  listing: Listing<T>,
  guid: string,
): Promise<RowOf<T>> {
  const found = await sql<RowOf<T>>`
    select * from ${sql.table(listing.table)} where guid = ${guid} and ${listing.visible(call)}`.execute(
    call.context.store.db,
  );
  const row = found.rows[0];
  if (row === undefined) throw resourceNotFound({ resource: listing.resource });
  return row;
}

/**
 * The row as it is inside the transaction: since it was found, somebody else may have changed or deleted it, here or
 * at another replica.
 * @throws resourceNotFound
 */
export async function findAgain<T extends ListedTable>(
  db: Writer,
  { table, resource }: Pick<Listing<T>, "table" | "resource">,
  guid: string,
): Promise<RowOf<T>> {
  const found = await sql<RowOf<T>>`select * from ${sql.table(table)} where guid = ${guid}`.execute(db);
  const row = found.rows[0];
  if (row === undefined) throw resourceNotFound({ resource });
  return row;
}

export async function presentRow<T extends ListedTable, S extends TSchema>(
  call: Call<unknown>,
  listing: Listing<T, S>,
  row: RowOf<T>,
): Promise<Presented<S>> {
  const [presented] = await listing.present(call, [row]);
  assert(presented !== undefined, `a ${listing.resource} that is there is presented`);
  return presented;
}

/** As it is now: what a write answers with. */
export async function presentNow<T extends ListedTable, S extends TSchema>(
  call: Call<unknown>,
  listing: Listing<T, S>,
  guid: string,
): Promise<Presented<S>> {
  return presentRow(call, listing, await findRow(call, listing, guid));
}

/** The shapes below `included`; several parameters may bring the same. */
const includedOf = ({
  includes = {},
}: {
  readonly includes?: Readonly<Record<string, Pick<Include<never>, "key" | "shape">>>;
}): Included => Object.fromEntries(Object.values(includes).map(({ key, shape }) => [key, shape]));

/** `include=…` of what rows point to by GUID, each once, as its own list shows it. */
export const includeOf = <Row, T extends ListedTable>(
  key: string,
  listing: Listing<T>,
  guidOf: (row: Row) => string | null,
): Include<Row> => ({
  key,
  shape: listing.shape,
  load: async (call, rows) => {
    const guids = [...new Set(rows.flatMap((row) => guidOf(row) ?? []))];
    if (guids.length === 0) return [];
    const found = await sql<RowOf<T>>`
      select * from ${sql.table(listing.table)} where guid in (${sql.join(guids)})`.execute(
      call.context.store.db,
    );
    return listing.present(call, found.rows);
  },
});

async function loadIncludes<Row>(call: Call, includes: readonly Include<Row>[], rows: readonly Row[]) {
  const included: Record<string, readonly object[]> = {};
  for (const { key, load } of includes) {
    included[key] = [...(included[key] ?? []), ...(await load(call, rows))];
  }
  return included;
}

const orderColumns = ({ orderBy = [] }: { readonly orderBy?: readonly string[] }) => [
  "created_at",
  "updated_at",
  ...orderBy,
];

const includeWords = ({
  includes,
}: {
  readonly includes?: object;
}): Readonly<Record<string, readonly string[]>> =>
  includes === undefined ? {} : { include: Object.keys(includes) };

function parametersOf<T extends ListedTable>(listing: Listing<T>): readonly string[] {
  return [
    ...GENERAL_PARAMETERS,
    ...(listing.labelled === undefined ? [] : ["label_selector"]),
    ...Object.keys(listing.filters),
    ...(listing.includes === undefined ? [] : ["include"]),
    ...(listing.otherParameters ?? []),
  ];
}

async function page<T extends ListedTable>(
  call: Call,
  listing: Listing<T>,
  scope: Condition,
): Promise<object> {
  const { query, context } = call;
  const problems: string[] = [];
  const asked = readPage(query, problems);
  const order = readOrder(query, listing, problems);
  const includes = readIncludes(query, listing, problems);
  const others = [scope, listing.visible(call), ...readConditions(call, listing, problems)];
  if (problems.length > 0) throw badQueryParameter({ problems });
  const labels = await readLabels(call, listing);

  const table = sql.table(listing.table);
  const db = context.store.db;
  const allOf = (labelled: Condition | undefined) =>
    sql.join(labelled === undefined ? others : [...others, labelled], sql` and `);
  const isLabelsOnly = others.every((condition) => condition === everything);
  const total =
    (isLabelsOnly ? await keptTotal(call, listing, labels) : undefined) ??
    (await countRows(db, table, allOf(isLabelsOnly ? labels?.alone : labels?.besideOthers)));
  const offset = (asked.page - 1) * asked.perPage;
  const cut = sql`from ${table} where ${allOf(labels?.besideOthers)}
    order by ${order} limit ${asked.perPage} offset ${offset}`;
  // What is skipped is read in the index alone, and rows only of the page: half the time at a page in the middle.
  const found =
    offset === 0
      ? sql<RowOf<T>>`select * ${cut}`
      : sql<RowOf<T>>`select * from ${table} where guid in (select guid ${cut}) order by ${order}`;
  const rows = offset >= total ? [] : (await found.execute(db)).rows;

  return {
    pagination: pagination(call, asked, total),
    resources: await listing.present(call, rows),
    ...(includes.length > 0 && { included: await loadIncludes(call, includes, rows) }),
  };
}

/** Told without looking at the rows, where somebody keeps count of all of them. */
async function keptTotal<T extends ListedTable>(
  call: Call,
  listing: Listing<T>,
  labels: LabelConditions | undefined,
): Promise<number | undefined> {
  const all = await listing.total?.(call);
  return all === undefined || labels === undefined ? all : await labels.count?.(all);
}

async function countRows(
  db: Database,
  table: RawBuilder<unknown>,
  where: RawBuilder<unknown>,
): Promise<number> {
  const { rows } = await sql<{ total: number | string }>`
    select count(*) as total from ${table} where ${where}`.execute(db);
  return Number(rows[0]?.total ?? 0);
}

/** `{"pagination":…,"resources":…}` of a list that is not in the store, all on one page. */
export function onePage<R extends object>(call: Call, resources: readonly R[]) {
  return {
    pagination: pagination(
      call,
      { page: 1, perPage: Math.max(DEFAULT_PER_PAGE, resources.length) },
      resources.length,
    ),
    resources,
  };
}

function pagination(
  call: Call,
  asked: { page: number; perPage: number },
  total: number,
): Shown<typeof Pagination> {
  const { page, perPage } = asked;
  const pages = Math.max(1, Math.ceil(total / perPage));
  const link = (number: number) => {
    const search = new URLSearchParams({ ...call.query, page: String(number), per_page: String(perPage) });
    return { href: `${call.context.url(call.path)}?${search}` };
  };
  return {
    total_results: total,
    total_pages: pages,
    first: link(1),
    last: link(pages),
    next: page < pages ? link(page + 1) : null,
    previous: page > 1 ? link(Math.min(page - 1, pages)) : null,
  };
}

function readPage(query: Query, problems: string[]): { page: number; perPage: number } {
  const page = positive(query["page"] ?? "1");
  const perPage = positive(query["per_page"] ?? String(DEFAULT_PER_PAGE));
  if (page === null) problems.push("Page must be a positive integer");
  if (perPage === null) problems.push("Per page must be a positive integer");
  else if (perPage > MAX_PER_PAGE) problems.push(`Per page must be between 1 and ${MAX_PER_PAGE}`);
  return { page: page ?? 1, perPage: perPage ?? 1 };
}

/** Nine digits at most, so that page × size stays an exact number. */
const positive = (text: string) => (/^0*[1-9]\d{0,8}$/.test(text) ? Number(text) : null);

function readOrder<T extends ListedTable>(query: Query, listing: Listing<T>, problems: string[]) {
  const columns = orderColumns(listing);
  const given = query["order_by"] ?? "created_at";
  // A «+» in a query string arrives as a space.
  const [, sign, name] = /^([+\- ]?)(.*)$/s.exec(given) ?? [];
  const wanted = columns.find((each) => each === name);
  if (wanted === undefined) {
    problems.push(`Order by can only be: ${columns.map((each) => `'${each}'`).join(", ")}`);
  }
  const direction = sign === "-" ? sql`desc` : sql`asc`;
  return sql`${sql.ref(wanted ?? "created_at")} ${direction}, guid ${direction}`;
}

function readIncludes<T extends ListedTable>(query: Query, listing: Listing<T>, problems: string[]) {
  const known = listing.includes ?? {};
  const names = query["include"] === undefined ? [] : query["include"].split(",");
  if (new Set(names).size < names.length) {
    problems.push(`Duplicates included resource: '${names.find((name, i) => names.indexOf(name) < i)}'`);
  }
  return names.flatMap((name) => {
    const include = Object.hasOwn(known, name) ? known[name] : undefined;
    if (include !== undefined) return [include];
    problems.push(
      `Invalid included resource: '${name}'. Valid included resources are: ${Object.keys(known)
        .map((each) => `'${each}'`)
        .join(", ")}`,
    );
    return [];
  });
}

function readConditions<T extends ListedTable>(
  call: Call,
  listing: Listing<T>,
  problems: string[],
): Condition[] {
  const conditions: Condition[] = [];
  for (const [name, value] of Object.entries(call.query)) {
    const time = /^(created|updated)_ats(?:\[(.*)\])?$/s.exec(name);
    const filter = Object.hasOwn(listing.filters, name) ? listing.filters[name] : undefined;
    if (filter !== undefined) conditions.push(filter(readValues(value), call));
    else if (name === "guids") conditions.push(column("guid")(readValues(value), call));
    else if (time !== null) {
      const condition = timeCondition(`${time[1]}_at`, time[2] ?? "eq", value, problems);
      if (condition !== null) conditions.push(condition);
    }
  }
  return conditions;
}

/**
 * `a,b` → `["a", "b"]`. A comma that is part of a name stands there as `%2C`, inside the query's own encoding: upstream
 * decodes each value once more.
 */
export function readValues(list: string): readonly string[] {
  return list.split(",").map((value) => {
    try {
      const decoded = decodeURIComponent(value);
      // No row holds NUL, and PostgreSQL does not take it.
      return decoded.includes("\0") ? value : decoded;
    } catch {
      // A «%» that begins nothing is one.
      return value;
    }
  });
}

async function readLabels<T extends ListedTable>(
  { query, context }: Call,
  listing: Listing<T>,
): Promise<LabelConditions | undefined> {
  const selector = query["label_selector"];
  if (selector === undefined || listing.labelled === undefined) return undefined;
  return labelConditions(context.store.db, listing.table, listing.labelled, selector);
}

/** Times are stored with milliseconds and shown in seconds, so «equal» is «within that second». */
function timeCondition(name: string, operator: string, value: string, problems: string[]): Condition | null {
  const title = `${name.charAt(0).toUpperCase()}${name.slice(1).replace("_", " ")}s`;
  const given = value.split(",");
  if (!given.every((each) => TIMESTAMP.test(each) && !Number.isNaN(Date.parse(each)))) {
    problems.push(
      `${title} has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'`,
    );
    return null;
  }
  const at = sql.ref(name);
  const from = (text: string) => toTimestamp(Date.parse(text));
  const after = (text: string) => toTimestamp(Date.parse(text) + 1000);
  if (operator === "eq") {
    return sql<boolean>`(${sql.join(
      given.map((each) => sql`(${at} >= ${from(each)} and ${at} < ${after(each)})`),
      sql` or `,
    )})`;
  }
  if (given.length > 1) {
    problems.push(`${title} only accepts one value when using an inequality filter`);
    return null;
  }
  switch (operator) {
    case "gt":
      return sql<boolean>`${at} >= ${after(value)}`;
    case "gte":
      return sql<boolean>`${at} >= ${from(value)}`;
    case "lt":
      return sql<boolean>`${at} < ${from(value)}`;
    case "lte":
      return sql<boolean>`${at} < ${after(value)}`;
    default:
      problems.push(
        `${title} has an invalid relational operator: '${operator}'. Valid operators are: 'lt', 'gt', 'lte', 'gte'`,
      );
      return null;
  }
}
