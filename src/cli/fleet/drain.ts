/** `caravan fleet drain`: takes a node out of service, and may wait until nothing runs on it. */
import {
  AT_ONCE_MS,
  drain,
  findNodes,
  instanceOf,
  isDrained,
  isLive,
  keepBeating,
  type NodeName,
  toAllocationView,
  SETTLE_MS,
  waitUntilEmpty,
} from '../../fleet/index.ts'
import type { DrainReport } from '../../model/index.ts'
import type { NomadClient, NomadNode } from '../../nomad/index.ts'
import { deadline, describeCause, sleep, systemClock, systemRandom } from '../../platform/index.ts'
import { EXIT, usageError, writeJsonLine, type Io } from '../io.ts'
import { nodeNameOf, withAws, withNomad, type NodeOptions } from './connect.ts'
import { drawNode } from './render.ts'

export interface DrainOptions extends NodeOptions {
  /** Milliseconds. */
  deadline?: number
  wait?: boolean
  force?: boolean
  heartbeat?: boolean
  hook?: string
  ignoreSystem?: boolean
  /** Milliseconds. */
  awaitNode?: number
}

/** Beyond the time after which Nomad stops everything: to stop it, and to tell. */
const FORCE_GRACE_MS = 5 * 60_000

/**
 * Exit code 0 when it is drained, with `--wait` when nothing runs any more; 1 when something still did at
 * the deadline, or somebody gave the node back meanwhile.
 */
export async function drainCommand(options: DrainOptions, io: Io): Promise<number> {
  const name = nodeNameOf(options)
  checkFlags(options)
  return withNomad(options, io, async (nomad) => {
    const work = () => drainAll(nomad, name, options, io)
    if (!options.heartbeat || options.dryRun) return work()
    // From the very first: also while a node is looked for, the hook's time goes on.
    const instances =
      name.kind === 'instance' ? [name.id] : (await findNodes(nomad, name)).map(instanceOf)
    return whileBeating(
      instances.filter((each) => each !== null),
      { options, io },
      work,
    )
  })
}

async function drainAll(
  nomad: NomadClient,
  name: NodeName,
  options: DrainOptions,
  io: Io,
): Promise<number> {
  const nodes = await findOrAwait(nomad, name, options, io)
  if (nodes.length === 0)
    io.stderr.write('Nomad knows no node of this instance: nothing to drain.\n')
  const begun = []
  for (const node of nodes) begun.push(await begin(nomad, node, options))
  const reports =
    options.wait && !options.dryRun ? await waitForAll({ nomad, nodes, options, io }) : begun
  for (const report of reports) {
    if (options.json) await writeJsonLine(io.stdout, report)
    else io.stdout.write(drawNode(report))
  }
  if (io.signal.aborted) return EXIT.interrupted
  return reports.every(({ outcome }) => FINE.has(outcome)) ? EXIT.ok : EXIT.notSucceeded
}

/** A machine that has just booted may be about to register. */
const AWAIT_MS = 60_000
/** In that time; each look may read every node. */
const AWAIT_LOOKS = 12

/** With `--wait`, an instance without a node is looked at again until none can come any more. */
async function findOrAwait(
  nomad: NomadClient,
  name: NodeName,
  { wait, dryRun, awaitNode = AWAIT_MS }: DrainOptions,
  { signal, stderr }: Io,
): Promise<NomadNode[]> {
  const untilMs = systemClock.monotonic() + awaitNode
  for (let isTold = false; ; isTold = true) {
    const nodes = await findNodes(nomad, name)
    const leftMs = untilMs - systemClock.monotonic()
    if (nodes.length > 0 || !wait || dryRun || leftMs <= 0 || signal.aborted) return nodes
    if (!isTold)
      stderr.write('Nomad knows no node of this instance: one may be about to register.\n')
    await sleep(systemClock, Math.min(awaitNode / AWAIT_LOOKS, leftMs), signal)
  }
}

const FINE: ReadonlySet<string> = new Set(['draining', 'drained', 'empty', 'gone', 'planned'])

