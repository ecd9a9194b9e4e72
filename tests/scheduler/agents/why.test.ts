import t from 'tap'
import { whyStopped } from '../../../src/scheduler/agents/control.ts'
import { anAllocation } from '../support/nomad.ts'

t.test('an allocation that was given up with its node is no stop by an operator', async (t) => {
  const job = { Stop: false }
  const node = { Status: 'ready', Drain: false, SchedulingEligibility: 'eligible' } as const
  const stopped = { DesiredStatus: 'stop' } as const
  const lost = anAllocation({ ...stopped, ClientStatus: 'lost' })
  t.equal(whyStopped({ job, allocation: lost, node }), 'node_lost')
  t.equal(whyStopped({ job, allocation: anAllocation(stopped), node }), 'stopped_by_operator')
})
