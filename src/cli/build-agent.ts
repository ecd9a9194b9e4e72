/**
 * `caravan build-agent`: started by the job template inside an allocation, or by hand with the same things
 * as flags.
 *
 * This command never loads the settings file: it has to start fast, and needs none of it.
 */
import { hostname } from 'node:os'
import { parseArgs } from 'node:util'
import type { AgentOptions, Signals } from '../build-agent/index.ts'
import { CaravanError } from '../model/index.ts'
import {
  createLog,
  createTextWriter,
  LOG_LEVELS,
  type LogLevel,
  systemClock,
  systemRandom,
} from '../platform/index.ts'
import { VERSION } from './version.ts'

/** Flag, the variable that stands in for it, and what it is. */
const INPUTS = {
  url: { env: 'CARAVAN_URL', what: 'address of the server' },
  slice: { env: 'CARAVAN_SLICE', what: 'key of the slice: <build id>-<index>' },
  epoch: { env: 'CARAVAN_EPOCH', what: 'number of the attempt, from 1' },
  token: { env: 'CARAVAN_CLAIM_TOKEN', what: 'claim token of the slice' },
  'alloc-id': { env: 'NOMAD_ALLOC_ID', what: 'id of the allocation' },
  'alloc-dir': { env: 'NOMAD_ALLOC_DIR', what: 'folder that the tasks of the allocation share' },
  'spool-dir': {
    env: 'CARAVAN_SPOOL_DIR',
    what: 'folder for output that the server lacks, shared by the slices of the machine',
    fallback: '',
  },
  'task-dir': { env: 'NOMAD_TASK_DIR', what: "the task's own folder" },
  'node-id': { env: 'CARAVAN_NODE_ID', what: 'id of the Nomad node', fallback: '' },
  'node-name': { env: 'CARAVAN_NODE_NAME', what: 'name of the Nomad node', fallback: hostname() },
  'log-level': { env: 'CARAVAN_LOG_LEVEL', what: 'least important line to log', fallback: 'info' },
} as const satisfies Record<string, { env: string; what: string; fallback?: string }>
type InputName = keyof typeof INPUTS

const USAGE = 2

/**
 * @param args what follows `caravan build-agent`.
 * @returns one of AGENT_EXIT, or 2 for a command line that makes no sense.
 */
export async function buildAgent(args: readonly string[]): Promise<number> {
  if (args[0] === 'sweep') return await sweepMachine(args.slice(1), process.env)
  let options: AgentOptions
  try {
    options = readOptions(args, process.env)
  } catch (cause) {
    process.stderr.write(
      `caravan build-agent: ${cause instanceof Error ? cause.message : String(cause)}\n`,
    )
    return USAGE
  }
  // The token claims the slice: nothing that is started from here on may find it.
  delete process.env[INPUTS.token.env]
  const { runAgent } = await import('../build-agent/index.ts')
  return await runAgent(options)
}

type Variables = Readonly<Record<string, string | undefined>>

function readOptions(args: readonly string[], environment: Variables): AgentOptions {
  const value = readInputs(args, environment)
  const minimum = value('log-level')
  if (!isLogLevel(minimum)) {
    throw new CaravanError('INPUT_INVALID', `--log-level is one of ${LOG_LEVELS.join(', ')}`)
  }
  const epoch = Number(value('epoch'))
  if (!Number.isSafeInteger(epoch) || epoch < 1) {
    throw new CaravanError('INPUT_INVALID', '--epoch is a whole number from 1 on')
  }
  return {
    server: { url: value('url'), slice: value('slice'), epoch, token: value('token') },
    allocation: {
      id: value('alloc-id'),
      dir: value('alloc-dir'),
      taskDir: value('task-dir'),
      ...(value('spool-dir') === '' ? {} : { spoolRoot: value('spool-dir') }),
    },
    node: { id: value('node-id'), name: value('node-name') },
    version: VERSION,
    runtime: process.execPath,
    environment,
    clock: systemClock,
    log: createLog(
      createTextWriter(process.stderr, () => systemClock.now()),
      minimum,
    ),
    random: systemRandom,
    signals,
  }
}

/** Each of 16 MiB on a slow line; a timer starts the next sweep anyway. */
const SWEEP = { spoolsMax: 1000, limitMs: 600_000 }

/**
 * `caravan build-agent sweep`: delivers what agents of this machine have left, and removes their containers,
 * from a timer or by hand.
 *
 * @returns 0, also when there was nothing; 1 when something had to be kept; 2 for a wrong command line.
 */
async function sweepMachine(args: readonly string[], environment: Variables): Promise<number> {
  const flags = parseSweepFlags(args)
  const spoolDir = flags?.['spool-dir'] ?? environment['CARAVAN_SPOOL_DIR']
  const allocationsDir = flags?.['allocations-dir'] ?? null
  if (flags === null || (spoolDir === undefined && allocationsDir === null)) {
    process.stderr.write(
      'caravan build-agent sweep: name --spool-dir (CARAVAN_SPOOL_DIR), or --allocations-dir: ' +
        "the folder `alloc` in the data directory of the node's Nomad client\n",
    )
    return USAGE
  }
  const { sweep, sweepDocker } = await import('../build-agent/index.ts')
  const log = createLog(
    createTextWriter(process.stderr, () => systemClock.now()),
    'info',
  )
  const docker = await sweepDocker(environment, log)
  const swept = await sweep({
    ...SWEEP,
    spoolRoots: spoolDir === undefined ? [] : [spoolDir],
    allocationsDir,
    signal: new AbortController().signal,
    clock: systemClock,
    log,
    random: systemRandom,
  })
  return swept.kept + docker.kept === 0 ? 0 : 1
}

function parseSweepFlags(
  args: readonly string[],
): { 'spool-dir'?: string; 'allocations-dir'?: string } | null {
  const text = { type: 'string' as const }
  try {
    const options = { 'spool-dir': text, 'allocations-dir': text }
    return { ...parseArgs({ args: [...args], options }).values }
  } catch {
    // An unknown flag, or one without a value: the usage says which there are.
    return null
  }
}

/** Reports everything that is missing at once. */
function readInputs(args: readonly string[], environment: Variables): (name: InputName) => string {
  const names = Object.keys(INPUTS) as InputName[]
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' as const }])),
  })
  const read = (name: InputName): string | undefined => {
    const input: { env: string; fallback?: string } = INPUTS[name]
    const flag = values[name]
    return typeof flag === 'string' ? flag : (environment[input.env] ?? input.fallback)
  }
  const missing = names.filter((name) => read(name) === undefined)
  if (missing.length > 0) {
    const lines = missing.map((name) => `  --${name} or ${INPUTS[name].env}: ${INPUTS[name].what}`)
    throw new CaravanError('INPUT_INVALID', `these are missing:\n${lines.join('\n')}`)
  }
  return (name) => read(name) ?? ''
}

function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text)
}

const signals: Signals = {
  listen(onSignal) {
    const names = ['SIGTERM', 'SIGINT'] as const
    // Other commands end at their second signal; the agent still has processes to end then.
    for (const name of names) process.removeAllListeners(name).on(name, onSignal)
    return () => {
      for (const name of names) process.off(name, onSignal)
    }
  },
}
