/** The flows on the embedded engine: always. */
import t from 'tap'
import { startTestEngine } from '../dev/nomad-engine/support.ts'
import { run } from './suite.ts'
import { toTarget } from './target.ts'

const { engine } = await startTestEngine(t, { nodes: [{ cpuMhz: 32_000, memoryMiB: 64_000 }] })
await run(t, toTarget('engine', engine.url))
