/**
 * The day in a process of its own, as a controller has one. In a process that has held ten thousand nodes in
 * memory before, V8 takes what such code makes for long-lived, and the same day takes 1.7 times as long.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Day } from './day.ts'

export interface DayAlone extends Day {
  cpuS: number
}

const PROGRAM = fileURLToPath(new URL('./day-main.ts', import.meta.url))
const DEADLINE_MS = 400_000

/** @throws Error when the day did not go as it must. */
export async function runDayAlone(nodes: number): Promise<DayAlone> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, String(nodes)], {
    timeout: DEADLINE_MS,
  })
  return JSON.parse(stdout) as DayAlone
}
