import fc from 'fast-check'
import t from 'tap'
import { Candidates } from '../../../../src/dev/nomad-engine/scheduling/candidates.ts'
import { makePlan } from '../../../../src/dev/nomad-engine/scheduling/plan.ts'
import { place, Reservations } from '../../../../src/dev/nomad-engine/scheduling/placement.ts'
import { createEvaluation } from '../../../../src/dev/nomad-engine/objects/evaluation.ts'
import type { Job } from '../../../../src/dev/nomad-engine/objects/job.ts'
import type { Node } from '../../../../src/dev/nomad-engine/objects/node.ts'
import {
  aNode,
  anAllocation,
  aState,
  aStoredJob,
  CONFIGURATION,
  NOW_MS,
  random,
  replayedRandom,
} from '../builders.ts'

/** A job of one slice that asks for this much. */
function asks(CPU: number, MemoryMB: number, more: { group?: object; job?: object } = {}): Job {
  return aStoredJob('job', { task: { Resources: { CPU, MemoryMB } }, ...more })
}

function tryPlace(job: Job, nodes: Node[], allocations = [] as ReturnType<typeof anAllocation>[]) {
  const state = aState({ nodes, allocations })
  const [group] = job.TaskGroups
  if (group === undefined) throw new Error('the job has no group')
  const request = { job, group, siblings: new Map<string, number>() }
  const candidates = new Candidates().of(state, job)
  const context = { random, configuration: CONFIGURATION }
  return place(candidates, request, new Reservations(state), context)
}

t.test('the first thing there is too little of is named', (t) => {
  const node = aNode({ cpuMhz: 500, memoryMiB: 500, diskMiB: 500, nodeClass: 'small' })
  for (const [job, dimension] of [
    [asks(600, 600), 'cpu'],
    [asks(100, 600), 'memory'],
    [asks(100, 100, { group: { EphemeralDisk: { SizeMB: 600 } } }), 'disk'],
  ] as const) {
    const { placed, metric } = tryPlace(job, [node])
    t.equal(placed, null)
    t.match(metric, {
      NodesEvaluated: 1,
      NodesExhausted: 1,
      NodesFiltered: 0,
      DimensionExhausted: { [dimension]: 1 },
      ClassExhausted: { small: 1 },
      NodesAvailable: { dc1: 1 },
    })
  }
  t.end()
})

t.test('a node that may not be used is not even looked at', (t) => {
  const drain = { Deadline: 0, IgnoreSystemJobs: false, ForceDeadline: null, StartedAt: '' }
  for (const node of [
    aNode({ nodePool: 'other' }),
    aNode({ datacenter: 'dc2' }),
    aNode({}, { SchedulingEligibility: 'ineligible' }),
    aNode({}, { Status: 'down' }),
    aNode({}, { DrainStrategy: drain }),
  ]) {
    const { placed, metric } = tryPlace(asks(100, 100, { job: { Datacenters: ['dc1'] } }), [node])
    t.equal(placed, null)
    t.match(metric, { NodesEvaluated: 0, NodesInPool: 0 })
    t.same(metric.NodesAvailable, {})
  }
  t.ok(tryPlace(asks(1, 10, { job: { Datacenters: ['d*'] } }), [aNode()]).placed)
  t.ok(tryPlace(asks(1, 10, { job: { NodePool: 'all' } }), [aNode({ nodePool: 'x' })]).placed)
  t.end()
})

t.test('of two nodes the fuller one is taken, or the emptier one when spreading', (t) => {
  const [full, empty] = [aNode({ name: 'full' }), aNode({ name: 'empty' })]
  const running = anAllocation(asks(500, 500), { NodeID: full.ID })
  t.equal(tryPlace(asks(100, 100), [full, empty], [running]).placed?.node.Name, 'full')
  const state = aState({ nodes: [full, empty], allocations: [running] })
  const job = asks(100, 100)
  const { placed } = place(
    new Candidates().of(state, job),
    { job, group: job.TaskGroups[0]!, siblings: new Map() },
    new Reservations(state),
    { random, configuration: { ...CONFIGURATION, SchedulerAlgorithm: 'spread' } },
  )
  t.equal(placed?.node.Name, 'empty')
  t.end()
})

