/** What a look plans must not wait for a Nomad that hangs: new hooks are seen by the next look alone. */
import t from 'tap'
import { boundNomad } from '../../src/fleet/bounded-nomad.ts'
import { sleep, TestClock } from '../../src/platform/index.ts'
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
  )
  const first = nomad.readNode(ID)
  await clock.tick(6000)
  t.equal((await first)?.ID, ID)
  slowMs = 600_000
  const hangs = t.rejects(nomad.readNode(ID), { message: /deadline passed/ })
  await clock.tick(4000)
  await hangs
  const late = { message: /^Nomad took 10 s/ }
  await t.rejects(nomad.nodeAllocations(ID, { namespace: '*' }), late)
  await t.rejects(nomad.drainNode(ID, null), late)
  await t.rejects(nomad.purgeNode(ID), late)
  t.notOk(fake.nodes.get(ID)?.DrainStrategy)
})
