/** An embedded engine without nodes, in a process of its own: it takes jobs, and nothing runs. */
import { silentLog, systemClock, systemRandom } from '../../src/platform/index.ts'
import { startNomadEngine } from '../../src/dev/index.ts'

const engine = await startNomadEngine({
  port: 0,
  dataDir: process.argv[2] ?? '',
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  environment: {},
  nodes: [],
})
process.once('disconnect', () => void engine.close({ stopTasks: true }))
process.send?.(engine.url)
