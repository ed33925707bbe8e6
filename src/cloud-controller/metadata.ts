/**
 * Labels and annotations, which every resource may carry: checked here, stored in one table, merged key by key
 * (`null` removes), selected by `label_selector`.
 */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { type RowOf, writeLater } from "../store/index.ts";
import type { Database, Writer } from "./context.ts";
import { badQueryParameter } from "../kernel/errors/cloud-controller.ts";
import type { Condition } from "./condition.ts";
import { refuse } from "./refuse.ts";

const Values = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]));

/** For the key `metadata` of a body; its rules are in {@link metadataProblems}, which says more than a schema can. */
export const Metadata = Type.Unsafe<{
  labels?: Static<typeof Values>;
  annotations?: Static<typeof Values>;
}>({});
export type MetadataInput = Static<typeof Metadata>;

export interface PresentedMetadata {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const NONE: PresentedMetadata = Object.freeze({ labels: {}, annotations: {} });
const MAX_NAME = 63;
const MAX_PREFIX = 253;
const MAX_LABEL_VALUE = 63;
const MAX_ANNOTATION_KEY = 1000;
const MAX_ANNOTATION_VALUE = 5000;
/** Upstream's: of one resource. */
const MOST = { label: 50, annotation: 200 } as const;
const WORD = /^[\w.-]*$/;
const STARTS_AND_ENDS_ALPHANUMERIC = /^[a-zA-Z\d](?:.*[a-zA-Z\d])?$/;
const DNS_NAME = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i;

/** What is wrong with `metadata` of a body, in upstream's words. */
export function metadataProblems(metadata: unknown): string[] {
  if (metadata === undefined) return [];
  if (!isObject(metadata)) return ["Metadata must be an object"];
  const problems: string[] = [];
  const unexpected = Object.keys(metadata).filter((key) => key !== "labels" && key !== "annotations");
  if (unexpected.length > 0) {
    problems.push(`Metadata has unexpected field(s): ${unexpected.map((key) => `'${key}'`).join(" ")}`);
  }
  for (const [kind, check] of [
    ["labels", labelProblem],
    ["annotations", annotationProblem],
  ] as const) {
    const values = metadata[kind];
    if (values === undefined) continue;
    if (!isObject(values)) {
      problems.push(`Metadata '${kind}' is not an object`);
      continue;
    }
    for (const [key, value] of Object.entries(values)) {
      const problem = check(key, value);
      if (problem !== null) problems.push(`Metadata ${problem}`);
    }
  }
  return problems;
}

function labelProblem(key: string, value: unknown): string | null {
  const keyProblem = nameProblem(key, MAX_NAME);
  if (keyProblem !== null) return `label key error: ${keyProblem}`;
  if (value === null || value === "") return null;
  if (typeof value !== "string") return `label value error: the value of '${key}' must be a string`;
  const problem = wordProblem(value, MAX_LABEL_VALUE);
  return problem === null ? null : `label value error: ${problem}`;
}

function annotationProblem(key: string, value: unknown): string | null {
  const keyProblem = nameProblem(key, MAX_ANNOTATION_KEY);
  if (keyProblem !== null) return `annotation key error: ${keyProblem}`;
  if (value === null) return null;
  if (typeof value !== "string") return `annotation value error: the value of '${key}' must be a string`;
  return value.length > MAX_ANNOTATION_VALUE
    ? `annotation value error: '${value.slice(0, 8)}...' is greater than ${MAX_ANNOTATION_VALUE} characters`
    : null;
}

function nameProblem(key: string, maxName: number): string | null {
  if (key === "") return "key cannot be empty string";
  const parts = key.split("/");
  if (parts.length > 2) return "key has more than one '/'";
  const { prefix, name } = splitKey(key);
  if (parts.length === 2) {
    if (prefix.length > MAX_PREFIX) {
      return `prefix '${prefix.slice(0, 8)}...' is greater than ${MAX_PREFIX} characters`;
    }
    if (!DNS_NAME.test(prefix)) return `prefix '${prefix}' must be in valid dns format`;
    if (prefix.toLowerCase() === "cloudfoundry.org") return "prefix 'cloudfoundry.org' is reserved";
  }
  return name === "" ? "key cannot be empty string" : wordProblem(name, maxName);
}

function wordProblem(word: string, max: number): string | null {
  if (!WORD.test(word)) return `'${word}' contains invalid characters`;
  if (!STARTS_AND_ENDS_ALPHANUMERIC.test(word)) return `'${word}' starts or ends with invalid characters`;
  return word.length > max ? `'${word.slice(0, 8)}...' is greater than ${max} characters` : null;
}

function splitKey(key: string): { prefix: string; name: string } {
  const slash = key.indexOf("/");
  return slash === -1
    ? { prefix: "", name: key }
    : { prefix: key.slice(0, slash), name: key.slice(slash + 1) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Merges what a body says into what is stored. */
export async function writeMetadata(
  db: Writer,
  type: string,
  guid: string,
  input: MetadataInput | undefined,
): Promise<void> {
  for (const [kind, values] of [
    ["label", input?.labels],
    ["annotation", input?.annotations],
  ] as const) {
    const given = Object.values(values ?? {}).filter((value) => value !== null).length;
    const tooMany = `Failed to add ${given} ${kind}s because it would exceed maximum of ${MOST[kind]}`;
    if (given > MOST[kind]) refuse(tooMany);
    const before = given === 0 ? 0 : await countMetadata(db, type, guid, kind);
    for (const [key, value] of Object.entries(values ?? {})) {
      const { prefix, name } = splitKey(key);
      if (value === null) {
        await writeLater(
          db,
          db
            .deleteFrom("metadata")
            .where("resource_type", "=", type)
            .where("resource_guid", "=", guid)
            .where("kind", "=", kind)
            .where("prefix", "=", prefix)
            .where("name", "=", name),
        );
        continue;
      }
      await writeLater(
        db,
        db
          .insertInto("metadata")
          .values({ resource_type: type, resource_guid: guid, kind, prefix, name, value })
          .onConflict((conflict) =>
            conflict
              .columns(["resource_type", "resource_guid", "kind", "prefix", "name"])
              .doUpdateSet({ value }),
          ),
      );
    }
    if (given === 0) continue;
    const after = await countMetadata(db, type, guid, kind);
    if (after > MOST[kind] && after > before) refuse(tooMany);
  }
}

async function countMetadata(
  db: Writer,
  type: string,
  guid: string,
  kind: keyof typeof MOST,
): Promise<number> {
  const { total } = await db
    .selectFrom("metadata")
    .select((eb) => eb.fn.countAll<number | string>().as("total"))
    .where("resource_type", "=", type)
    .where("resource_guid", "=", guid)
    .where("kind", "=", kind)
    .executeTakeFirstOrThrow();
  return Number(total);
}

/** Resources are deleted one by one; their labels have no foreign key that would do it. */
export async function deleteMetadata(db: Database, type: string, guids: readonly string[]): Promise<void> {
  if (guids.length === 0) return;
  await db
    .deleteFrom("metadata")
    .where("resource_type", "=", type)
    .where("resource_guid", "in", guids)
    .execute();
}

/** The metadata of many resources of one type; those without have empty ones. */
export async function readMetadata(
  db: Database,
  type: string,
  guids: readonly string[],
): Promise<(guid: string) => PresentedMetadata> {
  return presentMetadata(guids.length === 0 ? [] : await metadataRows(db, type, guids).execute());
}

/** For a look together with others. */
export const metadataRows = (db: Database, type: string, guids: readonly string[]) =>
  db
    .selectFrom("metadata")
    .selectAll()
    .where("resource_type", "=", type)
    .where("resource_guid", "in", guids)
    .orderBy("prefix")
    .orderBy("name");

export function presentMetadata(rows: readonly RowOf<"metadata">[]): (guid: string) => PresentedMetadata {
  const found = new Map<string, { labels: Record<string, string>; annotations: Record<string, string> }>();
  for (const row of rows) {
    let own = found.get(row.resource_guid);
    if (own === undefined) found.set(row.resource_guid, (own = { labels: {}, annotations: {} }));
    const key = row.prefix === "" ? row.name : `${row.prefix}/${row.name}`;
    own[row.kind === "label" ? "labels" : "annotations"][key] = row.value;
  }
  return (guid) => found.get(guid) ?? NONE;
}

const SET_REQUIREMENT = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY_REQUIREMENT = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/;
const EXISTENCE_REQUIREMENT = /^(!?)([^\s=!()]+)$/;

interface Requirement {
  readonly prefix: string;
  readonly name: string;
  /** Null for any. */
  readonly values: readonly string[] | null;
  readonly isWanted: boolean;
}

/** What a selector asks of the rows of a list, in the two ways a database can look at it. */
export interface LabelConditions {
  /** Reads every row that has such labels: for when nothing else says which rows to read. */
  readonly alone: Condition;
  /** Reads those where they are few, and otherwise asks the rows that the rest of the query finds. */
  readonly besideOthers: Condition;
  /**
   * How many of all there are it finds, by counting labels alone, which go with what carries them. Null for a selector
   * that asks for several things.
   */
  readonly count: ((all: number) => Promise<number>) | null;
}

/** Reading as many takes about a millisecond. */
const FEW_LABELLED = 1_000;

/**
 * `env=prod,tier in (a, b),!legacy` → the rows of `table` that have such labels.
 * @throws badQueryParameter
 */
export async function labelConditions(
  db: Database,
  table: string,
  type: string,
  selector: string,
): Promise<LabelConditions> {
  const requirements = readSelector(selector);
  // SQLite keeps no statistics that would tell it, and at 100,000 routes the wrong way takes a hundred times as long.
  const ways = await Promise.all(
    requirements.map(async (requirement) => {
      const rows = labelRows(type, requirement);
      const read = among(table, rows, requirement);
      const isFew = (await countLabels(db, rows, FEW_LABELLED + 1)) <= FEW_LABELLED;
      return {
        read,
        besideOthers: isFew ? read : asked(table, rows, requirement),
        count: async (all: number) => {
          const labelled = await countLabels(db, rows);
          // What comes or goes between the two counts must not make it negative.
          return requirement.isWanted ? labelled : Math.max(0, all - labelled);
        },
      };
    }),
  );
  const [first, second] = ways;
  const all = (conditions: readonly Condition[]) => sql<boolean>`(${sql.join(conditions, sql` and `)})`;
  return {
    alone: all(ways.map(({ read }) => read)),
    besideOthers: all(ways.map(({ besideOthers }) => besideOthers)),
    count: second === undefined ? (first?.count ?? null) : null,
  };
}

/** @throws badQueryParameter */
function readSelector(selector: string): readonly Requirement[] {
  // Commas separate requirements, except inside the parentheses of a set.
  const texts = selector.split(/,(?![^(]*\))/).map((part) => part.trim());
  return texts.map((text) => {
    const set = SET_REQUIREMENT.exec(text);
    if (set !== null) {
      const values = (set[3] ?? "").split(",").map((value) => value.trim());
      return { ...splitKey(set[1] ?? ""), values, isWanted: set[2] === "in" };
    }
    const equality = EQUALITY_REQUIREMENT.exec(text);
    if (equality !== null) {
      const [, key = "", operator, value = ""] = equality;
      return { ...splitKey(key), values: [value], isWanted: operator !== "!=" };
    }
    const existence = EXISTENCE_REQUIREMENT.exec(text);
    if (existence !== null) {
      return { ...splitKey(existence[2] ?? ""), values: null, isWanted: existence[1] === "" };
    }
    throw badQueryParameter({
      problems: [text === "" ? "Missing label_selector value" : "Invalid label_selector value"],
    });
  });
}

function labelRows(type: string, { prefix, name, values }: Requirement) {
  const valued = values === null ? sql`` : sql` and value in (${sql.join(values)})`;
  return sql`from metadata
    where resource_type = ${type} and kind = 'label' and prefix = ${prefix} and name = ${name}${valued}`;
}
type LabelRows = ReturnType<typeof labelRows>;

function among(table: string, rows: LabelRows, { isWanted }: Requirement): Condition {
  return sql<boolean>`${sql.ref(`${table}.guid`)} ${isWanted ? sql`in` : sql`not in`} (select resource_guid ${rows})`;
}

function asked(table: string, rows: LabelRows, { isWanted }: Requirement): Condition {
  return sql<boolean>`${isWanted ? sql`exists` : sql`not exists`} (
    select 1 ${rows} and resource_guid = ${sql.ref(`${table}.guid`)})`;
}

/** Nothing has a label twice. */
async function countLabels(db: Database, rows: LabelRows, limit?: number): Promise<number> {
  const cut = limit === undefined ? sql`` : sql` limit ${limit}`;
  const counted = await sql<{ total: number | string }>`
    select count(*) as total from (select 1 ${rows}${cut}) as labelled`.execute(db);
  return Number(counted.rows[0]?.total ?? 0);
}
