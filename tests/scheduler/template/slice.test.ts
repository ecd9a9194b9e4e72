import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { formatProblem, isCaravanError, type Problem } from '../../../src/model/index.ts'
import {
  hashJob,
  killTimeoutMsOf,
  loadSliceTemplate,
  META_KEYS,
  renderJob,
  renderSlice,
  SLICE_VARIABLES,
  type SliceValues,
} from '../../../src/scheduler/template/index.ts'

const shipped = readFileSync(
  join(import.meta.dirname, '../../../nomad/jobs/build-slice.nomad.hcl'),
  'utf8',
)

function aSlice(changes: Partial<SliceValues> = {}): Omit<SliceValues, 'spec_hash'> {
  return {
    job_id: '5a4ea06b7d560d000116830f-0-build-acme-shop-1',
    priority: 50,
    datacenters: ['*'],
    node_class: 'linux-64bit',
    cpu: 5000,
    memory: 8704,
    agent_command: '/usr/bin/caravan',
    agent_args: ['build-agent'],
    url: 'http://127.0.0.1:8080',
    install: 'here',
    org: 'acme',
    repo: 'shop',
    branch: 'main',
    sha: '',
    build: '5a4ea06b7d560d000116830f',
    number: 1,
    job: 'test',
    slice: 0,
    parallelism: 4,
    resource_class: 'medium',
    epoch: 1,
    ...changes,
  }
}

async function refuse(source: string): Promise<string[]> {
  try {
    await loadSliceTemplate(source, 'slice.hcl')
    return []
  } catch (error) {
    if (!isCaravanError(error, 'TEMPLATE_INVALID')) throw error
    return (error.detail['problems'] as Problem[]).map(formatProblem)
  }
}

t.test('the shipped template declares the documented variables, and no others', async (t) => {
  const template = await loadSliceTemplate(shipped, 'build-slice.nomad.hcl')
  const declared = template.variables.map(({ name, type, description }) => [
    name,
    { type, meaning: description },
  ])
  t.same(Object.fromEntries(declared), SLICE_VARIABLES)
  for (const variable of template.variables) t.not(variable.default, null, variable.name)
})

t.test('a slice of the shipped template is what operators and the agent expect', async (t) => {
  const template = await loadSliceTemplate(shipped, 'build-slice.nomad.hcl')
  const { job, values } = renderSlice(template, aSlice({ slice: 3, epoch: 2, cpu: 3000 }))
  t.equal(job.ID, '5a4ea06b7d560d000116830f-0-build-acme-shop-1')
  t.match(job, { Name: job.ID, Type: 'batch', Priority: 50, Datacenters: ['*'] })
  t.same(Object.keys(job.Meta ?? {}), META_KEYS)
  t.match(job.Meta, { slice: '3', epoch: '2', number: '1', sha: '', spec_hash: values.spec_hash })
  const [group] = job.TaskGroups
  t.match(group, {
    Name: 'slice',
    Count: 1,
    RestartPolicy: { Attempts: 0, Mode: 'fail' },
    ReschedulePolicy: { Attempts: 0, Unlimited: false },
    Disconnect: { Replace: false },
    Constraints: [{ LTarget: '${node.class}', Operand: '=', RTarget: 'linux-64bit' }],
  })
  t.same(
    group?.Tasks.map((task) => task.Name),
    ['build-agent'],
  )
  t.match(group?.Tasks[0], {
    Driver: 'raw_exec',
    Config: { command: '/usr/bin/caravan', args: ['build-agent'] },
    Env: {
      CARAVAN_SLICE: '5a4ea06b7d560d000116830f-3',
      CARAVAN_EPOCH: '2',
      CARAVAN_INSTALL: 'here',
    },
    Resources: { CPU: 3000, MemoryMB: 8704 },
    KillTimeout: 30_000_000_000,
  })
})

t.test('the spec hash is that of the job without it, and tells slices apart', async (t) => {
  const template = await loadSliceTemplate(shipped, 'build-slice.nomad.hcl')
  const { job, values } = renderSlice(template, aSlice())
  t.same(renderJob(template, { ...values }), job, 'the values alone give the same job again')
  t.equal(values.spec_hash, hashJob(renderJob(template, { ...values, spec_hash: '' })))
  t.equal(renderSlice(template, aSlice()).values.spec_hash, values.spec_hash)
  t.not(renderSlice(template, aSlice({ cpu: 1 })).values.spec_hash, values.spec_hash)
})

t.test('an operator may add to the template and leave variables out', async (t) => {
  const own = shipped
    .replace('leader = true', 'leader = true\n      user = var.user')
    .replace('value     = var.node_class', 'value = "mine"')
    .replace(/variable "node_class" \{[^}]*\}/, 'variable "user" { default = "ci" }')
  const template = await loadSliceTemplate(own, 'own.hcl')
  const { job, values } = renderSlice(template, aSlice())
  t.equal(job.TaskGroups[0]?.Tasks[0]?.User, 'ci')
  t.notOk('node_class' in values, 'only what the template declares is given')
  t.same(renderJob(template, { ...values }), job)
})

