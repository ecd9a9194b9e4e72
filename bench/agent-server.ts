/**
 * The process that agents of a bench report to: the real API and the real output store, with a gate of
 * the bench's own between them. Started by `startServer`; its one argument is the folder of the output.
 */
import { startApi } from '../src/api/index.ts'
import { createLog, createTextWriter, systemClock } from '../src/platform/index.ts'
import type { Scheduler } from '../src/scheduler/index.ts'
import { createOutputStore } from '../src/scheduler/output/index.ts'
import { createBenchGate } from './agent/gate.ts'
import type { FromServer, ToServer } from './agent/messages.ts'

const [, , directory = ''] = process.argv
const log = createLog(createTextWriter(process.stderr, Date.now), 'warn')
const outputs = createOutputStore({ directory, log })
const agents = createBenchGate({
  outputs,
  clock: systemClock,
  onOver: (slice, report) => tell({ kind: 'over', slice, report }),
})
// Nobody but agents calls.
const scheduler: Pick<Scheduler, 'agents'> = { agents }
const api = await startApi({
  scheduler: scheduler as Scheduler,
  listen: { host: '127.0.0.1', port: 0 },
  tokens: [],
  clock: systemClock,
  log,
  version: 'bench',
})

process.on('message', ({ slice, task }: ToServer) => {
  agents.offer(slice, task)
  tell({ kind: 'offered', slice })
})
// The bench is done, or dead.
process.once('disconnect', () => void close())
// An interrupt of the terminal reaches all processes; the bench decides.
process.on('SIGINT', () => undefined)
tell({ kind: 'ready', url: api.url })

async function close(): Promise<void> {
  await api.close()
  await outputs.close()
}

function tell(message: FromServer): void {
  process.send?.(message)
}
