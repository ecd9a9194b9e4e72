/** The example of a hook script, run as somebody's would be. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { eventually } from '../dev/nomad-engine/support.ts'
import { BIN } from '../support/caravan.ts'
import { HOOK, startBusyFarm, startFarm } from './support/farm.ts'

const SCRIPT = fileURLToPath(new URL('../../nomad/lifecycle-hook.sh', import.meta.url))

type Farm = Awaited<ReturnType<typeof startFarm>>

function startScript(t: Test, farm: Farm, ...args: string[]) {
  const { PATH = '' } = process.env
  const child = spawn('bash', [SCRIPT, ...args], {
    env: { PATH, CARAVAN: `${process.execPath} ${BIN}`, TRIES: '5', PAUSE: '1', ...farm.env() },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const kill = async () => {
    try {
      // Its command with it: both are in a group of their own.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    await ended
  }
  t.teardown(kill)
  return { said: () => said, ended, kill }
}

t.test('F1, F7, F8: the script holds an instance until its build is over', async (t) => {
  const { farm, instance } = await startBusyFarm(t)
  farm.terminate(instance)
  await farm.untilState(instance, 'Terminating:Wait')
  farm.faults.add({ action: 'RecordLifecycleActionHeartbeat', fault: 'Throttling', times: 3 })
  farm.faults.add({ action: 'CompleteLifecycleAction', fault: 'Throttling', times: 4 })
  const script = startScript(t, farm, instance)
  await eventually(() => script.said().includes('1 still run'), 'that it waits', 30_000)
  t.equal(farm.stateOf(instance), 'Terminating:Wait')
  await farm.send('DELETE', '/v1/job/build')
  t.equal(await script.ended, 0, script.said())
  t.match(script.said(), /completed with CONTINUE\n.*goes on/s)
  await farm.untilState(instance, null)
  const again = startScript(t, farm, instance, HOOK)
  t.equal(await again.ended, 0, again.said())
})

t.test('F26: a script that was killed is followed by one that finishes', async (t) => {
  const { farm, instance } = await startBusyFarm(t)
  farm.terminate(instance)
  await farm.untilState(instance, 'Terminating:Wait')
  const first = startScript(t, farm, instance)
  await eventually(() => first.said().includes('1 still run'), 'that it waits', 30_000)
  await first.kill()
  const second = startScript(t, farm, instance)
  await eventually(() => second.said().includes('1 still run'), 'that it waits again', 30_000)
  await farm.send('DELETE', '/v1/job/build')
  t.equal(await second.ended, 0, second.said())
  await farm.untilState(instance, null)
})

t.test('what trying again does not cure ends the script', async (t) => {
  const farm = await startFarm(t)
  const nobody = startScript(t, farm)
  t.equal(await nobody.ended, 1)
  t.match(nobody.said(), /usage/)
  const [instance = ''] = farm.instances()
  const wrong = startScript(t, farm, instance, 'no-such-hook')
  t.equal(await wrong.ended, 2, wrong.said())
})
