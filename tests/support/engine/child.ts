/** An engine in a process of its own: told by its parent what to be, and which faults to have. */
import { startNomadEngine } from '../../../src/dev/index.ts'
import type { EngineNodeOptions } from '../../../src/dev/index.ts'
import {
  createLog,
  createTextWriter,
  systemClock,
  systemRandom,
} from '../../../src/platform/index.ts'
import { createFaults, type EngineFaults } from './faults.ts'

export interface EngineSetup {
  dataDir: string
  /** 0 takes a free one. */
  port: number
  nodes: EngineNodeOptions[]
  environment: Record<string, string | undefined>
}

/** One call of a hook, and what came of it. */
export interface HookCall {
  id: number
  hook: keyof EngineFaults
  args: unknown[]
}
export interface HookAnswer {
  id: number
  value?: unknown
  error?: string
}

const setup = JSON.parse(process.argv[2] ?? '') as EngineSetup
const faults = createFaults()
const engine = await startNomadEngine({
  ...setup,
  clock: systemClock,
  random: systemRandom,
  log: createLog(
    createTextWriter(process.stderr, () => Date.now()),
    'info',
  ),
  intercept: faults.intercept,
})
faults.attach(engine, setup)

process.on('message', ({ id, hook, args }: HookCall) => {
  const run = faults[hook] as (...given: unknown[]) => Promise<unknown>
  run(...args).then(
    (value) => answer({ id, value }),
    (cause: unknown) => answer({ id, error: String(cause) }),
  )
})
// Whoever started it is gone: nobody would end it.
process.on('disconnect', () => void close())
process.on('SIGTERM', () => void close())
process.send?.(engine.url)

function answer(message: HookAnswer): void {
  if (process.connected) process.send?.(message)
}

async function close(): Promise<void> {
  await engine.close({ stopTasks: true })
  process.exit(0)
}
