/** `npm run bench -- <name>`: how fast Caravan is, against something that runs beside it. */
import { systemClock } from '../src/platform/index.ts'
import { agentStart } from './agent-start.ts'
import { config } from './config.ts'
import { container } from './container.ts'
import { fleet } from './fleet.ts'
import { runBench } from './harness/run.ts'
import { latency } from './latency.ts'
import { metrics } from './metrics.ts'
import { output } from './output.ts'
import { queue } from './queue.ts'
import { recover } from './recover.ts'
import { store } from './store.ts'
import { submit } from './submit.ts'
import { template } from './template.ts'

const interrupt = new AbortController()
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interrupt.abort(new Error(name)))

const code = await runBench(process.argv.slice(2), {
  benches: [
    agentStart,
    config,
    container,
    fleet,
    latency,
    metrics,
    output,
    queue,
    recover,
    store,
    submit,
    template,
  ],
  clock: systemClock,
  stdout: (line) => void process.stdout.write(`${line}\n`),
  stderr: (line) => void process.stderr.write(`${line}\n`),
  signal: interrupt.signal,
})
// A bench that was interrupted still has processes, which end with this one.
if (interrupt.signal.aborted) process.exit(code)
process.exitCode = code
