/** Templates of slices: what Caravan relies on in them, and how one is filled in. */
import type { Problem } from '../../model/index.ts'
import type { NomadJob, NomadTask, NomadTaskGroup } from '../../nomad/index.ts'
import { hashJob } from './canonical.ts'
import { invalidTemplate, lineOf, loadTemplate, renderJob, type JobTemplate } from './template.ts'
import { META_KEYS, type SliceValues } from './variables.ts'

const SLICE_GROUP = 'slice'
export const SLICE_TASK = 'build-agent'

/**
 * Reads a template and checks that its jobs are slices: run at most once, recognised by their meta,
 * and carrying what the agent needs.
 *
 * @throws CaravanError TEMPLATE_INVALID with every problem in `detail.problems`.
 */
export async function loadSliceTemplate(text: string, file: string): Promise<JobTemplate> {
  const template = await loadTemplate(text, file)
  const { job, values } = renderSlice(template, PROBE)
  const problems = checkSlice(job, { ...PROBE, spec_hash: '', ...values }).map(
    ({ path, message }): Problem => {
      const place = ['job', template.label, ...path].join('.')
      return { file, line: lineOf(template, place), path: place, message: `${place}: ${message}` }
    },
  )
  if (problems.length > 0) throw invalidTemplate(file, problems)
  return template
}

/**
 * The job of one attempt of a slice.
 *
 * @returns the job and the values it was made with, `spec_hash` among them: with these, `nomad job run
 * -var` on the same file gives the same job.
 * @throws CaravanError TEMPLATE_INVALID when a value does not fit into the template.
 */
export function renderSlice(
  template: JobTemplate,
  given: Omit<SliceValues, 'spec_hash'>,
): { job: NomadJob; values: Partial<SliceValues> } {
  const values = pickDeclared(template, { ...given, spec_hash: '' })
  const job = renderJob(template, values)
  const hash = hashJob(job)
  if (values.spec_hash === undefined) return { job, values }
  const withHash = { ...values, spec_hash: hash }
  const places = hashPlacesOf(template)
  // Thousands of slices start at once: all that differs is put in, in place of making it all again.
  if (places === null) return { job: renderJob(template, withHash), values: withHash }
  for (const place of places) putText(job, place, hash)
  return { job, values: withHash }
}

function pickDeclared(template: JobTemplate, all: SliceValues): Partial<SliceValues> {
  const names = template.variables
    .map(({ name }) => name)
    .filter((name) => Object.hasOwn(all, name))
  return Object.fromEntries(names.map((name) => [name, all[name as keyof SliceValues]]))
}

type Tree = { readonly [key: string]: unknown }

const hashPlaces = new WeakMap<JobTemplate, string[][] | null>()

/** Where the hash stands in a job, as paths; null when it is a part of some longer text. */
function hashPlacesOf(template: JobTemplate): string[][] | null {
  const known = hashPlaces.get(template)
  if (known !== undefined) return known
  const render = (spec_hash: string) =>
    renderJob(template, pickDeclared(template, { ...PROBE, spec_hash }))
  const places = findPlaces(render('probe-hash'), render(''))
  hashPlaces.set(template, places)
  return places
}

function findPlaces(filled: unknown, empty: unknown): string[][] | null {
  if (filled === 'probe-hash' && empty === '') return [[]]
  if (!isTree(filled) || !isTree(empty)) return filled === empty ? [] : null
  const found: string[][] = []
  for (const key of new Set([...Object.keys(filled), ...Object.keys(empty)])) {
    const inner = findPlaces(filled[key], empty[key])
    if (inner === null) return null
    for (const path of inner) found.push([key, ...path])
  }
  return found
}

function putText(tree: object, place: readonly string[], text: string): void {
  const last = place.at(-1) ?? ''
  const parent = place.slice(0, -1).reduce((inner, key) => inner[key] as Tree, tree as Tree)
  Reflect.set(parent, last, text)
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null
}

/** How long Nomad waits between the signal to the agent and its kill. */
export function killTimeoutMsOf(template: JobTemplate): number {
  const { job } = renderSlice(template, PROBE)
  const tasks = job.TaskGroups.flatMap((group) => group.Tasks)
  const timeoutNs = tasks.find((task) => task.Name === SLICE_TASK)?.KillTimeout
  return timeoutNs ? Math.ceil(timeoutNs / NS_PER_MS) : KILL_TIMEOUT_MS
}

