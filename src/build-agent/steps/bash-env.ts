/** Bash runs a step even when it can not parse the file named by BASH_ENV. Somebody should say so. */
import { lstat } from 'node:fs/promises'
import type { JobContext } from './context.ts'

const BASH = '/bin/bash'
const PARSE_TIMEOUT_MS = 5_000

/** @returns a check to be made after each step; it looks again only when the file has changed. */
export function warnOfBrokenBashEnv(context: JobContext): (step: number) => Promise<void> {
  const { workspace, executor, events, log, mask } = context
  const file = workspace.bashEnvFile
  let seen = '0'
  return async (step) => {
    const { size, mtimeMs } = await lstat(file).catch(() => GONE)
    const now = size === 0 ? '0' : `${size} ${mtimeMs}`
    if (now === seen) return
    seen = now
    // Other shells do not read it.
    if (executor.shell.words[0] !== BASH) return
    try {
      const question = {
        argv: [BASH, '-n', executor.pathOf(file)],
        cwd: '/',
        env: executor.environment,
      }
      const parsed = await executor.ask(question, PARSE_TIMEOUT_MS)
      if (parsed.code === 0) return
      const fault = parsed.stderr.trim().split('\n', 1)[0] ?? ''
      events.notice(
        mask.text(`Bash can not parse what step ${step} left in $BASH_ENV: ${fault}`),
        step,
      )
    } catch (cause) {
      log.warn('BASH_ENV was not checked', { step, cause })
    }
  }
}

/** A step may remove the file; bash does not mind. */
const GONE = { size: 0, mtimeMs: 0 }
