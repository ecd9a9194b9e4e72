/** The `circleci` and `circleci-agent` commands that a step finds first on its PATH. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownProgram } from '../platform/index.ts'
import type { Folders } from './workspace.ts'

/** Both names; configurations use either. */
const NAMES = ['circleci', 'circleci-agent']

/** The program behind `tests`, run by the agent's own runtime. */
const STEP_CLI = fileURLToPath(ownProgram('build-agent/step-cli/main'))

/** @param runtime path of the Node.js that runs the agent: a step's own may be old, or missing. */
export async function writeShims(folders: Folders, runtime: string): Promise<void> {
  const script = toShim({ haltFile: folders.haltFile, runtime })
  await Promise.all(
    NAMES.map((name) => writeFile(join(folders.shimsDir, name), script, { mode: 0o755 })),
  )
}

/** `step halt` is answered by the shell alone, at once; what needs more starts the program. */
function toShim({ haltFile, runtime }: { haltFile: string; runtime: string }): string {
  return `#!/bin/sh
case "$1 $2" in
"step halt" | "task halt")
  : > ${quote(haltFile)}
  ;;
"tests "*)
  shift
  options=\${NODE_OPTIONS:-}
  # They are meant for the step's programs; the command below gets them back.
  unset NODE_OPTIONS
  exec ${quote(runtime)} ${quote(STEP_CLI)} \\
    "\${CIRCLE_NODE_INDEX:-}" "\${CIRCLE_NODE_TOTAL:-}" "$options" "$@"
  ;;
*)
  echo "\${0##*/}: '$*' is not supported here. There are: tests glob, tests split, tests run, step halt." >&2
  exit 2
  ;;
esac
`
}

/** As one word of a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