const NS_PER_MS = 1_000_000
/** Nomad's, for a task that names none. */
const KILL_TIMEOUT_MS = 5000

/** Values that a template does not have by itself, so that each is found again where it belongs. */
const PROBE: Omit<SliceValues, 'spec_hash'> = {
  job_id: '0123456789abcdef01234567-3-build-probe-probe-17-r5',
  priority: 61,
  datacenters: ['probe-datacenter'],
  node_class: 'probe-class',
  cpu: 1234,
  memory: 2345,
  agent_command: '/probe/caravan',
  agent_args: ['probe-agent'],
  url: 'http://probe.example',
  install: 'probe-install',
  org: 'probe-org',
  repo: 'probe-repo',
  branch: 'probe-branch',
  sha: 'probe-sha',
  build: '0123456789abcdef01234567',
  number: 17,
  job: 'probe-job',
  slice: 3,
  parallelism: 7,
  resource_class: 'probe-resource-class',
  epoch: 5,
}

interface Finding {
  /** Below the job. */
  path: string[]
  message: string
}

function checkSlice(job: NomadJob, values: SliceValues): Finding[] {
  const found: Finding[] = []
  const expect = (holds: boolean, path: string[], message: string) => {
    if (!holds) found.push({ path, message })
  }
  expect(job.ID === values.job_id, ['id'], 'must be var.job_id')
  expect(job.Type === 'batch', ['type'], 'must be "batch"')
  expect(job.Namespace === undefined, ['namespace'], 'comes from the settings; leave it out')
  expect(job.Region === undefined, ['region'], 'comes from the settings; leave it out')
  for (const key of META_KEYS) {
    expect(job.Meta?.[key] === String(values[key]), ['meta', key], `must be var.${key}`)
  }
  const [group] = job.TaskGroups
  const single = job.TaskGroups.length === 1 && group?.Name === SLICE_GROUP
  expect(single, [], `must have one group, named "${SLICE_GROUP}"`)
  if (group !== undefined && single) checkGroup(group, values, expect)
  return found
}

type Expect = (holds: boolean, path: string[], message: string) => void

/** Nomad must never start a slice a second time by itself: that is a new epoch, and ours to decide. */
function checkGroup(group: NomadTaskGroup, values: SliceValues, expect: Expect): void {
  const path = ['group', group.Name]
  const { RestartPolicy: restart, ReschedulePolicy: reschedule } = group
  expect((group.Count ?? 1) === 1, [...path, 'count'], 'must be 1')
  expect(isOff(restart), [...path, 'restart'], 'must have attempts = 0 and mode = "fail"')
  const stays = reschedule?.['Attempts'] === 0 && reschedule['Unlimited'] === false
  expect(stays, [...path, 'reschedule'], 'must have attempts = 0 and unlimited = false')
  const replaced = group.Disconnect?.['Replace']
  expect(replaced === false, [...path, 'disconnect'], 'must have replace = false')
  const limit = group['MaxRunDuration']
  expect(
    limit === undefined,
    [...path, 'max_run_duration'],
    'comes from the settings; leave it out',
  )
  const agent = group.Tasks.find((task) => task.Name === SLICE_TASK)
  expect(agent !== undefined, path, `must have a task named "${SLICE_TASK}"`)
  for (const task of group.Tasks) {
    const own = task['RestartPolicy'] as NomadTaskGroup['RestartPolicy']
    const fine = own === undefined || isOff(own)
    const place = [...path, 'task', task.Name, 'restart']
    expect(fine, place, 'must have attempts = 0 and mode = "fail", as the group has')
  }
  if (agent !== undefined) checkAgent(agent, [...path, 'task', agent.Name], values, expect)
}

function isOff(restart: NomadTaskGroup['RestartPolicy']): boolean {
  return restart?.Attempts === 0 && restart.Mode === 'fail'
}

function checkAgent(agent: NomadTask, path: string[], values: SliceValues, expect: Expect): void {
  const wanted: readonly [name: string, value: string, source: string][] = [
    ['CARAVAN_URL', values.url, 'var.url'],
    ['CARAVAN_INSTALL', values.install, 'var.install'],
    ['CARAVAN_SLICE', `${values.build}-${values.slice}`, '"${var.build}-${var.slice}"'],
    ['CARAVAN_EPOCH', String(values.epoch), 'var.epoch'],
  ]
  for (const [name, value, source] of wanted) {
    expect(agent.Env?.[name] === value, [...path, 'env', name], `must be ${source}`)
  }
}