function checkFlags({ deadline: limit, wait, force, heartbeat }: DrainOptions): void {
  if (limit !== undefined && !wait && !force) {
    throw usageError(
      '--deadline says how long --wait waits, or with --force when builds are stopped',
    )
  }
  if (heartbeat && !wait) throw usageError('--heartbeat beats as long as --wait waits: add --wait')
}

async function begin(
  nomad: NomadClient,
  node: NomadNode,
  options: DrainOptions,
): Promise<DrainReport> {
  const { force, deadline: limit, ignoreSystem = false, dryRun } = options
  const wish = {
    stopAfterMs: force ? (limit ?? AT_ONCE_MS) : null,
    ignoreSystemJobs: ignoreSystem,
    mark: { by: 'command' as const, reason: 'caravan fleet drain', sinceMs: systemClock.now() },
  }
  const done = isDrained(node, wish)
  if (!dryRun && !done) await drain(nomad, node.ID, wish)
  const left = (await nomad.nodeAllocations(node.ID)).filter(isLive)
  const outcome = dryRun ? 'planned' : done ? 'drained' : 'draining'
  return { ...toReport(node, outcome), allocations: left.map(toAllocationView) }
}

interface Waiting {
  nomad: NomadClient
  nodes: readonly NomadNode[]
  options: DrainOptions
  io: Io
}

async function waitForAll(waiting: Waiting): Promise<DrainReport[]> {
  const { options, nodes, io } = waiting
  const limitMs = options.force
    ? (options.deadline ?? 0) + FORCE_GRACE_MS
    : (options.deadline ?? Infinity)
  const ends = deadline(systemClock, Math.min(limitMs, LONGEST_MS), io.signal)
  try {
    return await Promise.all(nodes.map((node) => waitForOne(waiting, node, ends.signal)))
  } finally {
    ends.cancel()
  }
}

/** Longer than a hook can be held. */
const LONGEST_MS = 7 * 86_400_000

async function waitForOne(
  { nomad, io, options }: Waiting,
  node: NomadNode,
  signal: AbortSignal,
): Promise<DrainReport> {
  let left: DrainReport['allocations'] = []
  const outcome = await waitUntilEmpty(nomad, node.ID, {
    clock: systemClock,
    signal,
    // Whoever has less time is told what is known by then.
    settleMs: Math.min(SETTLE_MS, (options.deadline ?? Infinity) / 2),
    onLeft(allocations) {
      left = allocations.map(toAllocationView)
      if (left.length > 0) io.stderr.write(`${node.Name}: ${left.length} still run\n`)
    },
  })
  return { ...toReport(node, outcome), allocations: left }
}

/** Beats for the instances, so that their hooks wait as long as we do. */
async function whileBeating<T>(
  instances: readonly string[],
  { options, io }: Pick<Waiting, 'options' | 'io'>,
  work: () => Promise<T>,
): Promise<T> {
  return withAws(options, io, async (aws) => {
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, io.signal])
    const deps = { aws, clock: systemClock, random: () => systemRandom.number() }
    const sinceMs = systemClock.now()
    let told = ''
    const news = {
      beat: () => undefined,
      cap: (hook: string, _share: number, capMs: number) =>
        void io.stderr.write(`The hook ${hook} ends in ${Math.round(capMs / 1000)} s.\n`),
      over: (lifecycle: string | null) =>
        void io.stderr.write(`The group waits no longer: ${lifecycle ?? 'in no group'}.\n`),
      trouble(cause: unknown) {
        const text = describeCause(cause)
        if (text !== told) io.stderr.write(`A heartbeat failed, and is tried again: ${text}\n`)
        told = text
      },
    }
    const beating = instances.map((instanceId) =>
      keepBeating(deps, { instanceId, hook: options.hook, sinceMs }, { signal, news }),
    )
    try {
      return await work()
    } finally {
      over.abort()
      await Promise.all(beating)
    }
  })
}

function toReport(node: NomadNode, outcome: DrainReport['outcome']): DrainReport {
  const { ID: node_id, Name: node_name } = node
  return { node_id, node_name, instance: instanceOf(node), outcome, allocations: [] }
}
