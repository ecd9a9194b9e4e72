import t from 'tap'
import { formatProblem, isCaravanError, type Problem } from '../../../src/model/index.ts'
import { loadTemplate, renderJob } from '../../../src/scheduler/template/index.ts'

interface Parts {
  top?: string
  job?: string
  group?: string
  task?: string
  env?: string
}

/** A template that is fine, with one thing more at one place; that thing stands on line 2 of its text. */
function templateWith({ top = '', job = '', group = '', task = '', env = '' }: Parts): string {
  return `
${top}
variable "name" { default = "a" }
variable "list" {
  type    = list(string)
  default = ["a"]
}
job "x" {
  type = "batch"
  ${job}
  group "g" {
    ${group}
    task "t" {
      driver = "raw_exec"
      config {
        command = "c"
      }
      ${task}
      env {
        ${env}
      }
    }
  }
}
`
}

async function problemsOf(work: Promise<unknown>): Promise<string[]> {
  try {
    await work
    return []
  } catch (error) {
    if (!isCaravanError(error, 'TEMPLATE_INVALID')) throw error
    return (error.detail['problems'] as Problem[]).map(formatProblem)
  }
}

function refuse(parts: Parts): Promise<string[]> {
  return problemsOf(loadTemplate(templateWith(parts), 'x.nomad.hcl'))
}

const AT = {
  top: 'x.nomad.hcl:2',
  job: 'x.nomad.hcl:10: job.x',
  group: 'x.nomad.hcl:12: job.x.group.g',
  task: 'x.nomad.hcl:18: job.x.group.g.task.t',
  env: 'x.nomad.hcl:20: job.x.group.g.task.t.env',
}

t.test('the template around the cases is fine', async (t) => {
  t.same(await refuse({}), [])
})

t.test('what can not be evaluated is refused with path and line', async (t) => {
  const cases: [written: string, problem: string][] = [
    ['K = local.x', 'local.x is a local value; use a variable'],
    ['K = "${local.x}"', 'local.x is a local value; use a variable'],
    ['K = upper(var.name)', 'upper(var.name) calls a function'],
    ['K = "a${lower("x")}"', 'lower("x") calls a function'],
    ['K = var.name == "a" ? "b" : "c"', 'var.name == "a" ? "b" : "c" takes a part of a variable'],
    ['K = true ? "b" : "c"', 'true ? "b" : "c" is a condition'],
    ['K = [for x in var.list : x]', '[for x in var.list : x] is a for expression'],
    ['K = var.list[0]', 'var.list[0] takes a part of a variable; use a variable of its own'],
    ['K = "%{ if true }a%{ endif }"', '%{ if true } is a directive'],
    ['K = "$${x}"', '$${ is an escape'],
    ['K = "%%{x}"', '%%{ is an escape'],
    ['K = "${~ var.name }"', '~ var.name strips white space; leave out the ~'],
    ['K = (1)', '(1) is in parentheses; leave them out'],
    ['K = 1 + 2', '1 + 2 is an expression, and templates are not evaluated'],
    ['K = foo', 'foo is an expression, and templates are not evaluated'],
    ['K = "${unique.name}"', 'unique.name is an expression, and templates are not evaluated'],
    ['K = "${attr.x == 1}"', 'attr.x == 1 is no plain reference such as attr.kernel.name'],
    ['K = "${ attr.x }"', 'attr.x has white space around it, which Nomad keeps; leave it out'],
    ['K = var.missing', 'var.missing is not declared; add variable "missing" { ... }'],
    ['K = "a${var.missing}"', 'var.missing is not declared; add variable "missing" { ... }'],
    ['K = "${attr.x}}"', 'has a } right after a ${...} that Nomad resolves; Nomad would double it'],
    [
      'K = 12345678901234567890',
      '12345678901234567890 is too long for a number; write it as a text',
    ],
    ['K = 0.12345678901234567890', '0.12345678901234567890 is too long for a number'],
  ]
  for (const [written, problem] of cases) {
    const found = await refuse({ env: written })
    t.match(found[0], `${AT.env}.K: ${problem}`, written)
  }
})

