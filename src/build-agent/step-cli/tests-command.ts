/** `circleci tests glob|split|run`, as a step sees them. */
import { spawn } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { readNames, split, weigh } from './split.ts'

export interface StepTerminal {
  stdin: NodeJS.ReadableStream
  stdout: NodeJS.WritableStream
  stderr: NodeJS.WritableStream
  /** Of the slice, as the step's environment has it; empty when it has none. */
  nodeIndex: string
  nodeTotal: string
  /** NODE_OPTIONS of the step: for the command that is run, not for this program. */
  nodeOptions: string
}

const USAGE = `circleci tests glob PATTERN...
circleci tests split [--split-by name|filesize|timings] [--index N] [--total N] [--show-counts] [FILE]
circleci tests run --command COMMAND [--split-by ...] [--index N] [--total N] [--verbose]
`
const USAGE_EXIT = 2

/** The short and the long spelling of what people call a test by. */
const TIMINGS_TYPES = ['classname', 'class', 'filename', 'file', 'testname', 'name', 'autodetect']

/** @param args what follows `circleci tests`. @returns the exit code. */
export async function testsCommand(
  args: readonly string[],
  terminal: StepTerminal,
): Promise<number> {
  const [verb, ...rest] = args
  try {
    switch (verb) {
      case 'glob':
        return glob(rest, terminal)
      case 'split':
        return await splitTests(rest, terminal)
      case 'run':
        return await runTests(rest, terminal)
      default:
        terminal.stderr.write(USAGE)
        return verb === '--help' || verb === 'help' ? 0 : USAGE_EXIT
    }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    terminal.stderr.write(`circleci tests ${verb}: ${message}\n`)
    return USAGE_EXIT
  }
}

/** `*`, `**`, `?`, classes and braces; sorted, each path once. */
function glob(args: readonly string[], { stdout }: StepTerminal): number {
  const { positionals } = parseArgs({ args: [...args], allowPositionals: true })
  if (positionals.length === 0) throw new Error('give at least one pattern, in quotes')
  const found = new Set(positionals.flatMap((pattern) => globSync(pattern)))
  for (const path of [...found].sort()) stdout.write(`${path}\n`)
  return 0
}

async function splitTests(args: readonly string[], terminal: StepTerminal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: SPLIT_OPTIONS,
    allowPositionals: true,
  })
  const [file] = positionals
  const input = file === undefined ? await text(terminal.stdin) : readFileSync(file, 'utf8')
  for (const name of chooseTests(readNames(input), values, terminal))
    terminal.stdout.write(`${name}\n`)
  return 0
}

async function runTests(args: readonly string[], terminal: StepTerminal): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { ...SPLIT_OPTIONS, command: { type: 'string' }, verbose: { type: 'boolean' } },
  })
  if (values.command === undefined) throw new Error('--command is missing')
  const names = chooseTests(readNames(await text(terminal.stdin)), values, terminal)
  if (names.length === 0) {
    terminal.stderr.write('This slice has no tests to run.\n')
    return 0
  }
  const input = `${names.join('\n')}\n`
  if (values.verbose) terminal.stderr.write(`$ ${values.command}\n${input}`)
  return await runWith(values.command, { input, nodeOptions: terminal.nodeOptions })
}

const SPLIT_OPTIONS = {
  'split-by': { type: 'string' },
  'timings-type': { type: 'string' },
  'timings-file': { type: 'string' },
  'time-default': { type: 'string' },
  index: { type: 'string' },
  total: { type: 'string' },
  'show-counts': { type: 'boolean' },
} as const

interface SplitValues {
  'split-by'?: string | undefined
  'timings-type'?: string | undefined
  index?: string | undefined
  total?: string | undefined
  'show-counts'?: boolean | undefined
}

/** This slice's share of the names. */
function chooseTests(
  names: readonly string[],
  values: SplitValues,
  terminal: StepTerminal,
): string[] {
  const { stderr, nodeIndex, nodeTotal } = terminal
  const total = toCount('--total', values.total ?? (nodeTotal || '1'), 1)
  const index = toCount('--index', values.index ?? (nodeIndex || '0'), 0)
  if (index >= total) throw new Error(`--index ${index} is not below --total ${total}`)
  const { items, unknown } = weigh(names, toWeight(values, stderr))
  if (unknown.length > 0) {
    stderr.write(`No size for ${unknown.length} of ${names.length} names, such as ${unknown[0]}.\n`)
  }
  const buckets = split(items, total)
  if (values['show-counts']) {
    for (const [at, bucket] of buckets.entries())
      stderr.write(`slice ${at}: ${bucket.length} tests\n`)
  }
  return (buckets[index] ?? []).map((item) => item.name)
}

function toWeight(
  values: SplitValues,
  stderr: NodeJS.WritableStream,
): (name: string) => number | null {
  const by = values['split-by'] ?? 'name'
  const type = values['timings-type'] ?? 'autodetect'
  if (!TIMINGS_TYPES.includes(type)) throw new Error(`--timings-type ${type} is not known`)
  switch (by) {
    case 'name':
      return () => 1
    case 'filesize':
      return (name) => statSync(name, { throwIfNoEntry: false })?.size ?? null
    case 'timings':
      stderr.write('Error auto-detecting timing type, falling back to weighting by name.\n')
      return () => 1
    default:
      throw new Error(`--split-by ${by} is not known: name, filesize or timings`)
  }
}

function toCount(name: string, given: string, minimum: number): number {
  const value = Number(given)
  if (/^\d+$/.test(given) && value >= minimum) return value
  throw new Error(`${name} is a whole number from ${minimum} on, not "${given}"`)
}

const WITH_OPTIONS = '[ -z "$0" ] || export NODE_OPTIONS="$0"; exec /bin/sh -c "$1"'

async function runWith(
  command: string,
  { input, nodeOptions }: { input: string; nodeOptions: string },
): Promise<number> {
  const child = spawn('/bin/sh', ['-c', WITH_OPTIONS, nodeOptions, command], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  // A command that does not read all of its names is free not to.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)))
  })
}
