/**
 * An embedded engine in a process of its own. Its tasks only take time, so that thousands of slices run
 * on a laptop. Started by `startEngine`; its arguments are the data directory and the places of its node.
 */
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import { startNomadEngine } from '../../src/dev/index.ts'
import { SLICE_CPU_MHZ, SLICE_MEMORY_MIB } from './room.ts'

const [, , dataDir = '', places = '0'] = process.argv

const node = {
  cpuMhz: Number(places) * SLICE_CPU_MHZ,
  memoryMiB: Number(places) * SLICE_MEMORY_MIB,
  diskMiB: Number(places) * 2048,
  simulate: () => ({ run_for: '24h' }),
}
/** Jobs that somebody asked the state of, each once. */
let asked = new Set<string>()

const engine = await startNomadEngine({
  port: 0,
  dataDir,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  environment: {},
  nodes: Number(places) > 0 ? [node] : [],
  async intercept(call, next) {
    const reply = await next()
    if (call.url.startsWith('/v1/jobs/statuses')) {
      const { Jobs } = JSON.parse(call.body) as { Jobs: { ID: string }[] }
      for (const { ID } of Jobs) asked.add(ID)
      process.send?.({ kind: 'asked', jobs: asked.size })
    }
    return reply
  },
})
process.on('message', () => (asked = new Set()))
process.once('disconnect', () => void engine.close({ stopTasks: true }))
process.send?.({ kind: 'ready', url: engine.url })
