/** A recommendation of EC2, as the daemon on the instance hears and tells it. */
import t from 'tap'
import { TOLD } from '../../../src/fleet/drain-mark.ts'
import { aSimulatedJob, eventually, untilStatus } from '../../dev/nomad-engine/support.ts'
import { startInstance } from '../support/instance.ts'

const HINT = JSON.stringify({ noticeTime: '2026-01-01T00:01:00Z' })

type Machine = Awaited<ReturnType<typeof startInstance>>

const nodeOf = ({ nomad, nodeId }: Machine) => nomad.readNode(nodeId)
const reasonOf = async (machine: Machine) =>
  (await nodeOf(machine))?.LastDrain?.Meta?.['caravan_reason']

/** Until the daemon has looked at everything twice more. */
async function someLooks({ metadata, events }: Machine): Promise<void> {
  for (const target of ['Pending', 'InService', 'Pending', 'InService']) {
    const before = events.length
    metadata.target = target
    const isTold = () => events.slice(before).some((event) => event.type === 'target')
    await eventually(isTold, `the target ${target}`, 30_000)
  }
}

t.test('F66: a hint alone is told, and takes nothing out', async (t) => {
  const machine = await startInstance(t)
  machine.metadata.rebalance = HINT
  machine.startDaemon()
  t.match(await machine.until('rebalance'), { since: '2026-01-01T00:01:00.000Z' })
  await someLooks(machine)
  t.equal((await nodeOf(machine))?.SchedulingEligibility, 'eligible')
  t.notOk(machine.events.some(({ type }) => type === 'drain'))
})

t.test('F66: told to, it cordons once, and what runs goes on', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.metadata.rebalance = HINT
  const first = machine.startDaemon({ cordonsAtRisk: true })
  await machine.until('drain')
  t.equal((await nodeOf(machine))?.SchedulingEligibility, 'ineligible')
  t.equal(await reasonOf(machine), TOLD.atRisk)
  t.match(await machine.allocations('build'), [{ ClientStatus: 'running' }])
  first.abort.abort()
  await first.done
  machine.events.length = 0
  machine.startDaemon({ cordonsAtRisk: true })
  await machine.until('rebalance')
  await someLooks(machine)
  t.equal((await nodeOf(machine))?.SchedulingEligibility, 'ineligible', 'another one keeps it')
  // As a controller does that has no other machine.
  await machine.nomad.drainNode(machine.nodeId, null, { markEligible: true })
  await someLooks(machine)
  t.equal((await nodeOf(machine))?.SchedulingEligibility, 'eligible', 'once')
})

t.test('a notice after the hint is told in its place', async (t) => {
  const machine = await startInstance(t)
  await machine.register(aSimulatedJob('build'))
  await untilStatus(machine, 'build', 'running')
  machine.metadata.rebalance = HINT
  machine.startDaemon({ cordonsAtRisk: true })
  await machine.until('drain')
  const time = new Date(Date.now() + 100_000).toISOString()
  machine.metadata.spot = JSON.stringify({ action: 'terminate', time })
  await machine.until('spot_notice')
  await eventually(async () => (await reasonOf(machine)) === TOLD.interrupted, 'that it is told')
  t.equal((await nodeOf(machine))?.SchedulingEligibility, 'ineligible')
})
