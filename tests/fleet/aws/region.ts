/** A region on a real clock, and the `aws` command pointed at it. */
import { execFile } from 'node:child_process'
import { delimiter } from 'node:path'
import type { Test } from 'tap'
import { startAwsEmulator } from '../../../src/dev/index.ts'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { eventually } from '../../dev/nomad-engine/support.ts'
import { COMMANDS } from './python.ts'

/** Version 1 of the command, the one on PyPI, has this code for whatever goes wrong. */
const REFUSED = 255

/** Python has to compile all of it the first time. */
const COMMAND_MS = 60_000

interface Ran {
  code: number
  stdout: string
  stderr: string
}

export type Region = Awaited<ReturnType<typeof startRegion>>

/** Its calls fail the test unless they succeed; `refused` does when one does. */
export async function startRegion(t: Test) {
  const region = await startAwsEmulator({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    bootMs: 50,
    shutdownMs: 100,
    passMs: 20,
    rate: null,
  })
  t.teardown(() => region.close())
  const env = {
    PATH: [COMMANDS, process.env['PATH']].join(delimiter),
    AWS_ENDPOINT_URL: region.endpoint,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  }
  const run = (program: string, args: readonly string[]) =>
    new Promise<Ran>((resolve) => {
      execFile(program, args, { env, timeout: COMMAND_MS }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
      })
    })
  const aws = (...args: string[]) => run('aws', args)
  const done = async (...args: string[]) => {
    const ran = await aws(...args)
    t.equal(ran.code, 0, `${args.slice(0, 2).join(' ')} ${ran.stderr}`)
    return ran.stdout
  }
  const groups = (action: string, ...args: string[]) => done('autoscaling', action, ...args)
  const asked = async <Answer>(...args: string[]) => JSON.parse(await done(...args)) as Answer
  const refused = async (...args: string[]) => {
    const ran = await aws(...args)
    t.equal(ran.code, REFUSED, `${args.join(' ')} ${ran.stdout}`)
    return ran.stderr.trim()
  }
  const states = () => {
    const { AutoScalingInstances } = region.aws.order(
      'autoscaling',
      'DescribeAutoScalingInstances',
      {},
    ) as { AutoScalingInstances: { InstanceId: string; LifecycleState: string }[] }
    return AutoScalingInstances.map(({ InstanceId, LifecycleState }) => ({
      id: InstanceId,
      state: LifecycleState,
    }))
  }
  const until = (...wanted: string[]) =>
    eventually(
      () =>
        states()
          .map(({ state }) => state)
          .sort()
          .join() === wanted.sort().join(),
      `instances to be ${wanted.join()}`,
      30_000,
    )
  const shell = (script: string) => run('sh', ['-euc', script])
  return { ...region, aws, done, groups, asked, refused, states, until, shell }
}
