/** Bash runs a step even when it can not parse the file named by BASH_ENV. Somebody should say so. */
import { access, constants, stat } from 'node:fs/promises'
import { exec } from '../../platform/index.ts'
import type { JobContext } from './context.ts'

const BASH = '/bin/bash'
const PARSE_TIMEOUT_MS = 5_000

/** @returns a check to be made after each step; it looks again only when the file has changed. */
export function warnOfBrokenBashEnv(context: JobContext): (step: number) => Promise<void> {
  const { workspace, executor, events, log, mask } = context
  const file = workspace.bashEnvFile
  let seen = '0'
  return async (step) => {
    const { size, mtimeMs } = await stat(file).catch(() => GONE)
    const now = size === 0 ? '0' : `${size} ${mtimeMs}`
    if (now === seen) return
    seen = now
    if (!(await isProgram(BASH))) return
    try {
      const env = executor.environment
      const parsed = await exec(BASH, ['-n', file], { env, timeoutMs: PARSE_TIMEOUT_MS })
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

async function isProgram(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
