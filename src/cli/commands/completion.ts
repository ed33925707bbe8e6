import { usageInvalid } from "../../kernel/errors/cli.ts";
import { defineCommand } from "../command.ts";
import { commands } from "../list.ts";

/** What a shell has to know: each command with its flags. */
type Words = readonly {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
}[];

const SHELLS: Readonly<Record<string, (words: Words) => string>> = { bash: bashScript, zsh: zshScript };

export default defineCommand({
  usage: "completion bash|zsh",
  examples: [
    { command: 'eval "$(viaduct completion bash)"', effect: "completes commands and flags in this shell" },
    {
      command: "viaduct completion zsh > ~/.zfunc/_viaduct",
      effect: "for every new zsh, with ~/.zfunc in fpath",
    },
  ],
  parameters: ["SHELL"],
  options: {},
  async run({ args: [shell = ""], out }) {
    const script = SHELLS[shell];
    if (script === undefined) {
      throw usageInvalid({ problem: `there is no completion for «${shell}»`, remedy: "choose bash or zsh" });
    }
    const words = await Promise.all(
      commands.map(async ({ name, summary, load }) => {
        const { options } = (await load()).default;
        return { name, summary, flags: [...Object.keys(options).map((flag) => `--${flag}`), "--help"] };
      }),
    );
    out.line(script(words));
    return 0;
  },
});

function bashScript(words: Words): string {
  const cases = words.map(({ name, flags }) => `    ${name}) words="${flags.join(" ")}" ;;`).join("\n");
  return `_viaduct() {
  local words="${words.map(({ name }) => name).join(" ")}"
  if [ "$COMP_CWORD" -gt 1 ]; then case "\${COMP_WORDS[1]}" in
${cases}
    *) words="" ;;
  esac; fi
  # What -o may say is up to the API that the command talks to.
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -o|--option) words="$("\${COMP_WORDS[0]}" options --names 2>/dev/null | sed 's/$/=/')"; compopt -o nospace 2>/dev/null ;;
    --remove-option) words="$("\${COMP_WORDS[0]}" options --names 2>/dev/null)" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _viaduct viaduct ./viaduct`;
}

function zshScript(words: Words): string {
  const names = words
    .map(({ name, summary }) => `    '${name}:${summary.replaceAll("'", `'\\''`)}'`)
    .join("\n");
  const cases = words.map(({ name, flags }) => `    ${name}) compadd -- ${flags.join(" ")} ;;`).join("\n");
  return `#compdef viaduct
_viaduct() {
  local -a names=(
${names}
  )
  if (( CURRENT == 2 )); then _describe command names; return; fi
  # What -o may say is up to the API that the command talks to.
  case "\${words[CURRENT-1]}" in
    -o|--option) compadd -S = -- \${(f)"$("\${words[1]}" options --names 2>/dev/null)"}; return ;;
    --remove-option) compadd -- \${(f)"$("\${words[1]}" options --names 2>/dev/null)"}; return ;;
  esac
  case "\${words[2]}" in
${cases}
  esac
  _files
}
compdef _viaduct viaduct ./viaduct`;
}
