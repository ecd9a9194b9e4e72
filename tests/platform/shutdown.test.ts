import t from 'tap'
import { TestClock, createShutdown, silentLog } from '../../src/platform/index.ts'

t.test(
  'parts close newest first, once, and a fault of one does not keep the rest open',
  async (t) => {
    const closed: string[] = []
    const shutdown = createShutdown(new TestClock(), silentLog)
    shutdown.add('store', async () => closed.push('store'))
    shutdown.add('loop', () => Promise.reject(new Error('fault')))
    shutdown.add('api', async () => closed.push('api'))
    await Promise.all([shutdown.close(), shutdown.close()])
    t.same(closed, ['api', 'store'])
  },
)

t.test('a part that never stops does not hold up the end', async (t) => {
  const clock = new TestClock()
  const closed: string[] = []
  const shutdown = createShutdown(clock, silentLog)
  shutdown.add('first', async () => closed.push('first'))
  shutdown.add('stuck', () => new Promise(() => undefined))
  const done = shutdown.close()
  await clock.tick(5000)
  await done
  t.same(closed, ['first'])
})
