/** The cluster as it was seen a moment ago: its nodes and its version. */
import { isCaravanError } from '../model/index.ts'
import { deadline, type Clock } from '../platform/index.ts'
import type { NomadNode, NomadVersion } from '../nomad/index.ts'
import { toCapacity, type NodeCapacity } from './capacity.ts'
import type { SchedulerNomad } from './ports.ts'

export interface Cluster {
  /** @param maxAgeMs how old the answer may be. */
  nodes(maxAgeMs: number): Promise<readonly NodeCapacity[]>
  /** As last listed; undefined for a node that is not listed, or before the first list. */
  node(id: string): NomadNode | undefined
  /** Something about the nodes changed. */
  invalidate(): void
  /** Null when Nomad does not tell. */
  version(): Promise<NomadVersion | null>
  /** Whether an operator holds all placing. False when our token may not know. */
  isPaused(): Promise<boolean>
}

/** A server is upgraded now and then, and an older one may answer again after that. */
const VERSION_AGE_MAX_MS = 60_000

/** It is asked for every slice without a place, and told to people. */
const PAUSED_AGE_MAX_MS = 5000

/** Reads are repeated inside; whoever waits for a build to start should not wait longer than this. */
const READ_MAX_MS = 10_000

export function createCluster(deps: {
  nomad: Pick<SchedulerNomad, 'listNodes' | 'version' | 'schedulerConfiguration'>
  datacenters: readonly string[]
  clock: Clock
}): Cluster {
  const { nomad, datacenters, clock } = deps
  let listed = new Map<string, NomadNode>()
  const nodes = remember(clock, async (signal) => {
    const found = new Map<string, NomadNode>()
    for await (const page of nomad.listNodes({ signal })) {
      for (const node of page.items) found.set(node.ID, node)
    }
    listed = found
    return [...found.values()].map((node) => toCapacity(node, datacenters))
  })
  const version = remember(clock, (signal) => nomad.version({ signal }))
  const paused = remember(clock, async (signal) => {
    try {
      return (await nomad.schedulerConfiguration({ signal })).PauseEvalBroker === true
    } catch (cause) {
      if (isCaravanError(cause, 'NOMAD_FORBIDDEN')) return false
      throw cause
    }
  })
  return {
    nodes: (maxAgeMs) => nodes.read(maxAgeMs),
    node: (id) => listed.get(id),
    invalidate: () => nodes.invalidate(),
    version: () => version.read(VERSION_AGE_MAX_MS),
    isPaused: () => paused.read(PAUSED_AGE_MAX_MS),
  }
}

/** One reading at a time, shared by all who ask meanwhile, kept until it is too old. */
function remember<T>(clock: Clock, read: (signal: AbortSignal) => Promise<T>) {
  let known: { value: T; atMs: number } | null = null
  let reading: Promise<T> | null = null
  /** Grows when what is known becomes doubtful, also in the middle of a reading. */
  let doubts = 0

  const start = async (): Promise<T> => {
    const doubtsBefore = doubts
    const limit = deadline(clock, READ_MAX_MS)
    try {
      const atMs = clock.monotonic()
      const value = await read(limit.signal)
      if (doubts === doubtsBefore) known = { value, atMs }
      return value
    } finally {
      limit.cancel()
      reading = null
    }
  }

  return {
    read(maxAgeMs: number): Promise<T> {
      if (known !== null && clock.monotonic() - known.atMs <= maxAgeMs) {
        return Promise.resolve(known.value)
      }
      reading ??= start()
      return reading
    },
    invalidate() {
      doubts += 1
      known = null
    },
  }
}