t.test('an allocation that is stopping still takes its room', (t) => {
  const node = aNode({ cpuMhz: 500 })
  const stopping = anAllocation(asks(400, 100), { NodeID: node.ID, DesiredStatus: 'stop' })
  t.equal(tryPlace(asks(200, 100), [node], [stopping]).placed, null)
  const over = { ...stopping, ClientStatus: 'complete' as const }
  t.ok(tryPlace(asks(200, 100), [node], [over]).placed)
  t.end()
})

t.test('ports are given once on a node', (t) => {
  const group = {
    Networks: [
      { ReservedPorts: [{ Label: 'ssh', Value: 2222 }], DynamicPorts: [{ Label: 'http' }] },
    ],
  }
  const job = asks(10, 10, { group })
  const node = aNode()
  const first = tryPlace(job, [node])
  t.match(first.placed?.ports, [
    { Label: 'ssh', Value: 2222 },
    { Label: 'http', Value: 20_000 },
  ])
  const running = anAllocation(job, { NodeID: node.ID })
  running.AllocatedResources.Shared.Ports = first.placed?.ports ?? null
  const second = tryPlace(job, [node], [running])
  t.equal(second.placed, null)
  t.match(second.metric.DimensionExhausted, { 'network: reserved port collision ssh=2222': 1 })
  t.end()
})

t.test('a plan never promises more than the nodes have', (t) => {
  const sizes = fc.record({
    cpu: fc.integer({ min: 1, max: 400 }),
    memory: fc.integer({ min: 10, max: 400 }),
  })
  const property = fc.property(
    fc.array(sizes, { minLength: 1, maxLength: 5 }),
    sizes,
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 1000 }),
    (nodeSizes, ask, Count, seed) => {
      const nodes = nodeSizes.map(({ cpu, memory }, at) =>
        aNode({ name: `n${at}`, cpuMhz: cpu, memoryMiB: memory, diskMiB: 10_000 }),
      )
      const job = asks(ask.cpu, ask.memory, { group: { Count } })
      const state = aState({ nodes, jobs: [job] })
      const context = {
        nowMs: NOW_MS,
        random: replayedRandom(seed),
        configuration: CONFIGURATION,
        candidates: new Candidates(),
      }
      const evaluation = createEvaluation(job, 'job-register', context)
      const { writes, evaluations } = makePlan(state, evaluation, context)
      const placed = writes.flatMap((write) => write.put ?? [])
      for (const node of nodes) {
        const here = placed.filter((each) => each.NodeID === node.ID).length
        if (here * ask.cpu > node.NodeResources.Cpu.CpuShares) return false
        if (here * ask.memory > node.NodeResources.Memory.MemoryMB) return false
      }
      // What found no place waits: together they are all that was asked for.
      const ended = evaluations.find((write) => write.key === evaluation.ID)?.patch
      const queued = ended?.QueuedAllocations?.['slice'] ?? 0
      const mostFits = nodes.reduce(
        (sum, { NodeResources: { Cpu, Memory } }) =>
          sum + Math.floor(Math.min(Cpu.CpuShares / ask.cpu, Memory.MemoryMB / ask.memory)),
        0,
      )
      const names = new Set(placed.map((each) => each.Name))
      return (
        placed.length + queued === Count &&
        placed.length === Math.min(mostFits, Count) &&
        names.size === placed.length
      )
    },
  )
  fc.assert(property, { numRuns: 300 })
  t.pass('300 clusters')
  t.end()
})

t.test('an affinity of negative weight keeps away from a node while there is another one', (t) => {
  const [full, empty] = [aNode({ name: 'full' }), aNode({ name: 'empty' })]
  const running = anAllocation(asks(500, 500), { NodeID: full.ID })
  const Affinities = [
    { LTarget: '${node.unique.id}', RTarget: full.ID, Operand: '=', Weight: -100 },
  ]
  const job = asks(100, 100, { group: { Affinities } })
  t.equal(tryPlace(asks(100, 100), [full, empty], [running]).placed?.node.Name, 'full')
  t.equal(tryPlace(job, [full, empty], [running]).placed?.node.Name, 'empty')
  t.equal(tryPlace(job, [full], [running]).placed?.node.Name, 'full', 'there is no other one')
  const many = [full, ...Array.from({ length: 9 }, () => aNode({ cpuMhz: 50 })), empty]
  t.equal(tryPlace(job, many, [running]).placed?.node.Name, 'empty', 'however many are too small')
  t.end()
})
