/** What must hold after every storm, whatever it was. Pure: a history goes in, violations come out. */
import { REASONS, isResult, type SliceView } from '../../../src/model/index.ts'
import { expectedOutput, toKey } from './content.ts'
import type { Effect, History } from './history.ts'
import type { Fault, Plan, StepPlan } from './plan.ts'

export function findViolations(plan: Plan, history: History): string[] {
  const found = [...leftBehind(history)]
  if (history.builds.length !== plan.builds.length) {
    found.push(`${history.builds.length} builds of ${plan.builds.length}`)
  }
  for (const [build, { slices }] of plan.builds.entries()) {
    const view = history.builds[build]
    if (view === undefined) continue
    if (!isResult(view.state)) found.push(`build ${build} is ${view.state}`)
    const indexes = view.slices.map(({ index }) => index).join()
    if (indexes !== [...slices.keys()].join()) found.push(`build ${build} has slices ${indexes}`)
    if (view.state !== worstOf(view.slices)) {
      found.push(`build ${build} is ${view.state}, its slices are ${worstOf(view.slices)}`)
    }
    for (const slice of view.slices) {
      const steps = slices[slice.index] ?? []
      found.push(...checkSlice({ plan, history, build, slice, steps }))
    }
  }
  return found
}

interface Checked {
  plan: Plan
  history: History
  build: number
  slice: SliceView
  steps: StepPlan[]
}

function leftBehind(history: History): string[] {
  const say = (what: string, names: string[]) =>
    names.length === 0 ? [] : [`${names.length} ${what}: ${names.slice(0, 5).join('; ')}`]
  return [
    ...say('Nomad jobs are open', history.openJobs),
    ...say('allocations are alive', history.liveAllocations),
    ...say('processes are left', history.processes),
    ...say('spools are left', history.spools),
    ...(history.openRows > 0 ? [`${history.openRows} rows have an open job`] : []),
  ]
}

const WORST = ['infrastructure_failed', 'failed', 'timed_out', 'canceled', 'succeeded']

function worstOf(slices: readonly SliceView[]): string {
  return WORST.find((result) => slices.some(({ state }) => state === result)) ?? 'open'
}

function checkSlice(checked: Checked): string[] {
  const { build, slice } = checked
  const name = `b${build}-s${slice.index}`
  if (!isResult(slice.state) || slice.reason === null) return [`${name} is ${slice.state}`]
  const told = `${name} epoch ${slice.epoch} is ${slice.state} (${slice.reason}: ${slice.detail})`
  if (REASONS[slice.reason].result !== slice.state) return [`${told}: result and reason differ`]
  const found = isLegal(checked) ? [] : [`${told}: nothing in the plan allows that`]
  const perStep = checked.steps.map((_, step) => checkStep({ ...checked, step }))
  found.push(...checkAttempts(checked, name), ...perStep.flat())
  return found
}

/** Whether the plan can have brought this about: by the steps themselves, or by a fault. */
function isLegal({ plan, build, slice, steps }: Checked): boolean {
  const has = (...kinds: Fault['kind'][]) => plan.strikes.some(({ kind }) => kinds.includes(kind))
  const isStopped = plan.strikes.some(
    (each) => each.kind === 'stop_job' && each.build === build && each.slice === slice.index,
  )
  switch (slice.reason) {
    case 'succeeded':
      return steps.every(({ exitCode }) => exitCode === 0)
    case 'exit_code':
      return steps.some(({ exitCode }) => exitCode !== 0)
    case 'canceled_by_user':
      return plan.strikes.some((each) => each.kind === 'cancel_build' && each.build === build)
    case 'stopped_by_operator':
      return isStopped
    case 'drained':
      return has('drain_node')
    case 'node_lost':
      return has('lose_node')
    case 'agent_crashed':
      return has('kill_farm', 'kill_agents')
    default:
      return false
  }
}

