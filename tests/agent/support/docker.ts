/** The real Docker Engine for tests: images, tasks in containers, and what is left of them. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import {
  type ContainerSpec,
  type RunStep,
  type Task,
  withContainerSteps,
} from '../../../src/model/index.ts'
import { aTask } from '../../build-agent/support/agent.ts'

const run = promisify(execFile)

/** With bash and git. */
export const APP = 'caravan-example/app:latest'
/** Busybox alone; answers on port 8080 when it is not told otherwise. */
export const SERVICE = 'caravan-example/service:latest'

export const IMAGES_SCRIPT = fileURLToPath(
  new URL('../../../scripts/example-images.sh', import.meta.url),
)

/** Runs the tests of a file when there is a Docker Engine; on a machine of CI there has to be one. */
export async function withDocker(tests: () => void | Promise<void>): Promise<void> {
  try {
    await docker('version', '--format', '{{.Server.Version}}')
    await run('bash', [IMAGES_SCRIPT])
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    if (process.env['CI'] === 'true') t.fail(`Docker is needed in CI: ${why}`)
    else t.pass('', { skip: `NOTHING WAS TESTED: there is no Docker Engine here: ${why}` })
    return
  }
  await tests()
}

/** @returns what the Docker CLI printed. */
export async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args)).stdout.trim()
}

interface ContainerTask extends NonNullable<Parameters<typeof aTask>[0]> {
  primary?: Partial<ContainerSpec>
  services?: (Partial<ContainerSpec> & { image: string })[]
}

/** The steps of the task come after those of its containers: see `firstStep`. */
export function aContainerTask(changes: ContainerTask): Task {
  const { primary, services, ...rest } = changes
  const task = aTask(rest)
  const containers = [{ image: APP, ...primary }, ...(services ?? [])].map((spec) => ({
    environment: {},
    ...spec,
  }))
  const { steps } = withContainerSteps({
    name: 'test',
    executor: { kind: 'docker', containers },
    resource_class: 'small',
    parallelism: 1,
    environment: {},
    working_directory: task.working_directory,
    steps: task.steps,
  })
  const resources = { vcpu: 2, memory_mib: 512, pids: 8192 }
  return { resources, ...task, executor: { kind: 'docker', containers }, steps }
}

/** Index of the first step that the task itself has. */
export function firstStep(task: Task): number {
  return task.steps.findIndex(({ kind }) => kind !== 'environment' && kind !== 'service')
}

export function always(command: string): Partial<RunStep> {
  return { command, when: 'always' }
}

/** Containers and networks that carry our labels. */
export async function leftovers(): Promise<string[]> {
  const label = 'label=io.caravan.agent.pid'
  const [containers, networks] = await Promise.all([
    docker('ps', '--all', '--quiet', '--filter', label),
    docker('network', 'ls', '--quiet', '--filter', label),
  ])
  return [containers, networks].join('\n').split('\n').filter(Boolean)
}
