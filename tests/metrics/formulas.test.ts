/** From Nomad's answers, old and new, to numbers. */
import t from 'tap'
import fc from 'fast-check'
import { countJobs, noJobs, type JobCountOptions } from '../../src/metrics/job-states.ts'
import { isDrained, toNodeTags } from '../../src/metrics/node-tags.ts'
import { measureLeft, measureNode, measureUsage } from '../../src/metrics/resources.ts'
import type { AllocationReading, JobReading, NodeReading } from '../../src/nomad/index.ts'

const aNode = (more: Partial<NodeReading> = {}): NodeReading => ({
  ID: 'n',
  Status: 'ready',
  ...more,
})
const anAllocation = (
  ClientStatus: string,
  [CpuShares, MemoryMB, DiskMB]: [number, number, number],
): AllocationReading => ({
  ID: 'a',
  ClientStatus,
  AllocatedResources: {
    Tasks: { main: { Cpu: { CpuShares }, Memory: { MemoryMB } } },
    Shared: { DiskMB },
  },
})

t.test('the worked example of a node of today', async (t) => {
  const node = aNode({
    NodeResources: {
      Cpu: { CpuShares: 40_000 },
      Memory: { MemoryMB: 64_000 },
      Disk: { DiskMB: 200_000 },
      Processors: { Topology: { Cores: Array.from({ length: 16 }, () => ({ BaseSpeed: 2500 })) } },
    },
    ReservedResources: {
      Cpu: { CpuShares: 1000 },
      Memory: { MemoryMB: 2048 },
      Disk: { DiskMB: 10_000 },
    },
  })
  const used = measureUsage([
    anAllocation('running', [4000, 8192, 5000]),
    anAllocation('pending', [2000, 4096, 300]),
    // Told to stop, and still there.
    anAllocation('running', [1000, 1024, 300]),
    anAllocation('complete', [9000, 9000, 9000]),
  ])
  t.same(measureLeft(measureNode(node), used), {
    total: { cpu: 40_000, memory: 64_000, disk: 200_000, iops: 0 },
    used: { cpu: 7000, memory: 13_312, disk: 5600, iops: 0 },
    available: { cpu: 32_000, memory: 48_640, disk: 184_400, iops: 0 },
    overcommit: { cpu: 0, memory: 0, disk: 0, iops: 0 },
  })
})

t.test('a node of 0.5', async (t) => {
  const node = aNode({
    Resources: { CPU: 8000, MemoryMB: 16_000, DiskMB: 90_000, IOPS: 100 },
    Reserved: { CPU: 500, MemoryMB: 512, DiskMB: 1000, IOPS: 10 },
  })
  const used = measureUsage([
    {
      ID: 'a',
      ClientStatus: 'running',
      Resources: { CPU: 1000, MemoryMB: 2000, DiskMB: 300, IOPS: 5 },
    },
    {
      ID: 'b',
      ClientStatus: 'running',
      TaskResources: { x: { CPU: 10, MemoryMB: 20 }, y: { CPU: 1 } },
    },
    { ID: 'c', ClientStatus: 'lost', Resources: { CPU: 9999 } },
  ])
  t.same(measureLeft(measureNode(node), used).available, {
    cpu: 8000 - 500 - 1011,
    memory: 16_000 - 512 - 2020,
    disk: 88_700,
    iops: 85,
  })
})

t.test('cores that are kept from tasks are reserved', async (t) => {
  const node = aNode({
    NodeResources: {
      Cpu: { CpuShares: 8000 },
      Memory: { MemoryMB: 1 },
      Processors: {
        Topology: {
          Cores: [
            { BaseSpeed: 2000, Disable: true },
            { BaseSpeed: 2000 },
            { GuessSpeed: 2000 },
            { BaseSpeed: 2000 },
          ],
        },
      },
    },
    ReservedResources: { Cpu: { CpuShares: 0 } },
  })
  t.equal(measureNode(node).reserved.cpu, 2000)
})

t.test('a total that an operator set is not compared with the speed of the cores', async (t) => {
  const node = aNode({
    NodeResources: {
      Cpu: { CpuShares: 16_000 },
      Memory: { MemoryMB: 1 },
      Processors: { Topology: { Cores: [{ BaseSpeed: 2600 }], OverrideTotalCompute: 16_000 } },
    },
    ReservedResources: { Cpu: { CpuShares: 2000 } },
  })
  t.match(measureNode(node), { total: { cpu: 16_000 }, reserved: { cpu: 2000 } })
})

t.test('tasks before, beside and after the main one share their place', async (t) => {
  const task = (CpuShares: number, MemoryMB: number) => ({
    Cpu: { CpuShares },
    Memory: { MemoryMB },
  })
  const tasks = {
    init: task(900, 300),
    side: task(300, 100),
    main: task(500, 200),
    after: task(100, 900),
  }
  const lifecycles = {
    init: { Hook: 'prestart', Sidecar: false },
    side: { Hook: 'prestart', Sidecar: true },
    main: null,
    after: { Hook: 'poststop' },
  }
  const of = (AllocatedResources: AllocationReading['AllocatedResources']) =>
    measureUsage([
      { ID: 'a', ClientStatus: 'running', ...(AllocatedResources && { AllocatedResources }) },
    ])
  t.match(of({ Tasks: tasks, TaskLifecycles: lifecycles }), { cpu: 1200, memory: 900 })
  t.match(of({ Tasks: tasks }), { cpu: 1800, memory: 1500 }, 'all of them, when nothing is said')
  const pinned = { ...tasks, main: { ...tasks.main, Cpu: { CpuShares: 500, ReservedCores: [1] } } }
  t.match(of({ Tasks: pinned, TaskLifecycles: lifecycles }), { cpu: 1700, memory: 1100 })
})

