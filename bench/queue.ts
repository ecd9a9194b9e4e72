/** Deciding which waiting slices to register next, with a long queue against a short one. */
import { BUILT_IN_CLASSES, toSliceKey } from '../src/model/index.ts'
import { chooseNext, type NodeCapacity, type QueueView } from '../src/scheduler/capacity.ts'
import type { OpenSlice } from '../src/scheduler/open-slices.ts'
import type { SliceRow } from '../src/scheduler/store/index.ts'
import { aBuild, aSlice } from '../tests/scheduler/support/rows.ts'
import type { Bench } from './harness/bench.ts'

const SHORT = 1000
const LONG = 10_000
const P99_MS_MAX = 50
/** So many decisions that the 99th percentile leaves out more than the worst one. */
const ROUNDS = 1000
const WARMUPS = 50
const NODES = 300
/** Three medium slices fill one of the nodes. */
const LIVE_PER_NODE = 3
const SLICES_PER_BUILD = 10

export const queue: Bench = {
  name: 'queue',
  against: `itself with ${SHORT} waiting slices`,
  reach: `p99 of at most ${P99_MS_MAX} ms with ${LONG}, and at most ${LONG / SHORT} times as long`,
  async run({ clock, interleave, note }) {
    const timed = (view: QueueView) => () => {
      const startMs = clock.monotonic()
      const { submit } = chooseNext(view)
      const elapsedMs = clock.monotonic() - startMs
      if (submit.length === 0) throw new Error('a cluster with free places was left alone')
      return elapsedMs
    }
    const cluster = aCluster()
    note(`${NODES} nodes, ${cluster.live.length} slices on them, ${classes.size} classes`)
    const { long, short } = await interleave(
      {
        long: timed({ ...cluster, classes, waiting: aQueue(LONG) }),
        short: timed({ ...cluster, classes, waiting: aQueue(SHORT) }),
      },
      { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms' },
    )
    const ratio = long.ratioTo(short)
    const missed: string[] = []
    if (long.p99 > P99_MS_MAX) missed.push(`p99 is ${long.p99.toFixed(1)} ms`)
    if (ratio > LONG / SHORT) missed.push(`ten times the slices take ${ratio.toFixed(1)} times`)
    return { ratio, missed, figures: { p99_ms: long.p99, median_ms: long.median } }
  },
}

const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))

/** Full, but for every tenth node. */
function aCluster(): Pick<QueueView, 'nodes' | 'live'> {
  const nodes = Array.from({ length: NODES }, (_, index): NodeCapacity => {
    const id = `node-${index}`
    const size = { cpuMhz: 16_000, memoryMiB: 64_000 }
    return { id, name: id, nodeClass: 'linux-64bit', datacenter: 'dc1', usable: true, ...size }
  })
  const full = nodes.filter((_, index) => index % 10 !== 0)
  const placed = (node: NodeCapacity) => ({ state: 'running', node_id: node.id }) as const
  return { nodes, live: full.flatMap((node) => slicesOf('medium', LIVE_PER_NODE, placed(node))) }
}

/** Builds of all classes in turn. */
function aQueue(length: number): OpenSlice[] {
  return Array.from({ length: length / SLICES_PER_BUILD }, (_, number) => {
    const { name } = BUILT_IN_CLASSES[number % BUILT_IN_CLASSES.length] ?? { name: '' }
    return slicesOf(name, SLICES_PER_BUILD)
  }).flat()
}

function slicesOf(
  resource_class: string,
  parallelism: number,
  more: Partial<SliceRow> = {},
): OpenSlice[] {
  const build = aBuild({ resource_class, parallelism })
  return Array.from({ length: parallelism }, (_, index) => ({
    key: toSliceKey(build.id, index),
    build,
    slice: aSlice(build, { slice_index: index, ...more }),
    attempt: null,
  }))
}
