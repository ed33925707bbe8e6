/** Which files stay at home: what no app needs, and what its `.cfignore` names, in the manner of `.gitignore`. */

/** As the cf CLI leaves out; the manifest says how to run the app and is not part of it. */
const ALWAYS = [
  ".cfignore",
  ".git",
  ".gitignore",
  ".hg",
  ".svn",
  "_darcs",
  ".DS_Store",
  "/manifest.yml",
  ".viaduct",
];

export type Ignores = (path: string, isFolder: boolean) => boolean;

/** @param text  Of `.cfignore`; the last line that fits decides, «!» takes in again. */
export function readIgnores(text: string): Ignores {
  const rules = [...ALWAYS, ...text.split(/\r?\n/)].flatMap((line) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    const isTakingIn = trimmed.startsWith("!");
    const pattern = isTakingIn ? trimmed.slice(1) : trimmed;
    const isFolderOnly = pattern.endsWith("/");
    return [{ isTakingIn, isFolderOnly, fits: toRegExp(pattern.replace(/\/$/, "")) }];
  });
  return (path, isFolder) => {
    const last = rules.findLast((rule) => (isFolder || !rule.isFolderOnly) && rule.fits.test(path));
    return last !== undefined && !last.isTakingIn;
  };
}

/** A pattern with a slash is about the whole path, one without about a name at any depth. */
function toRegExp(pattern: string): RegExp {
  const isAnchored = pattern.includes("/");
  const body = pattern
    .replace(/^\//, "")
    .split(/(\*\*\/|\*\*|\*|\?)/)
    .map((part) => {
      if (part === "**/") return "(?:.*/)?";
      if (part === "**") return ".*";
      if (part === "*") return "[^/]*";
      if (part === "?") return "[^/]";
      return part.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
    })
    .join("");
  return new RegExp(`${isAnchored ? "^" : "^(?:.*/)?"}${body}$`);
}
