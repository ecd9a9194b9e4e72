import t from 'tap'
import {
  isDestructive,
  isSpecificationChanged,
} from '../../../../src/dev/nomad-engine/jobs/changes.ts'
import { completeJob } from '../../../../src/dev/nomad-engine/jobs/defaults.ts'
import { checkJob, toMultiError } from '../../../../src/dev/nomad-engine/jobs/validate.ts'
import { jobSchema } from '../../../../src/dev/nomad-engine/objects/job.ts'
import { aStoredJob } from '../builders.ts'
import { aJob } from '../support.ts'

const read = (job: object) => completeJob(jobSchema.parse(job))

t.test('what the engine would do differently than Nomad, it refuses by name', (t) => {
  const cases: [more: Parameters<typeof aJob>[2], feature: string][] = [
    [{ job: { Periodic: { Spec: '* * * * *' } } }, 'periodic'],
    [{ job: { ParameterizedJob: { Payload: 'optional' } } }, 'parameterized'],
    [{ group: { Services: [{ Name: 'x' }] } }, 'service'],
    [{ group: { Volumes: { x: {} } } }, 'volume'],
    [{ group: { Networks: [{ Mode: 'bridge' }] } }, 'network mode "bridge"'],
    [{ task: { Templates: [{ EmbeddedTmpl: 'x' }] } }, 'template'],
    [{ task: { Artifacts: [{ GetterSource: 'x' }] } }, 'artifact'],
    [{ task: { Vault: { Policies: ['x'] } } }, 'vault'],
    [{ task: { Lifecycle: { Hook: 'prestart' } } }, 'lifecycle'],
    [{ task: { Resources: { Cores: 2 } } }, 'resources.cores'],
    [{ task: { User: 'nobody' } }, 'user, its tasks run as its own user'],
    [{ group: { Constraints: [{ Operand: 'distinct_property' }] } }, 'distinct_property'],
  ]
  t.same(checkJob(read(aJob('job', 'exit 0'))), [])
  for (const [more, feature] of cases) {
    const [fault, ...others] = checkJob(read(aJob('job', 'exit 0', more)))
    t.match(fault, `does not support ${feature}:`)
    t.same(others, [])
  }
  t.end()
})

t.test('several faults are told together, as Nomad prints them', (t) => {
  t.equal(toMultiError(['a']), '1 error occurred:\n\t* a\n\n')
  t.equal(toMultiError(['a', 'b']), '2 errors occurred:\n\t* a\n\t* b\n\n')
  const faults = checkJob(
    read({
      ID: 'a b',
      Type: 'odd',
      Priority: 500,
      TaskGroups: [{ Name: 'g' }, { Name: 'g', Tasks: [{ Name: 't' }] }, {}],
    }),
  )
  t.match(faults, [
    'Job ID contains a space',
    'Invalid job type: "odd"',
    "Job task group 2 redefines 'g' from group 1",
    'Job task group 3 missing name',
    'Task group g validation failed',
    'Task group g validation failed',
    'Task group  validation failed',
    'job priority must be between [1, 100]',
  ])
  t.end()
})

t.test('a job is the same when it asks for the same, whatever became of it', (t) => {
  const job = aJob('job', 'exit 0')
  const stored = aStoredJob('job', {}, { Status: 'dead', Version: 7, ModifyIndex: 99 })
  t.equal(isSpecificationChanged(stored, read(job)), false)
  t.equal(isSpecificationChanged(stored, read({ ...job, Priority: 60 })), true)
  const [plain, other] = [stored, aStoredJob('job', { job: { Priority: 60 } })]
  t.equal(isDestructive(plain, other, 'slice'), false)
  t.equal(isDestructive(plain, aStoredJob('job', { job: { Meta: { a: 'b' } } }), 'slice'), true)
  t.equal(isDestructive(plain, aStoredJob('job', { task: { Env: { A: 'b' } } }), 'slice'), true)
  t.equal(isDestructive(plain, other, 'another group'), true)
  t.end()
})
