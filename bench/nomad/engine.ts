/**
 * An embedded engine in a process of its own. Started by `startEngine`; its arguments are the data
 * directory, the places of its node, and whether its tasks are run or only take time, so that thousands
 * of slices run on a laptop.
 */
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import { startNomadEngine } from '../../src/dev/index.ts'
import { SLICE_CPU_MHZ, SLICE_MEMORY_MIB } from './room.ts'

const [, , dataDir = '', places = '0', driver] = process.argv

const node = {
  cpuMhz: Number(places) * SLICE_CPU_MHZ,
  memoryMiB: Number(places) * SLICE_MEMORY_MIB,
  diskMiB: Number(places) * 2048,
  ...(driver === 'simulated' ? { simulate: () => ({ run_for: '24h' }) } : {}),
}
/** Jobs that somebody asked the state of since the count began, each once. */
let asked = new Set<string>()
let count = 0

const engine = await startNomadEngine({
  port: 0,
  dataDir,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  environment: process.env,
  nodes: Number(places) > 0 ? [node] : [],
  async intercept(call, next) {
    const reply = await next()
    if (call.url.startsWith('/v1/jobs/statuses')) {
      const { Jobs } = JSON.parse(call.body) as { Jobs: { ID: string }[] }
      for (const { ID } of Jobs) asked.add(ID)
      process.send?.({ kind: 'asked', count, jobs: asked.size })
    }
    return reply
  },
})
process.on('message', (next: number) => {
  count = next
  asked = new Set()
})
process.once('disconnect', () => void engine.close({ stopTasks: true }))
process.send?.({ kind: 'ready', url: engine.url })
