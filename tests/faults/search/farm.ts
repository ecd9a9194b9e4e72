/**
 * All agents of one node in one process: `farm.ts <file> <url>`.
 *
 * Each is the real agent, from its claim to its last event; only the process is shared, because two
 * hundred of them would cost more than everything they do. The launcher in the Nomad task is its face:
 * a signal to it reaches the agent, its exit code is the agent's. SIGKILL for the farm is SIGKILL for all
 * agents of the node.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { runAgent, type Signals } from '../../../src/build-agent/index.ts'
import {
  createLog,
  createTextWriter,
  systemClock,
  systemRandom,
} from '../../../src/platform/index.ts'
import { BIN } from '../../support/caravan.ts'
import { OWN_PROCESS_SLICE } from './plan.ts'

const [, , file, url] = process.argv
if (file === undefined || url === undefined) throw new Error('farm.ts <file> <url>')

/**
 * The server is away for moments, not for minutes: what it missed must not wait longer than that. A process
 * that is being started by another agent of the farm may hold a step's pipe until it is itself.
 */
const TIMINGS = { retryBaseMs: 50, retryMaxMs: 500, leakedPipeMs: 30_000 }

const server = createServer((socket) => {
  socket.on('error', () => undefined)
  let onSignal: (name: 'SIGTERM') => void = () => undefined
  const signals: Signals = {
    listen(listener) {
      onSignal = listener
      return () => (onSignal = () => undefined)
    },
  }
  createInterface({ input: socket }).on('line', (line) => {
    const [word, pid] = line.split(' ')
    if (word === 'TERM') onSignal('SIGTERM')
    else if (word === 'RUN') void run(socket, Number(pid), signals)
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  writeFileSync(`${file}.new`, `${port} ${url} ${process.execPath} ${BIN} ${OWN_PROCESS_SLICE}\n`)
  renameSync(`${file}.new`, file)
  process.send?.('ready')
})
process.on('disconnect', () => process.exit(0))

async function run(socket: Socket, pid: number, signals: Signals): Promise<void> {
  const environment = readEnvironment(pid)
  const value = (name: string) => environment[name] ?? ''
  const slice = value('CARAVAN_SLICE')
  const code = await runAgent({
    server: {
      url: url ?? '',
      slice,
      epoch: Number(value('CARAVAN_EPOCH')),
      token: value('CARAVAN_CLAIM_TOKEN'),
    },
    allocation: {
      id: value('NOMAD_ALLOC_ID'),
      dir: value('NOMAD_ALLOC_DIR'),
      taskDir: value('NOMAD_TASK_DIR'),
    },
    node: { id: '', name: value('SEARCH_NODE') },
    version: 'farm',
    runtime: process.execPath,
    environment,
    clock: systemClock,
    log: createLog(
      createTextWriter({ write: (text: string) => process.stderr.write(`${slice} ${text}`) }, () =>
        systemClock.now(),
      ),
      'info',
    ),
    random: systemRandom,
    signals,
    timings: TIMINGS,
  })
  socket.end(`${code}\n`)
}

/** What the launcher was started with. */
function readEnvironment(pid: number): Record<string, string> {
  const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean)
  return Object.fromEntries(
    pairs.map((pair) => {
      const end = pair.indexOf('=')
      return [pair.slice(0, end), pair.slice(end + 1)]
    }),
  )
}
