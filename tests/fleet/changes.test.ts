/** What a look plans must not hold up the next one, which alone sees new hooks. */
import t from 'tap'
import { beginChanges, boundNomad } from '../../src/fleet/changes.ts'
import { silentLog, sleep, TestClock } from '../../src/platform/index.ts'
import { FakeNomad } from './support/nomad.ts'

t.test('all changes of a look together wait for so long', async (t) => {
  const clock = new TestClock()
  const fake = new FakeNomad(clock)
  const { ID } = fake.add({ instanceId: 'i-0' })
  let slowMs = 6000
  const nomad = boundNomad(
    {
      readNode: async (id, options) => {
        await sleep(clock, slowMs, options?.signal)
        options?.signal?.throwIfAborted()
        return fake.readNode(id)
      },
      nodeAllocations: (id) => fake.nodeAllocations(id),
      drainNode: (id, drain, options) => fake.drainNode(id, drain, options),
      purgeNode: (id) => fake.purgeNode(id),
    },
    clock,
    clock.monotonic() + 10_000,
  )
  const first = nomad.readNode(ID)
  await clock.tick(6000)
  t.equal((await first)?.ID, ID)
  slowMs = 600_000
  const hangs = t.rejects(nomad.readNode(ID), { message: /deadline passed/ })
  await clock.tick(4000)
  await hangs
  const late = { message: /^there is no time left/ }
  await t.rejects(nomad.nodeAllocations(ID, { namespace: '*' }), late)
  await t.rejects(nomad.drainNode(ID, null), late)
  await t.rejects(nomad.purgeNode(ID), late)
  t.notOk(fake.nodes.get(ID)?.DrainStrategy)
})

t.test('what has not begun by then is put off', async (t) => {
  const clock = new TestClock()
  const nomad = new FakeNomad(clock)
  const { ID: nodeId } = nomad.add({ instanceId: 'i-0' })
  const awsOf = () => t.fail('AWS is not asked') as never
  const deps = { clock, nomad, awsOf, now: () => clock.now(), log: silentLog }
  const act = beginChanges(deps, new AbortController().signal)
  const drain = { kind: 'drain', pool: 'linux', instanceId: 'i-0', nodeId, reason: 'r' } as const
  t.match(await act(drain), { kind: 'done' })
  await clock.tick(10_001)
  t.match(await act(drain), { kind: 'refused', text: 'it is put off to the next look' })
})
