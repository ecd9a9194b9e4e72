/** What slices come to in numbers. */
import t from 'tap'
import { BUILT_IN_CLASSES } from '../../src/model/index.ts'
import { toGauges } from '../../src/scheduler/gauges.ts'
import type { AppliedFact } from '../../src/scheduler/ledger.ts'
import { measureFact } from '../../src/scheduler/measures.ts'
import { keyOf, type OpenSlice } from '../../src/scheduler/open-slices.ts'
import type { BuildRow, SliceRow } from '../../src/scheduler/store/index.ts'
import { gatherMetrics } from './support/metrics.ts'
import { aBuild, aSlice, NOW_MS } from './support/rows.ts'

const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))

function told(applied: AppliedFact): string[] {
  const { sink, lines } = gatherMetrics()
  measureFact(sink, applied, { name: 'medium', promiseMs: 1000 })
  return lines
}

function applied(fact: AppliedFact['fact'], before: Partial<SliceRow>, after: Partial<SliceRow>) {
  const build = aBuild()
  const row = aSlice(build, { queued_ms: NOW_MS, submitted_ms: NOW_MS + 100, ...before })
  return { before: row, after: { ...row, ...after }, fact }
}

t.test('the way to the first step, from ready on', async (t) => {
  const placed = {
    kind: 'placed',
    epoch: 1,
    allocationId: 'a',
    nodeId: 'n',
    nodeName: 'n',
  } as const
  t.same(told(applied(placed, {}, { placed_ms: NOW_MS + 300 })), [
    'circle.slice.placement.latency 0.2 medium',
  ])
  const claimed = applied(
    { kind: 'claimed', epoch: 1 },
    { placed_ms: NOW_MS + 300 },
    { claimed_ms: NOW_MS + 800 },
  )
  t.same(told(claimed), ['circle.agent.registration.latency 0.5 medium'])
  const accepted = { kind: 'accepted', epoch: 1 } as const
  t.same(told(applied(accepted, {}, { state: 'running', started_ms: NOW_MS + 900 })), [
    'circle.run-queue.latency 900',
    'circle.scheduler.queue.latency 0.9 medium',
    'circle.scheduler.slices.started 1 medium',
    'circle.scheduler.queue.exceeded 0 medium',
  ])
  const again = applied(
    accepted,
    { due_ms: NOW_MS + 60_000 },
    { state: 'running', started_ms: NOW_MS + 62_000 },
  )
  t.match(told(again)[0], 'circle.run-queue.latency 2000', 'a pause before another try is no queue')
  t.match(told(again)[3], 'circle.scheduler.queue.exceeded 1 medium')
  const odd = applied(accepted, {}, { state: 'running', started_ms: NOW_MS - 5000 })
  t.match(told(odd)[0], 'circle.run-queue.latency 0', 'a clock that was put back')
})

t.test('how it ended, and whose fault that was', async (t) => {
  const ended = { kind: 'ended', epoch: 1, detail: '' } as const
  const over = (reason: SliceRow['reason'], state: SliceRow['state']) =>
    told(
      applied(
        { ...ended, reason: reason ?? 'exit_code' },
        { state: 'running', started_ms: NOW_MS + 1000 },
        { state, reason, finished_ms: NOW_MS + 4000 },
      ),
    )
  t.same(over('exit_code', 'failed'), ['circle.slice.duration 3 failed medium'])
  t.same(over(null, 'succeeded'), ['circle.slice.duration 3 succeeded medium'])
  t.same(over('node_lost', 'infrastructure_failed'), [
    'circle.slice.duration 3 infrastructure_failed medium',
    'circle.system.errors 1 node_lost',
  ])
  t.ok(over('no_placement', 'failed').includes('circle.dispatcher.find-containers-failed 1'))
  const retried = { kind: 'retried', epoch: 1, reason: 'preempted', detail: '', dueMs: 0 } as const
  const nomadJobId = aSlice(aBuild()).nomad_job_id
  t.same(
    told(
      applied({ ...retried, nomadJobId }, { state: 'running' }, { state: 'waiting_run', epoch: 2 }),
    ),
    ['circle.scheduler.slices.retried 1 preempted', 'circle.system.errors 1 preempted'],
  )
})

t.test('queue, slices and places as they stand', async (t) => {
  const entry = (build: BuildRow, more: Partial<SliceRow>): OpenSlice => {
    const slice = aSlice(build, { queued_ms: NOW_MS, ...more })
    return { key: keyOf(slice), build, slice, attempt: null }
  }
  const [one, two] = [aBuild({ resource_class: 'medium' }), aBuild({ resource_class: 'large' })]
  const open = [
    entry(one, { slice_index: 0, state: 'waiting_run' }),
    entry(one, { slice_index: 1, state: 'placing', queued_ms: NOW_MS + 2000 }),
    entry(two, { state: 'running', started_ms: NOW_MS + 1000, node_id: 'n1' }),
    entry(two, { slice_index: 1, state: 'succeeded', job_open: 1 }),
  ]
  const node = { nodeClass: 'linux-64bit', datacenter: 'dc1', usable: true }
  const nodes = [
    { ...node, id: 'n1', name: 'n1', cpuMhz: 16_000, memoryMiB: 64_000 },
    { ...node, id: 'n2', name: 'n2', cpuMhz: 6000, memoryMiB: 60_000 },
    { ...node, id: 'n3', name: 'n3', cpuMhz: 64_000, memoryMiB: 256_000, usable: false },
  ]
  const gauges = toGauges({ open, classes, nodes, nowMs: NOW_MS + 5000 })
  const of = (name: string, resource_class?: string) =>
    gauges.find((each) => each.name === name && each.tags?.['resource_class'] === resource_class)
      ?.value
  t.equal(of('circle.build-queue.runnable.builds'), 1)
  t.equal(of('circle.scheduler.queue.depth', 'medium'), 2)
  t.equal(of('circle.scheduler.queue.oldest_age', 'medium'), 5)
  t.equal(of('circle.scheduler.queue.oldest_age', 'large'), 0)
  t.equal(of('circle.slice.running', 'large'), 1)
  t.equal(of('circle.slice.running_age', 'large'), 4)
  t.equal(
    of('circle.fleet.slots.available', 'medium'),
    3,
    'two beside the large one, one on the small node',
  )
  t.equal(of('circle.fleet.free_slot.cpu'), 11_000)
  t.equal(of('circle.fleet.free_slot.memory'), 60_000)
  const without = toGauges({ open, classes, nodes: null, nowMs: NOW_MS })
  t.notOk(
    without.some(({ name }) => name.startsWith('circle.fleet')),
    'nothing is said of unknown nodes',
  )
})