/** One process at work for a slice at a time, and none but the last that is not over. */
function checkAttempts({ plan, history, build, slice, steps }: Checked, name: string): string[] {
  const all = steps
    .flatMap((_, step) => history.effects.get(toKey(build, slice.index, step)) ?? [])
    .sort((a, b) => a.at - b.at)
  const attempts = new Map<string, Effect[]>()
  for (const effect of all) {
    attempts.set(effect.attempt, [...(attempts.get(effect.attempt) ?? []), effect])
  }
  const names = [...attempts.keys()]
  const found: string[] = []
  const epochs = names.map((attempt) => Number(attempt.split('-')[1]))
  if (new Set(epochs).size !== epochs.length) found.push(`${name} ran twice: ${names.join(', ')}`)
  if (epochs.some((epoch) => epoch > slice.epoch)) found.push(`${name} ran in ${names.join(', ')}`)
  // On a node that is cut off an agent works on until its server refuses it: that is fenced, not seen.
  const isFenced = plan.strikes.some(({ kind }) => kind === 'lose_node')
  const spans = [...attempts.values()]
  for (const [index, span] of spans.entries()) {
    const lastAt = span.at(-1)?.at ?? 0
    const nextAt = spans[index + 1]?.[0]?.at ?? Number.POSITIVE_INFINITY
    if (lastAt > nextAt && !isFenced) found.push(`${name}: ${names[index]} ran beside the next`)
  }
  return found
}

function checkStep(checked: Checked & { step: number }): string[] {
  const { history, build, slice, steps, step } = checked
  const key = toKey(build, slice.index, step)
  const effects = history.effects.get(key) ?? []
  const found: string[] = []
  for (const attempt of new Set(effects.map((each) => each.attempt))) {
    const begun = effects.filter((each) => each.attempt === attempt && each.what === 'begin')
    if (begun.length !== 1) found.push(`${key} was begun ${begun.length} times by ${attempt}`)
  }
  const plan = steps[step]
  if (plan === undefined) return found
  const isDone = slice.reason === 'succeeded' || slice.reason === 'exit_code'
  if (isDone) {
    const ends = effects.filter((each) => each.what === 'end' && isOf(each, slice.epoch))
    if (ends.length !== 1) found.push(`${key} counts as done and ended ${ends.length} times`)
  }
  const view = slice.steps[step]
  if (isDone && view?.exit_code !== plan.exitCode) {
    found.push(`${key} has exit code ${view?.exit_code}, not ${plan.exitCode}`)
  }
  return [...found, ...checkOutput(checked, key, isDone)]
}

function isOf({ attempt }: Effect, epoch: number): boolean {
  return attempt.startsWith(`epoch-${epoch}-`)
}

/** Marks where the spool of a killed agent ends. */
const KILLED = '\n[caravan: the agent was killed here; what followed is lost]\n'

/** Bytes stand in their place, once; what is missing at the end is marked as missing. */
function checkOutput(
  { history, steps, step }: Checked & { step: number },
  key: string,
  isDone: boolean,
) {
  const plan = steps[step]
  const output = history.outputs.get(key)
  if (plan === undefined || output === undefined) return isDone ? [`${key} has no output`] : []
  const expected = expectedOutput(key, plan)
  if (!isDone && output.text.endsWith(KILLED)) {
    const kept = output.text.slice(0, -KILLED.length)
    return expected.startsWith(kept) ? [] : [`${key}: what the killed agent has kept is wrong`]
  }
  if (!expected.startsWith(output.text)) {
    const at = firstDifference(output.text, expected)
    return [
      `${key}: byte ${at} of ${output.text.length} is wrong: ${JSON.stringify(output.text.slice(at, at + 60))}`,
    ]
  }
  if (isDone && output.isComplete && output.text !== expected) {
    return [`${key}: ${output.text.length} of ${expected.length} bytes, and no gap is marked`]
  }
  return []
}

function firstDifference(text: string, expected: string): number {
  let at = 0
  while (at < text.length && text[at] === expected[at]) at += 1
  return at
}
