import t from 'tap'
import { BUILT_IN_CLASSES } from '../../src/model/index.ts'
import { chooseNext, judgeFit, toCapacity } from '../../src/scheduler/capacity.ts'
import type { OpenSlice } from '../../src/scheduler/open-slices.ts'
import { keyOf } from '../../src/scheduler/open-slices.ts'
import type { SliceRow } from '../../src/scheduler/store/index.ts'
import { aNode } from './support/nomad.ts'
import { aBuild, aSlice } from './support/rows.ts'

const classes = new Map(BUILT_IN_CLASSES.map((each) => [each.name, each]))
const medium = classes.get('medium')!
// One medium slice takes 5000 MHz and 8704 MiB.
const threePlaces = aNode({
  NodeResources: { Cpu: { CpuShares: 16_000 }, Memory: { MemoryMB: 64_000 } },
})
const capacity = (node = threePlaces, datacenters = ['*']) => toCapacity(node, datacenters)

function open(
  count: number,
  slice: Partial<SliceRow> = {},
  resource_class = 'medium',
): OpenSlice[] {
  const build = aBuild({ resource_class })
  return Array.from({ length: count }, (_, slice_index) => {
    const row = aSlice(build, { slice_index, ...slice })
    return { key: keyOf(row), build, slice: row, attempt: null }
  })
}

t.test('twice the free places are registered, oldest first', (t) => {
  const waiting = open(20)
  const decision = chooseNext({ waiting, live: [], nodes: [capacity()], classes })
  t.strictSame(decision.submit, waiting.slice(0, 6))
  t.equal(
    decision.waits.get('medium'),
    'waits for capacity: every place for class medium on 1 node is taken',
  )
  t.end()
})

t.test('what is tried again comes first', (t) => {
  const waiting = [...open(20), ...open(1, { epoch: 2, retries: 1 })]
  const { submit } = chooseNext({ waiting, live: [], nodes: [capacity()], classes })
  t.strictSame(submit, [waiting[20], ...waiting.slice(0, 5)])
  t.end()
})

t.test('what is registered and has no place yet counts against the window', (t) => {
  const live = open(4, { state: 'placing' })
  const view = { waiting: open(20), live, nodes: [capacity()], classes }
  t.equal(chooseNext(view).submit.length, 2)
  t.end()
})

t.test('a placed slice takes its room on its node', (t) => {
  const live = open(2, { state: 'running', node_id: 'n1' })
  const view = { waiting: open(20), live, nodes: [capacity()], classes }
  t.equal(chooseNext(view).submit.length, 2)
  const full = open(3, { state: 'running', node_id: 'n1' })
  t.equal(chooseNext({ ...view, live: full }).submit.length, 0)
  t.end()
})

t.test('classes have windows of their own, on the nodes that carry them', (t) => {
  const arm = { ...medium, name: 'arm', nodeClass: 'linux-arm' }
  const view = {
    waiting: [...open(2, {}, 'arm'), ...open(2), ...open(1, {}, 'gone')],
    live: [],
    nodes: [capacity()],
    classes: new Map([...classes, ['arm', arm]]),
  }
  const decision = chooseNext(view)
  t.strictSame(
    decision.submit.map(({ build }) => build.resource_class),
    ['medium', 'medium'],
  )
  t.strictSame(
    [...decision.waits],
    [['arm', 'waits for a node: no node of class linux-arm takes work']],
  )
  t.end()
})

t.test('a node that drains, is not eligible, not ready or elsewhere takes no work', (t) => {
  const unusable = [
    aNode({ Drain: true }),
    aNode({ SchedulingEligibility: 'ineligible' }),
    aNode({ Status: 'down' }),
    aNode({ Datacenter: 'us-1' }),
  ]
  for (const node of unusable) t.equal(capacity(node, ['dc*', 'eu-?']).usable, false)
  for (const pattern of ['*', 'dc1', 'd*1', '*1', '**', 'dc1*']) {
    t.equal(capacity(aNode(), [pattern]).usable, true, pattern)
  }
  for (const pattern of ['dc', 'dc1*1', '*2', 'd*c', '']) {
    t.equal(capacity(aNode(), [pattern]).usable, false, pattern)
  }
  t.end()
})

t.test('what the node reserves for itself is not ours', (t) => {
  const node = aNode({
    ReservedResources: { Cpu: { CpuShares: 2000 }, Memory: { MemoryMB: 4096 } },
  })
  t.match(capacity(node), { cpuMhz: 14_000, memoryMiB: 59_904 })
  t.end()
})

t.test('a class that no node can hold is told with the biggest node', (t) => {
  const small = aNode({
    Name: 'tiny',
    NodeResources: { Cpu: { CpuShares: 1000 }, Memory: { MemoryMB: 512 } },
  })
  const some = aNode({
    Name: 'some',
    NodeResources: { Cpu: { CpuShares: 4000 }, Memory: { MemoryMB: 64_000 } },
  })
  t.strictSame(judgeFit(medium, [capacity(small), capacity(some)]), {
    kind: 'never',
    detail:
      'resource class medium needs 5000 MHz and 8704 MiB (agent included); ' +
      'the biggest node of class linux-64bit is some with 4000 MHz and 64000 MiB',
  })
  t.match(judgeFit(medium, [capacity(aNode({ NodeClass: '' }))]), {
    kind: 'never',
    detail: /no node has that class; the biggest node is worker-1 with .*, class ""$/,
  })
  t.end()
})

t.test('a class may wait for a node that is full, down, unknown or still to be made', (t) => {
  t.strictSame(judgeFit(medium, []), { kind: 'unknown' })
  t.strictSame(judgeFit(medium, [capacity(aNode({ Status: 'down' }))]), { kind: 'fits' })
  t.strictSame(judgeFit({ ...medium, pools: ['linux'] }, [capacity(aNode({ NodeClass: 'x' }))]), {
    kind: 'fits',
  })
  t.end()
})