t.test('unknown names are refused, with the known one that is near', async (t) => {
  const cases: [parts: Parts, problem: string][] = [
    [{ job: 'priorty = 5' }, `${AT.job}.priorty: is unknown; did you mean priority?`],
    [{ group: 'restarts {}' }, `${AT.group}.restarts: is unknown; did you mean restart?`],
    [{ task: 'resource {}' }, `${AT.task}.resource: is unknown; did you mean resources?`],
    [{ task: 'constructor = 5' }, `${AT.task}.constructor: is unknown`],
    [{ job: 'periodic {}' }, `${AT.job}.periodic: is not supported here: a slice runs once`],
    [{ task: 'dynamic "a" {}' }, `${AT.task}.dynamic: is not supported here: write the block out`],
    [{ group: 'count {}' }, `${AT.group}.count: is an attribute; write count = ...`],
    [{ task: 'logs = {}' }, `${AT.task}.logs: is a block; write logs { ... }`],
    [{ env: 'A {}' }, `${AT.env}.A: is a block; write A = ...`],
    [{ group: 'task {}' }, `x.nomad.hcl:13: "task" has 1 labels here and 0 on line 12`],
    [{ group: 'restart "x" {}' }, `${AT.group}.restart.x: write restart { ... }`],
    [{ group: 'volume {}' }, `${AT.group}.volume: write volume "name" { ... }`],
    [{ top: 'locals {}' }, `${AT.top}: locals: is not supported; use variable blocks`],
    [{ top: 'variables {}' }, `${AT.top}: variables: is not supported; write variable "name"`],
    [
      { top: 'x = 1' },
      `${AT.top}: x: has no place here; a template has variable blocks and one job`,
    ],
    [{ top: 'job "y" {}' }, 'x.nomad.hcl:8: job.x: is a second job; the first is on line 2'],
  ]
  for (const [parts, problem] of cases) {
    t.match((await refuse(parts))[0], problem, JSON.stringify(parts))
  }
})

t.test('what may stand once is refused the second time', async (t) => {
  t.same(await refuse({ group: 'restart {}\n    restart {}' }), [
    'x.nomad.hcl:13: job.x.group.g.restart: is already there, on line 12',
  ])
  t.same(await refuse({ job: 'group "g" {\n    task "u" {}\n  }' }), [
    'x.nomad.hcl:13: job.x.group.g: is already there, on line 10',
  ])
  t.same(await refuse({ top: 'variable "name" { default = "b" }' }), [
    'x.nomad.hcl:3: variable.name: is already declared on line 2',
  ])
})

t.test('values that do not fit are refused with what would', async (t) => {
  const cases: [parts: Parts, problem: string][] = [
    [{ job: 'priority = "high"' }, `${AT.job}.priority: expected a number, not "high"`],
    [{ job: 'priority = 1.5' }, `${AT.job}.priority: expected a whole number, not 1.5`],
    [{ job: 'priority = var.name' }, `${AT.job}.priority: expected a number, not "a"`],
    [{ job: 'datacenters = "dc1"' }, `${AT.job}.datacenters: expected a list, not "dc1"`],
    [{ job: 'datacenters = [["a"]]' }, `${AT.job}.datacenters: expected a text, not ["a"]`],
    [{ job: 'all_at_once = "yes"' }, `${AT.job}.all_at_once: expected true or false, not "yes"`],
    [{ task: 'kill_timeout = "30"' }, `${AT.task}.kill_timeout: expected a duration such as "30s"`],
    [{ task: 'kill_timeout = "1d"' }, `${AT.task}.kill_timeout: expected a duration such as "30s"`],
    [{ task: 'kill_timeout = ""' }, `${AT.task}.kill_timeout: expected a duration such as "30s"`],
    [{ task: 'user = ["a"]' }, `${AT.task}.user: expected a text, not ["a"]`],
    [{ task: 'user = "a${var.list}"' }, `${AT.task}.user: var.list: expected a text, not ["a"]`],
    [{ task: 'meta = { a = [1] }' }, `${AT.task}.meta: expected a text, not [1]`],
    [
      { task: 'meta = { "${var.name}" = 1 }' },
      `${AT.task}.meta: the key \${var.name} must be literal`,
    ],
    [{ job: 'id = ""' }, `${AT.job}.id: must not be empty`],
    [{ job: 'group "h" {}' }, `${AT.job}.group.h: has no task`],
  ]
  for (const [parts, problem] of cases) {
    t.match((await refuse(parts))[0], problem, JSON.stringify(parts))
  }
  const bare = 'job "x" {\n  group "g" {\n    task "t" {}\n  }\n}\n'
  t.same(await problemsOf(loadTemplate(bare, 'x.nomad.hcl')), [
    'x.nomad.hcl:1: job.x.type: must be there; slices are "batch"',
    'x.nomad.hcl:3: job.x.group.g.task.t.driver: must be there',
    'x.nomad.hcl:3: job.x.group.g.task.t.config: must be there',
  ])
})

