/** Who asked for a build. */
import type { Migration } from "./define.ts";

export const buildAuthors: Migration = {
  name: "0008-build-authors",
  statements: ({ text }) => [
    `alter table builds
      add column created_by ${text} not null default '{"guid":null,"name":null,"email":null}'`,
  ],
};
