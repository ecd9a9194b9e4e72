import t from 'tap'
import {
  buildEnvironment,
  interpolateConfig,
} from '../../../../src/dev/nomad-engine/client/environment.ts'
import { toTaskFolders } from '../../../../src/dev/nomad-engine/client/folders.ts'
import { aNode, anAllocation, aStoredJob } from '../builders.ts'

function build(env: Record<string, string>, host: Record<string, string> = {}) {
  const job = aStoredJob('job', { task: { Env: env }, job: { Meta: { 'a-b': 'x' } } })
  const allocation = anAllocation(job)
  const [group] = job.TaskGroups
  const [task] = group?.Tasks ?? []
  if (group === undefined || task === undefined) throw new Error('the job has no task')
  const folders = toTaskFolders('/data', allocation.ID, task.Name)
  return buildEnvironment({ allocation, group, task, node: aNode(), folders, host })
}

t.test('the client passes its environment on, its own secrets and allocation excepted', (t) => {
  const host = { HOME: '/root', VAULT_TOKEN: 's', AWS_SECRET_ACCESS_KEY: 's', NOMAD_ALLOC_ID: 'x' }
  const environment = build({ HOME: '/own' }, host)
  t.equal(environment['HOME'], '/own')
  t.notOk(Object.values(environment).includes('s'))
  t.not(environment['NOMAD_ALLOC_ID'], 'x')
  t.end()
})

t.test('references are resolved where they are known, and left alone elsewhere', (t) => {
  const environment = build(
    {
      A: '${node.class}/${ NOMAD_TASK_NAME }',
      B: '${A}${C}',
      C: '${HOME}',
      D: '${env.HOME}${meta.none}$HOME',
    },
    { HOME: '/root' },
  )
  t.match(environment, {
    A: 'linux-64bit/main',
    B: 'linux-64bit/main${C}',
    C: '/root',
    D: '${env.HOME}${meta.none}$HOME',
    NOMAD_META_A_B: 'x',
    NOMAD_META_a_b: 'x',
  })
  t.end()
})

t.test('a configuration must name only what there is', (t) => {
  const environment = { HOME: '/root' }
  const config = { command: '${env.HOME}/x', args: ['${node.class}', 7, ['${HOME}']] }
  t.same(interpolateConfig(config, environment, aNode()), {
    ok: true,
    value: { command: '/root/x', args: ['linux-64bit', 7, ['/root']] },
  })
  t.same(interpolateConfig({ args: ['${nope}'] }, environment, aNode()), {
    ok: false,
    unknown: 'nope',
  })
  t.end()
})
