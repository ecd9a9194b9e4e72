import fc from 'fast-check'
import t from 'tap'
import { createBuildId } from '../../../src/model/index.ts'
import { createOrders, type Ordered } from '../../../src/scheduler/agents/orders.ts'
import { keyOf } from '../../../src/scheduler/open-slices.ts'
import { createFollowers } from '../../../src/scheduler/output/index.ts'
import { agentOf, unwrap } from '../support/agent.ts'
import { aRequest, startScheduler } from '../support/scheduler.ts'

const SLICE: Ordered = {
  build_id: createBuildId(0, Buffer.alloc(8, 1)),
  slice_index: 0,
  cancel_reason: null,
  state: 'running',
}

t.test('the pace follows who follows, and reaches an agent that waits for orders', async (t) => {
  const { scheduler, cluster } = await startScheduler(t)
  await scheduler.submit(aRequest({}, ['one']))
  const agent = await agentOf(cluster, scheduler)
  await agent.begin()
  const { signal } = new AbortController()
  const poll = async (seen: number) =>
    unwrap(await scheduler.agents.control(agent.caller, { seen, waitMs: 30_000 }, signal)).control
  const first = unwrap(await agent.claim()).control
  t.match(first, { version: 1, flush_ms: 2000 })

  const waiting = poll(first.version)
  const watch = new AbortController()
  const events = scheduler.follow('1', { output: true }, watch.signal)[Symbol.asyncIterator]()
  await events.next()
  const watched = await waiting
  t.match(watched, { flush_ms: 250, action: 'none' })

  const waitingAgain = poll(watched.version)
  watch.abort()
  await events.return?.()
  const alone = await waitingAgain
  t.match(alone, { flush_ms: 2000, action: 'none' })
  t.ok(alone.version > watched.version)
})

t.test('an agent never takes old orders for the present ones, whoever restarts when', async () => {
  const event = fc.constantFrom('join', 'leave', 'cancel', 'restart', 'poll' as const)
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let followers = createFollowers()
      let orders = createOrders(followers)
      let leave = () => undefined as void
      let slice = SLICE
      let known = orders.of(slice)
      const poll = () => {
        orders.saw(keyOf(slice), known.version)
        const now = orders.of(slice)
        if (now.version > known.version) known = now
      }
      for (const each of events) {
        if (each === 'join') {
          leave()
          leave = followers.join(slice.build_id)
        }
        if (each === 'leave') leave()
        if (each === 'cancel') slice = { ...slice, cancel_reason: 'canceled_by_user' }
        if (each === 'poll') poll()
        if (each === 'restart') {
          followers = createFollowers()
          orders = createOrders(followers)
          leave = () => undefined
        }
      }
      poll()
      const { action, flush_ms } = orders.of(slice)
      return known.action === action && known.flush_ms === flush_ms
    }),
  )
})
