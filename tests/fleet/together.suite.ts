/** Everything that looks after hooks at once, each as its own process; and one after the other. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DemandAnswer } from '../../src/model/index.ts'
import { eventually } from '../dev/nomad-engine/support.ts'
import { serve } from '../support/serve.ts'
import { GROUP, startBusyFarm } from './support/farm.ts'

const SETTINGS = `
pool "linux" {
  group    = "${GROUP}"
  region   = "us-east-1"
  max      = 1
  idle_off = "1h"
  instance = { vcpu = 16, memory = 65536 }
}
`

const NOTHING: DemandAnswer = {
  at: new Date(0).toISOString(),
  classes: [],
  slices: [],
  omitted: 0,
}

/** A machine that runs the job `build`, and a controller's environment. */
async function aFarm(t: Test) {
  const { farm, instance } = await startBusyFarm(t)
  const server = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(NOTHING))
  })
  const settings = join(farm.dataDir, 'fleet.hcl')
  writeFileSync(settings, SETTINGS)
  const env = { CARAVAN_SETTINGS: settings, CARAVAN_SERVER: server, CARAVAN_DATA: 'controller' }
  let beats = 0
  const closings: string[] = []
  farm.aws.subscribe((event) => {
    if (event.type === 'heartbeat') beats += 1
    if (event.type === 'action-closed') closings.push(event.by)
  })
  const startController = async () => {
    const controller = farm.start(['run', '--json'], env)
    await controller.firstLine
    return controller
  }
  const untilDrained = () =>
    eventually(
      async () => {
        const node = await farm.get<{ Drain: boolean }>(`/v1/node/${farm.nodeOf(instance)}`)
        return node.Drain
      },
      'the drain',
      30_000,
    )
  return { farm, instance, closings, beats: () => beats, startController, untilDrained }
}

t.test(
  'F16: controller, daemon and scripts see the same hook, and it is completed once',
  async (t) => {
    const { farm, instance, closings, beats, startController, untilDrained } = await aFarm(t)
    await startController()
    await farm.start(['lifecycle', '--self', '--json']).firstLine
    farm.terminate(instance)
    await farm.untilState(instance, 'Terminating:Wait')
    // As a message that is delivered again and again begins a script each time.
    const drains = [1, 2].map(() =>
      farm.start(['drain', '--instance', instance, '--wait', '--heartbeat', '--json']),
    )
    await untilDrained()
    await eventually(() => beats() >= 4, 'beats of all of them', 30_000)
    t.equal(farm.stateOf(instance), 'Terminating:Wait')
    await farm.send('DELETE', '/v1/job/build')
    for (const drain of drains) {
      const { code, stderr } = await drain.ended
      t.equal(code, 0, stderr)
    }
    const completions = [1, 2].map(() => farm.fleet('complete', '--instance', instance))
    for (const { code, stderr } of await Promise.all(completions)) t.equal(code, 0, stderr)
    await farm.untilState(instance, null)
    t.same(closings, ['complete'])
  },
)

t.test('F26: a controller that is killed in the middle of a drain is followed', async (t) => {
  const { farm, instance, closings, beats, startController, untilDrained } = await aFarm(t)
  const first = await startController()
  farm.terminate(instance)
  await untilDrained()
  await eventually(() => beats() > 0, 'a beat', 30_000)
  first.child.kill('SIGKILL')
  await first.ended
  const before = beats()
  await startController()
  await eventually(() => beats() > before, 'a beat of the next one', 30_000)
  t.equal(farm.stateOf(instance), 'Terminating:Wait')
  await farm.send('DELETE', '/v1/job/build')
  await farm.untilState(instance, null)
  t.same(closings, ['complete'])
})
