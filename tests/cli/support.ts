/** Runs a command in this process, as the entry point does in its own. */
import { reportError, type Io } from '../../src/cli/io.ts'
import { runProgram } from '../../src/cli/program.ts'

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** @param env all that the command finds: nothing of this process. */
export async function runCommand(
  args: readonly string[],
  { cwd = '/', env = {} }: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<Ran> {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    write(text: string | Uint8Array) {
      written[name] += text.toString()
      return true
    },
    once: () => undefined,
    off: () => undefined,
  })
  const signal = new AbortController().signal
  const io: Io = { stdout: stream('stdout'), stderr: stream('stderr'), env, cwd, signal }
  const code = await runProgram(['node', 'caravan', ...args], io).catch((error: unknown) =>
    reportError(io, error),
  )
  return { code, ...written }
}
