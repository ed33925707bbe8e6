/** The reference page of gorouter's configuration keys, written from the list that the loader reads. */
import { gorouterKeys } from "./gorouter-keys.ts";

const STATES = {
  honoured: "honoured",
  accepted: "no effect",
} as const;

export function renderGorouterKeys(): string {
  const rows = [...gorouterKeys].map(
    ([name, key]) =>
      `| \`${name}\` | ${cell(key.kind.name)} | ${cell(key.kind.show(key.default))} | ${STATES[key.state]} | ${cell(key.meaning)} |`,
  );
  return `# gorouter configuration keys

Generated from \`src/router/gorouter-keys.ts\`; do not edit.

\`viaduct router -c FILE\` reads gorouter's own configuration file.

- **honoured**: does what gorouter does.
- **no effect**: may be set; the router says at its start that it does nothing with it. The meaning says why.

Unknown keys are ignored, as gorouter does, and said with the nearest known name. Durations are written like \`30s\`,
\`500ms\` or \`1m30s\`. Every problem is reported at once, each with its line.

| Key | Value | Default | State | Meaning |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

const cell = (text: string) => text.replaceAll("|", "\\|");