t.test(
  'a template whose slices could run twice, or would not be recognised, is refused',
  async (t) => {
    const lineOf = (text: string) =>
      shipped.split('\n').findIndex((line) => line.includes(text)) + 1
    const cases: [from: string, to: string, problem: string][] = [
      ['= var.job_id\n  name', '= "fixed"\n  name', 'job.build-slice.id: must be var.job_id'],
      ['= "batch"', '= "service"', 'job.build-slice.type: must be "batch"'],
      [
        '= var.install\n    org',
        '= "x"\n    org',
        'job.build-slice.meta.install: must be var.install',
      ],
      [
        'attempts = 0\n      mode     = "fail"',
        'attempts = 1\n      mode     = "fail"',
        'job.build-slice.group.slice.restart: must have attempts = 0 and mode = "fail"',
      ],
      [
        'mode     = "fail"',
        'mode     = "delay"',
        'job.build-slice.group.slice.restart: must have attempts = 0 and mode = "fail"',
      ],
      [
        'unlimited = false',
        'unlimited = true',
        'job.build-slice.group.slice.reschedule: must have attempts = 0 and unlimited = false',
      ],
      [
        'replace = false',
        'replace = true',
        'job.build-slice.group.slice.disconnect: must have replace = false',
      ],
      ['count = 1', 'count = 2', 'job.build-slice.group.slice.count: must be 1'],
      [
        'CARAVAN_EPOCH   = var.epoch',
        'CARAVAN_EPOCH = 1',
        'job.build-slice.group.slice.task.build-agent.env.CARAVAN_EPOCH: must be var.epoch',
      ],
    ]
    for (const [from, to, problem] of cases) {
      t.ok(shipped.includes(from), from)
      const [found = '', ...more] = await refuse(shipped.replace(from, to))
      t.equal(found.replace(/^slice\.hcl:\d+: /, ''), problem)
      t.same(more, [])
    }
    const [found = ''] = await refuse(shipped.replace('replace = false', 'replace = true'))
    t.equal(found.split(':')[1], String(lineOf('disconnect {')), 'the line is that of the block')
  },
)

t.test('what is not there is named at the nearest place that is', async (t) => {
  const without = shipped
    .replace(/ {4}restart \{[^}]*\}\n/, '')
    .replace('group "slice" {', 'group "other" {')
  t.same(await refuse(without), [
    `slice.hcl:${lineIn(without, 'job "build-slice"')}: job.build-slice: must have one group, named "slice"`,
  ])
  const bare = shipped
    .replace(/ {4}restart \{[^}]*\}\n/, '')
    .replace('task "build-agent" {', 'task "x" {')
  const line = lineIn(bare, 'group "slice" {')
  t.same(await refuse(bare), [
    `slice.hcl:${line}: job.build-slice.group.slice.restart: must have attempts = 0 and mode = "fail"`,
    `slice.hcl:${line}: job.build-slice.group.slice: must have a task named "build-agent"`,
  ])
  const extra = shipped
    .replace('type        = "batch"', 'type = "batch"\n  namespace = "x"\n  region = "y"')
    .replace('count = 1', 'count = 1\n    max_run_duration = "1h"')
    .replace('leader = true', 'restart {\n        attempts = 3\n      }')
  t.match(await refuse(extra), [
    /namespace: comes from the settings; leave it out/,
    /region: comes from the settings; leave it out/,
    /max_run_duration: comes from the settings; leave it out/,
    /task\.build-agent\.restart: must have attempts = 0 and mode = "fail", as the group has/,
  ])
})

function lineIn(text: string, part: string): number {
  return text.slice(0, text.indexOf(part)).split('\n').length
}

t.test('C-51: the time to the kill is that of the agent in the template', async (t) => {
  const cases = [
    ['kill_timeout = "30s"', 30_000],
    ['kill_timeout = "2m"', 120_000],
    ['', 5000],
  ] as const
  for (const [line, expected] of cases) {
    const text = shipped.replace('kill_timeout = "30s"', line)
    t.equal(killTimeoutMsOf(await loadSliceTemplate(text, 'slice.hcl')), expected, line)
  }
})

t.test('the hash is the same wherever a template puts it, and stands there', async (t) => {
  const kept = shipped.replace('spec_hash      = var.spec_hash', 'spec_hash = var.spec_hash')
  const more = 'CARAVAN_EPOCH   = var.epoch'
  const plain = kept.replace(more, `${more}\n HASH = var.spec_hash`)
  const inText = kept.replace(more, `${more}\n HASH = "hash-\${var.spec_hash}"`)
  for (const [source, prefix] of [
    [plain, ''],
    [inText, 'hash-'],
  ] as const) {
    const template = await loadSliceTemplate(source, 'slice.hcl')
    for (const index of [0, 1]) {
      const { job, values } = renderSlice(template, aSlice({ slice: index }))
      t.strictSame(job, renderJob(template, values))
      t.equal(job.Meta?.['spec_hash'], values.spec_hash)
      t.equal(job.TaskGroups[0]?.Tasks[0]?.Env?.['HASH'], `${prefix}${values.spec_hash}`)
      t.equal(values.spec_hash, hashJob(renderJob(template, { ...values, spec_hash: '' })))
    }
  }
})
