/** An engine in a process of its own, to be killed: `engine-process.ts <folder>` prints its URL. */
import { startNomadEngine } from '../../../src/dev/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'

const [, , dataDir] = process.argv
if (dataDir === undefined) throw new Error('name a folder')

const engine = await startNomadEngine({
  port: 0,
  dataDir,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
  environment: { PATH: process.env['PATH'] },
})
process.stdout.write(`${engine.url}\n`)
process.on('SIGTERM', () => {
  void engine.close({ stopTasks: true }).then(() => process.stdout.write('closed\n'))
})
