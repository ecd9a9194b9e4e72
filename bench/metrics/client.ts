/** nomad-metrics on one node, as its unit starts it. */
import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../src/platform/index.ts'
import { endTogether } from '../agent/child.ts'
import { Meter } from '../agent/machine.ts'

export interface ClientUsage {
  cpuMsPerPoll: number
  peakRssMb: number
  datagramsPerPoll: number
  bytesPerPoll: number
}

const BIN = fileURLToPath(new URL('../../bin/nomad-metrics.mjs', import.meta.url))
/** Those of the start, when everything is compiled. */
const WARMUPS = 5

/** Takes as many seconds as polls. @throws Error when the process ends. */
export async function measureClient(
  url: string,
  polls: number,
  clock: Clock,
): Promise<ClientUsage> {
  const sink = createSocket('udp4')
  await once(sink.bind(0, '127.0.0.1'), 'listening')
  const args = ['start', '--client', '--interval=1', `--nomad-uri=${url}`]
  const to = ['--statsd-host=127.0.0.1', `--statsd-port=${sink.address().port}`]
  const child = spawn(process.execPath, [BIN, ...args, ...to], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  endTogether(child)
  const ended = once(child, 'exit')
  const meter = new Meter(child.pid ?? 0, clock)
  const sets = watchSets(sink)
  const orEnded = ended.then(() => {
    throw new Error('nomad-metrics ended')
  })
  orEnded.catch(() => undefined)
  try {
    await Promise.race([sets.until(WARMUPS), orEnded])
    const before = await meter.read()
    const start = { ...sets.seen }
    await Promise.race([sets.until(WARMUPS + polls), orEnded])
    const after = await meter.read()
    const done = sets.seen.polls - start.polls
    return {
      cpuMsPerPoll: ((after.cpuSeconds - before.cpuSeconds) * 1000) / done,
      peakRssMb: after.peakRssMb,
      datagramsPerPoll: (sets.seen.datagrams - start.datagrams) / done,
      bytesPerPoll: (sets.seen.bytes - start.bytes) / done,
    }
  } finally {
    child.kill('SIGTERM')
    await ended
    sink.close()
  }
}

function watchSets(sink: ReturnType<typeof createSocket>) {
  const seen = { polls: 0, datagrams: 0, bytes: 0 }
  let waiting: { polls: number; resolve: () => void } | null = null
  sink.on('message', (bytes) => {
    seen.datagrams += 1
    seen.bytes += bytes.length
    const text = bytes.toString()
    // A poll that failed costs little, and tells nothing else.
    if (text.includes('poll_failure:1')) throw new Error(`a poll failed: ${text}`)
    if (text.includes('poll_failure:0')) seen.polls += 1
    if (waiting !== null && seen.polls >= waiting.polls) waiting.resolve()
  })
  return {
    seen,
    until: (polls: number) => new Promise<void>((resolve) => (waiting = { polls, resolve })),
  }
}
