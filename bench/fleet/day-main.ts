/** A day of so many nodes, and how it went, as JSON. */
import { systemClock } from '../../src/platform/index.ts'
import { runDay } from './day.ts'
import type { DayAlone } from './day-process.ts'

const before = process.cpuUsage()
const day = await runDay(systemClock, { nodes: Number(process.argv[2]) })
const { user, system } = process.cpuUsage(before)
const alone: DayAlone = { ...day, cpuS: (user + system) / 1e6 }
process.stdout.write(`${JSON.stringify(alone)}\n`)
