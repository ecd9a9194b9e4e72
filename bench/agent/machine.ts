/** What the machine says about time and about processes; Linux only. */
import { readFile } from 'node:fs/promises'
import { type Clock, sleep } from '../../src/platform/index.ts'

/** Milliseconds from a start that all processes of the machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export interface Usage {
  /** The most memory that the process ever held, in MB of 1,000,000 bytes. */
  peakRssMb: number
  /** Of all its threads; not of its children. */
  cpuSeconds: number
}

/** How often a process is looked at: what it does in its last moments is missed. */
const POLL_MS = 20
/** Linux counts the time of processes in hundredths of a second. */
const TICKS_PER_SECOND = 100

/** Follows a process until it is gone. */
export class Meter {
  readonly #pid: number
  readonly #clock: Clock
  #last: Usage = { peakRssMb: 0, cpuSeconds: 0 }
  #isOver = false

  constructor(pid: number, clock: Clock) {
    this.#pid = pid
    this.#clock = clock
    void this.#run()
  }

  /** As of now, or of shortly before the end. */
  async read(): Promise<Usage> {
    try {
      const usage = await readUsage(this.#pid)
      // Two readings may overtake one another, and neither number ever shrinks.
      if (usage.cpuSeconds >= this.#last.cpuSeconds) this.#last = usage
    } catch {
      // Gone, or on its way: what was seen last stands.
      this.#isOver = true
    }
    return this.#last
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await this.read()
      await sleep(this.#clock, POLL_MS)
    }
  }
}

async function readUsage(pid: number): Promise<Usage> {
  const [status, stat] = await Promise.all([
    readFile(`/proc/${pid}/status`, 'utf8'),
    readFile(`/proc/${pid}/stat`, 'utf8'),
  ])
  const peakKib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  if (peakKib === undefined) throw new Error(`process ${pid} is over`)
  // The name of the program, in parentheses, may hold anything; what follows it is numbers.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  return { peakRssMb: (Number(peakKib) * 1024) / 1e6, cpuSeconds: ticks / TICKS_PER_SECOND }
}
