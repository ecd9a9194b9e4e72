/** The proof that nothing runs on a node any more. */
import t from 'tap'
import { proveEmpty, waitUntilEmpty } from '../../../src/fleet/lifecycle/emptiness.ts'
import { doubtOf, drainFactsOf } from '../../../src/fleet/proof.ts'
import type { NomadNode } from '../../../src/nomad/index.ts'
import { TestClock } from '../../../src/platform/index.ts'
import { FakeNomad } from '../support/nomad.ts'

/** One node of a Nomad in this process, whose changes can be watched. */
function aNode() {
  const clock = new TestClock()
  const fake = new FakeNomad(clock)
  const node = fake.add({ instanceId: 'i-0' })
  let changed = Promise.withResolvers<void>()
  const change = () => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  async function* watch(what: string, id: string, signal: AbortSignal): AsyncGenerator {
    const ends = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    while (!signal.aborted) {
      const next = changed.promise
      yield what === 'node' ? await fake.readNode(id) : await fake.nodeAllocations(id)
      await Promise.race([next, ends])
    }
  }
  const nomad = {
    readNode: (id: string) => fake.readNode(id),
    nodeAllocations: (id: string) => fake.nodeAllocations(id),
    drainNode: async (...args: Parameters<typeof fake.drainNode>) => {
      const receipt = await fake.drainNode(...args)
      change()
      return receipt
    },
    watch: watch as Parameters<typeof waitUntilEmpty>[0]['watch'],
  }
  const drain = () => fake.drainNode(node.ID, { deadlineMs: null, ignoreSystemJobs: true })
  return { clock, fake, node, nomad, change, drain }
}

t.test(
  'F20, F27: an empty list and a drain that is complete prove it, and neither alone',
  async (t) => {
    const { fake, node, nomad, drain } = aNode()
    const proof = () => proveEmpty(nomad, node.ID)
    t.equal(await proof(), 'eligible')
    await fake.setEligibility(node.ID, 'ineligible')
    t.equal(await proof(), 'busy', 'without a drain nobody can tell')
    const build = fake.run(node, 'build')
    await drain()
    t.equal(await proof(), 'busy')
    fake.hidden.add('default')
    t.equal(await proof(), 'busy', 'what is not shown runs all the same')
    fake.hidden.clear()
    await fake.drainNode(node.ID, null)
    fake.finish(build.ID)
    t.equal(await proof(), 'busy', 'a drain that was taken back is none')
    await drain()
    t.equal(await proof(), 'empty')
    const late = fake.run(node, 'late')
    t.equal(await proof(), 'busy', 'a drain that is complete is no proof')
    fake.finish(late.ID)
    await fake.drainNode(node.ID, null, { markEligible: true })
    t.equal(await proof(), 'eligible')
    await fake.purgeNode(node.ID)
    t.equal(await proof(), 'gone')
  },
)

t.test(
  'F38: system jobs hold nothing up; one that runs once is waited for as Nomad does',
  async (t) => {
    const { clock, fake, node, nomad, drain } = aNode()
    fake.run(node, 'metrics', { type: 'system' })
    const { ID } = fake.run(node, 'once', { type: 'sysbatch' })
    await drain()
    t.equal(await proveEmpty(nomad, node.ID), 'busy')
    let found: string | null = null
    const options = { clock, signal: new AbortController().signal }
    const waiting = waitUntilEmpty(nomad, node.ID, options).then((proof) => (found = proof))
    await clock.tick(100_000)
    t.equal(found, null)
    t.match(node, { DrainStrategy: { Deadline: 0 }, LastDrain: { Status: 'draining' } })
    fake.finish(ID)
    t.equal(await proveEmpty(nomad, node.ID), 'busy', 'Nomad does not look at its end')
    await clock.tick(30_000)
    t.equal(await waiting, 'empty', 'until the drain is changed')
  },
)

t.test(
  'F37: a node without work is proven empty when what was decided before its drain would show',
  async (t) => {
    const { clock, fake, node, nomad, change, drain } = aNode()
    await drain()
    let found: string | null = null
    const options = { clock, signal: new AbortController().signal }
    const waiting = waitUntilEmpty(nomad, node.ID, options).then((proof) => (found = proof))
    await clock.tick(1000)
    const late = fake.run(node, 'late')
    change()
    await clock.tick(10_000)
    t.equal(found, null)
    fake.finish(late.ID)
    change()
    await clock.tick(0)
    t.equal(await waiting, 'empty')
  },
)

t.test('a drain is told apart in lists as well, which have no strategy', (t) => {
  const listed = { Drain: true, SchedulingEligibility: 'ineligible' } as const
  const facts = { isEligible: false, isDraining: true, isDrained: false }
  t.same(drainFactsOf({ ...listed, LastDrain: { Status: 'complete' } }), facts)
  const over: Partial<NomadNode> = { LastDrain: { Status: 'complete' } }
  t.match(drainFactsOf({ ...listed, ...over, Drain: false }), { isDrained: true })
  t.match(drainFactsOf({ ...listed, Drain: false }), { isDrained: false, isDraining: false })
  const back = { ...over, Drain: false, SchedulingEligibility: 'eligible' } as const
  t.match(drainFactsOf(back), { isDrained: false }, 'what was complete is of no use any more')
  t.match(doubtOf({ ...facts, isDrained: true }, 2), { kind: 'running', text: /^2 allocations/ })
  t.end()
})
