import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { TIMINGS } from '../../../src/build-agent/timings.ts'
import {
  AUTO_RERUN_DELAY_MAX_MS,
  AUTO_RERUNS_MAX,
  BUILT_IN_CLASSES,
  CONTAINERS_MAX,
  DEFAULT_RESOURCE_CLASS,
  parseDurationMs,
} from '../../../src/model/index.ts'
import { AUTH_KEYS, DOCKER_KEYS } from '../../../src/scheduler/config/docker.ts'
import { VARIABLE_BYTES_MAX } from '../../../src/scheduler/config/environment.ts'
import { EXECUTOR_KEYS } from '../../../src/scheduler/config/executor.ts'
import { JOB_KEYS } from '../../../src/scheduler/config/job.ts'
import { MACHINE_KEYS } from '../../../src/scheduler/config/machine.ts'
import { PROBLEMS_MAX } from '../../../src/scheduler/config/report.ts'
import { JOB_CHARS_MAX } from '../../../src/scheduler/config/scope.ts'
import { CHECKOUT_KEYS, RUN_KEYS } from '../../../src/scheduler/config/run.ts'
import {
  CALLS_DEPTH_MAX,
  COMMAND_KEYS,
  STEPS_MAX,
  STEP_KEYS,
} from '../../../src/scheduler/config/steps.ts'
import { supportedKeys } from '../../../src/scheduler/config/table.ts'
import type { Table } from '../../../src/scheduler/config/table.ts'
import { VERSIONS } from '../../../src/scheduler/config/top-level.ts'
import { NO_OUTPUT_MAX_MS } from '../../../src/scheduler/config/values.ts'
import { YAML_CHARS_MAX } from '../../../src/scheduler/config/yaml.ts'
import { YAML_DEPTH_MAX, YAML_MERGED_MAX } from '../../../src/scheduler/config/yaml-tree.ts'
import { compiled, jobWith, refusals, runStep, runWith } from './support.ts'

const PAGE = readFileSync(join(import.meta.dirname, '../../../docs/reference/config.md'), 'utf8')

function section(title: string): string {
  const found = PAGE.split(/^## /m).find((each) => each.startsWith(`${title}\n`))
  if (found === undefined) throw new Error(`the page has no section ${title}`)
  return found
}

/** Cells of the rows of the section's table, without its head. */
function rows(title: string): string[][] {
  const lines = section(title)
    .split('\n')
    .filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}

/** What stands in backquotes. */
function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
}

function row(title: string, key: string): string[] {
  const found = rows(title).find(([first]) => first === `\`${key}\``)
  if (!found) throw new Error(`the section ${title} has no row for ${key}`)
  return found
}

const TABLES: [string, Table][] = [
  ['Job', JOB_KEYS],
  ['Docker', DOCKER_KEYS],
  ['Auth', AUTH_KEYS],
  ['Executors', EXECUTOR_KEYS],
  ['Commands', COMMAND_KEYS],
  ['Machine', MACHINE_KEYS],
  ['Steps', STEP_KEYS],
  ['Run', RUN_KEYS],
  ['Checkout', CHECKOUT_KEYS],
]

t.test('the page lists exactly the keys that are supported', async (t) => {
  for (const [title, table] of TABLES) {
    const listed = rows(title).flatMap(([key]) => quoted(key ?? ''))
    t.strictSame(listed.sort(), supportedKeys(table).sort(), title)
  }
  t.strictSame(
    rows('Top level').flatMap(([key]) => quoted(key ?? '')),
    ['version', 'jobs'],
  )
})

t.test('the page lists exactly the keys that are refused by name', async (t) => {
  for (const [title, table] of TABLES) {
    const sentence = /^Not supported yet: ([^.]*)\./m.exec(section(title))?.[1] ?? ''
    const supported = supportedKeys(table)
    const refused = Object.keys(table).filter((key) => !supported.includes(key))
    t.strictSame(quoted(sentence).sort(), refused.sort(), title)
  }
})

t.test('the defaults of the page are those of a job that says nothing', async (t) => {
  const job = compiled(jobWith('machine: true\nsteps: [checkout]'))
  const step = runStep(runWith('command: make'))
  const documented = (title: string, key: string) => quoted(row(title, key)[2] ?? '')
  t.strictSame(documented('Job', 'working_directory'), [job.working_directory])
  t.strictSame(documented('Job', 'parallelism'), [`${job.parallelism}`])
  t.strictSame(documented('Job', 'resource_class'), [job.resource_class])
  t.equal(job.resource_class, DEFAULT_RESOURCE_CLASS)
  t.strictSame(documented('Checkout', 'name'), [job.steps[0]?.name])
  t.strictSame(documented('Run', 'when'), [step.when])
  t.match(row('Run', 'max_auto_reruns')[1], `1 to ${AUTO_RERUNS_MAX}.`)
  t.match(section('Docker'), `At most ${CONTAINERS_MAX} containers.`)
  t.match(section('Commands'), `${CALLS_DEPTH_MAX} deep`)
  t.match(section('Run'), `They have ${TIMINGS.onCancelMs / 1000} seconds together`)
  const [delay = ''] = quoted(row('Run', 'auto_rerun_delay')[1] ?? '')
  t.equal(parseDurationMs(delay), AUTO_RERUN_DELAY_MAX_MS)
  t.strictSame(documented('Run', 'background'), [`${step.background}`])
  t.strictSame(
    quoted(row('Job', 'resource_class')[1] ?? ''),
    BUILT_IN_CLASSES.map((each) => each.name),
  )
  t.strictSame(quoted(row('Top level', 'version')[1] ?? ''), VERSIONS)
})

t.test('the limits of the page are those of the code', async (t) => {
  const limits = rows('Limits').map(([, most]) => most ?? '')
  const timeout = limits.splice(-2, 1)[0] ?? ''
  t.equal(parseDurationMs(timeout), NO_OUTPUT_MAX_MS)
  t.strictSame(limits.map(Number), [
    YAML_CHARS_MAX,
    YAML_DEPTH_MAX,
    YAML_MERGED_MAX,
    STEPS_MAX,
    JOB_CHARS_MAX,
    VARIABLE_BYTES_MAX,
    PROBLEMS_MAX,
  ])
})

t.test('the durations and messages that the page shows are real', async (t) => {
  const durations = /\*\*Durations\*\*[^:]*: (.*?)\. A number/.exec(section('Values'))?.[1] ?? ''
  t.ok(quoted(durations).length >= 5)
  for (const written of quoted(durations)) {
    t.type(parseDurationMs(written), 'number', written)
    t.ok(runStep(runWith(`command: x\nno_output_timeout: ${written}`)))
  }
  const file = '.circleci/config.yml'
  const broken = readFileSync(join(import.meta.dirname, '../../../examples/broken', file), 'utf8')
  const shown = /```\n([^`]*`[^]*?)\n```/.exec(PAGE)?.[1]?.split('\n')
  t.strictSame(
    shown,
    refusals(broken).map((problem) => `${file}:${problem}`),
  )
})
