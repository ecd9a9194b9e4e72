import t from 'tap'
import { CaravanError } from '../../src/model/index.ts'
import { TestClock } from '../../src/platform/index.ts'
import { createCluster } from '../../src/scheduler/cluster.ts'
import { FakeCluster } from './support/cluster.ts'

t.test('whether placing is held is asked once for all slices, and again later', async (t) => {
  const nomad = new FakeCluster()
  const clock = new TestClock()
  let asked = 0
  nomad.schedulerConfiguration = () => {
    asked += 1
    return Promise.resolve({ SchedulerAlgorithm: 'binpack', PauseEvalBroker: true })
  }
  const cluster = createCluster({ nomad, datacenters: ['*'], clock })
  t.same(await Promise.all([cluster.isPaused(), cluster.isPaused()]), [true, true])
  t.equal(asked, 1)
  nomad.schedulerConfiguration = () => Promise.resolve({ SchedulerAlgorithm: 'spread' })
  t.equal(await cluster.isPaused(), true)
  await clock.tick(5001)
  t.equal(await cluster.isPaused(), false)
})

t.test('a token that may not know it sees no pause; any other failure is one', async (t) => {
  const nomad = new FakeCluster()
  const cluster = createCluster({ nomad, datacenters: ['*'], clock: new TestClock() })
  const fail = (code: 'NOMAD_FORBIDDEN' | 'NOMAD_UNREACHABLE') => {
    nomad.schedulerConfiguration = () => Promise.reject(new CaravanError(code, 'no'))
  }
  fail('NOMAD_UNREACHABLE')
  await t.rejects(cluster.isPaused(), { code: 'NOMAD_UNREACHABLE' })
  fail('NOMAD_FORBIDDEN')
  t.equal(await cluster.isPaused(), false)
})