t.test('declarations of variables are checked', async (t) => {
  const cases: [body: string, problem: string][] = [
    ['type = string', 'has no default; with one, "nomad job validate" works on the template'],
    ['default = upper("x")', 'must be literal'],
    ['default = var.name', 'must be literal'],
    ['default = ["${attr.x}"]', 'must be literal'],
    ['default = "x"\ntype = "string"', 'expected string, number, bool, list(...) or map(...)'],
    ['default = "x"\ntype = any', 'expected string, number, bool, list(...) or map(...)'],
    ['default = "x"\ntype = number', 'expected a number, not "x"'],
    ['default = "x"\ntype = list(string)', 'expected a list, not "x"'],
    ['default = [[1]]\ntype = list(number)', 'expected a number, not [1]'],
    [
      'default = "x"\nsensitive = true',
      'a variable has type, default, description, and nothing else',
    ],
    [
      'default = "x"\nvalidation {\n}',
      'a variable has type, default, description, and nothing else',
    ],
  ]
  for (const [body, problem] of cases) {
    const [found] = await refuse({ top: `variable "v" {\n${body}\n}` })
    t.match(found, /^x\.nomad\.hcl:[2-5]: variable\.v/, body)
    t.ok(found?.includes(problem), `${found} has: ${problem}`)
  }
  t.match((await refuse({ top: 'variable {}' }))[0], 'has 1 labels here and 0 on line 2')
})

t.test('all problems are told at once, in the order of the file', async (t) => {
  const found = await refuse({
    top: 'variable "v" { type = string }',
    job: 'priorty = 5',
    group: 'periodic {}',
    env: 'A = local.a\n        B = "$${b} ${upper("c")}"',
  })
  t.same(
    found.map((line) => /^x\.nomad\.hcl:\d+: \S+:/.exec(line)?.[0]),
    [
      `${AT.top}: variable.v:`,
      `${AT.job}.priorty:`,
      `${AT.group}.periodic:`,
      `${AT.env}.A:`,
      'x.nomad.hcl:21: job.x.group.g.task.t.env.B:',
      'x.nomad.hcl:21: job.x.group.g.task.t.env.B:',
    ],
  )
})

t.test('a syntax error is a problem of the template', async (t) => {
  t.same(await refuse({ group: 'count = 1 2' }), [
    'x.nomad.hcl:12: "count": 1 2 is no HCL value; texts stand in double quotes',
  ])
})

t.test('values are checked against their declarations when a job is rendered', async (t) => {
  const source = templateWith({ env: 'A = var.name\n        B = "${var.name}-${var.list}"' })
  t.match(await problemsOf(loadTemplate(source, 'x.nomad.hcl')), [
    /env\.B: var\.list: expected a text/,
  ])
  const template = await loadTemplate(
    templateWith({ job: 'datacenters = var.list' }),
    'x.nomad.hcl',
  )
  const render = (values: Record<string, string | string[][]>) =>
    problemsOf(Promise.resolve().then(() => renderJob(template, values)))
  t.same(await render({ name: 'b' }), [])
  t.same(await render({ nmae: 'b' }), [
    'x.nomad.hcl:1: variable.nmae: is given a value, but not declared',
  ])
  t.same(await render({ list: 'b' }), [
    'x.nomad.hcl:4: variable.list: as list(string): expected a list, not "b"',
  ])
  t.same(await render({ list: [['b']] }), [
    'x.nomad.hcl:4: variable.list: as list(string): expected a text, not ["b"]',
  ])
})