t.test('a node that does not know its size yet is no failure, any other is', async (t) => {
  t.same(measureNode(aNode({ Status: 'initializing' })).total.cpu, 0)
  t.throws(() => measureNode(aNode()), /tells neither CPU nor memory/)
})

t.test('a number that is a text is refused', async (t) => {
  const text = '8000' as unknown as number
  t.throws(() => measureNode(aNode({ NodeResources: { Cpu: { CpuShares: text } } })), /no number/)
})

t.test('no gauge is ever below zero', async () => {
  const amount = fc.nat(100_000)
  fc.assert(
    fc.property(amount, amount, amount, (total, reserved, used) => {
      const all = (value: number) => ({ cpu: value, memory: value, disk: value, iops: value })
      const left = measureLeft({ total: all(total), reserved: all(reserved) }, all(used))
      return (
        left.available.cpu - left.overcommit.cpu === total - reserved - used &&
        left.available.cpu >= 0
      )
    }),
  )
})

const NO_SIDES: JobCountOptions = { states: 'derived', excludeParents: false }
const ignore = () => undefined
const group = (more: object) => ({ JobSummary: { Summary: { g: { Complete: 1, ...more } } } })

function count(jobs: readonly Partial<JobReading>[], options = NO_SIDES) {
  const counts = noJobs()
  const unknown: string[] = []
  countJobs(
    counts,
    jobs.map((job) => ({ Status: 'dead', ...job })),
    options,
    (status) => unknown.push(status),
  )
  return { ...counts, unknown }
}

t.test('a dead job is complete when all of it completed', async (t) => {
  t.match(count([group({})]), { complete: 1, dead: 0 })
  for (const more of [{ Failed: 1 }, { Lost: 1 }, { Queued: 1 }, { Unknown: 1 }, { Complete: 0 }]) {
    t.match(count([group(more)]), { complete: 0, dead: 1 }, JSON.stringify(more))
  }
  t.match(count([{ ...group({}), Stop: true }, {}, { Status: 'complete' }]), {
    complete: 1,
    dead: 2,
  })
  t.match(count([group({})], { ...NO_SIDES, states: 'literal' }), { complete: 0, dead: 1 })
  t.throws(() => count([group({ Failed: '1' })]), /no number/)
})

t.test('jobs that only make other jobs can be left out', async (t) => {
  const jobs = [
    { Status: 'running', Periodic: true },
    { Status: 'running', ParameterizedJob: true, ParentID: '' },
    { Status: 'running', ParameterizedJob: true, ParentID: 'p' },
  ]
  t.match(count(jobs), { running: 3 })
  t.match(count(jobs, { ...NO_SIDES, excludeParents: true }), { running: 1 })
})

t.test('every job is counted once, or its state is told', async () => {
  const status = fc.constantFrom('pending', 'running', 'complete', 'dead', 'new')
  fc.assert(
    fc.property(fc.array(status), (all) => {
      const { unknown, ...counts } = count(all.map((Status) => ({ Status })))
      const sum = counts.pending + counts.running + counts.complete + counts.dead
      return sum + unknown.length === all.length
    }),
  )
})

t.test('a node stays drained until it takes work again', async (t) => {
  const rows: [Partial<NodeReading>, boolean][] = [
    [{ Drain: true }, true],
    [{ DrainStrategy: {} }, true],
    [{ SchedulingEligibility: 'ineligible', LastDrain: { Status: 'complete' } }, true],
    [{ SchedulingEligibility: 'ineligible' }, false],
    [{ SchedulingEligibility: 'eligible', LastDrain: { Status: 'complete' } }, false],
    [{}, false],
  ]
  for (const [node, drained] of rows) t.equal(isDrained(aNode(node)), drained, JSON.stringify(node))
})

t.test('a status that dashboards do not know is down for them', async (t) => {
  const told: string[] = []
  const of = (Status: string, extended = false) =>
    toNodeTags(aNode({ Status }), { extended, identity: false }, (status) => told.push(status))
  t.same(of('ready'), { drain: false, status: 'ready' })
  t.same(of('disconnected').status, 'down')
  t.same(of('disconnected', true), {
    drain: false,
    status: 'disconnected',
    eligibility: 'eligible',
  })
  t.same(of('odd').status, 'down')
  t.same(told, ['odd'])
  const identity = { extended: false, identity: true }
  t.match(toNodeTags(aNode({ Name: 'i-1', NodePool: 'p' }), identity, ignore), {
    node: 'i-1',
    node_pool: 'p',
  })
})
