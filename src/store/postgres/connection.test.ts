import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutPassword } from "./connection.ts";

const cases = [
  { url: "", shown: "" },
  { url: "not a url with hunter2", shown: "not a url with hunter2" },
  { url: "postgres://cf:hunter2@db.example.com:5432/cf", shown: "postgres://cf@db.example.com:5432/cf" },
  { url: "postgresql://cf:hun@ter/2@db/cf", shown: "postgresql://cf@db/cf" },
  { url: "postgres://:hunter2@db/cf", shown: "postgres://@db/cf" },
  {
    url: "postgres://db:5432/cf?user=cf&password=hunter2&sslmode=require",
    shown: "postgres://db:5432/cf?user=cf&password=***&sslmode=require",
  },
  { url: "postgres://cf@db/cf?host=%2Frun", shown: "postgres://cf@db/cf?host=%2Frun" },
];
for (const { url, shown } of cases) {
  test(`a URL is shown as «${shown}»`, () => {
    assert.equal(withoutPassword(url), shown);
  });
}
