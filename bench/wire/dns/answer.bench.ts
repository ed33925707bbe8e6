/**
 * What does one answer cost the codec: reading a query with EDNS and writing ten addresses, and thirty that are cut at
 * 512 bytes? Run: `node scripts/pinned.mjs bench/wire/dns/answer.bench.ts`.
 */
import {
  addressData,
  decodeQuery,
  emptyResponse,
  encodeQuery,
  encodeResponse,
  RCODE,
  type ResourceRecord,
  TYPE,
} from "../../../src/wire/dns/index.ts";

const ANSWERS = 200_000;
const ROUNDS = 7;

const records = (count: number): ResourceRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    owner: null,
    type: TYPE.A,
    ttl: 0,
    data: addressData(`10.255.0.${i}`)?.data ?? new Uint8Array(0),
  }));
const cases = {
  "10 addresses, EDNS": {
    query: encodeQuery({ id: 1, name: "shop.apps.internal", type: TYPE.A, edns: { udpBytes: 1232 } }),
    answers: records(10),
    maxBytes: 1232,
  },
  "30 addresses cut at 512": {
    query: encodeQuery({ id: 1, name: "shop.apps.internal", type: TYPE.A }),
    answers: records(30),
    maxBytes: 512,
  },
};

function nanosecondsPerAnswer({ query, answers, maxBytes }: (typeof cases)["10 addresses, EDNS"]): number {
  let bytes = 0;
  const startedAt = process.cpuUsage();
  for (let n = 0; n < ANSWERS; n++) {
    const decoded = decodeQuery(query);
    if (decoded.kind !== "query") throw new Error("the query is none");
    const response = { ...emptyResponse(decoded.query, RCODE.NOERROR), authoritative: true, answers };
    bytes += encodeResponse(response, { maxBytes, advertisedUdpBytes: 1232, truncation: "partial" }).length;
  }
  const { user, system } = process.cpuUsage(startedAt);
  if (bytes === 0) throw new Error("the loop was optimised away");
  return ((user + system) * 1_000) / ANSWERS;
}

for (const [name, input] of Object.entries(cases)) {
  const rounds = Array.from({ length: ROUNDS }, () => nanosecondsPerAnswer(input)).sort((a, b) => a - b);
  const median = rounds[ROUNDS >> 1] ?? 0;
  const spread = (rounds.at(-1) ?? 0) - (rounds[0] ?? 0);
  console.log(
    `${name.padEnd(26)} ${median.toFixed(0).padStart(6)} ns per answer  (spread ${spread.toFixed(0)})`,
  );
}
