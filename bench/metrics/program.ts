/** nomad-metrics as it is installed and started, measured from outside. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Clock } from '../../src/platform/index.ts'
import { endTogether } from '../agent/child.ts'
import { Meter } from '../agent/machine.ts'

export interface ProgramOptions {
  /** The path of nomad-metrics. */
  bin: string
  /** Its address. */
  nomad: string
  modes: readonly ('server' | 'client' | 'fleet')[]
  intervalS: number
  clock: Clock
}

export interface Usage {
  /** Of all polls that were waited for. */
  cpuMs: number
  datagrams: number
  bytes: number
  /** Since its start. */
  peakRssMb: number
}

/** Of the modes, by the middle of the name of their `poll_failure`. */
const SENDERS = { server: 'server_agent', client: 'client_agent', fleet: 'fleet' } as const

export class Program {
  readonly #child: ChildProcess
  readonly #sink: ReturnType<typeof createSocket>
  readonly #meter: Meter
  readonly #ended: Promise<unknown>
  readonly #polls: Map<string, number>
  readonly #seen = { datagrams: 0, bytes: 0 }
  /** Sums of what was counted last. */
  readonly #counts = new Map<string, number>()
  #wake: () => void = () => undefined

  static async start(options: ProgramOptions): Promise<Program> {
    const sink = createSocket('udp4')
    await once(sink.bind(0, '127.0.0.1'), 'listening')
    return new Program(options, sink)
  }

  private constructor(options: ProgramOptions, sink: ReturnType<typeof createSocket>) {
    const { bin, nomad, modes, intervalS, clock } = options
    const args = [
      'start',
      `--nomad-uri=${nomad}`,
      '--statsd-host=127.0.0.1',
      `--statsd-port=${sink.address().port}`,
      `--interval=${intervalS}`,
      ...modes.map((mode) => `--${mode}`),
    ]
    this.#child = spawn(process.execPath, [bin, ...args], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    endTogether(this.#child)
    this.#ended = once(this.#child, 'exit')
    this.#meter = new Meter(this.#child.pid ?? 0, clock)
    this.#polls = new Map(modes.map((mode) => [SENDERS[mode], 0]))
    this.#sink = sink
    sink.on('message', (bytes) => this.#take(bytes))
  }

  /** Waits until each mode has polled so many times more. @throws Error when the process ends. */
  async next(polls: number): Promise<Usage> {
    const before = { ...this.#seen, ...(await this.#meter.read()) }
    const goal = this.#done + polls
    const orEnded = this.#ended.then(() => {
      throw new Error('nomad-metrics ended')
    })
    orEnded.catch(() => undefined)
    while (this.#done < goal) {
      await Promise.race([new Promise<void>((resolve) => (this.#wake = resolve)), orEnded])
    }
    const after = await this.#meter.read()
    return {
      cpuMs: (after.cpuSeconds - before.cpuSeconds) * 1000,
      datagrams: this.#seen.datagrams - before.datagrams,
      bytes: this.#seen.bytes - before.bytes,
      peakRssMb: after.peakRssMb,
    }
  }

  /** The sum of what the last set had of these gauges. */
  count(prefix: string): number {
    return [...this.#counts].reduce(
      (sum, [series, value]) => (series.startsWith(prefix) ? sum + value : sum),
      0,
    )
  }

  async close(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
    this.#sink.close()
  }

  get #done(): number {
    return Math.min(...this.#polls.values())
  }

  #take(bytes: Buffer): void {
    this.#seen.datagrams += 1
    this.#seen.bytes += bytes.length
    for (const line of bytes.toString().split('\n')) {
      const [, series = '', value = '', tags = ''] = /^([^:]+):([^|]+)\|g(.*)$/.exec(line) ?? []
      this.#counts.set(series + tags, Number(value))
      const sender = /^circle\.nomad\.(\w+)\.poll_failure$/.exec(series)?.[1]
      if (sender === undefined) continue
      // A poll that failed costs little, and tells nothing else.
      if (value !== '0') throw new Error(`a poll failed: ${line}`)
      this.#polls.set(sender, (this.#polls.get(sender) ?? 0) + 1)
    }
    this.#wake()
  }
}
