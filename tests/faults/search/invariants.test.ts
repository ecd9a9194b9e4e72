/** Every kind of violation is seen: a search that overlooks one proves nothing. */
import t from 'tap'
import { aBuild, aSlice, aStep } from '../../support/builds.ts'
import { expectedOutput } from './content.ts'
import type { Effect, History } from './history.ts'
import { findViolations } from './invariants.ts'
import { planSeed, type Fault, type Plan, type StepPlan } from './plan.ts'

const STEP: StepPlan = { lines: 3, pauseMs: 0, exitCode: 0 }
const KEY = 'b0-s0-t0'

function aPlan(changes: { step?: Partial<StepPlan>; faults?: Fault[] } = {}): Plan {
  const strikes = (changes.faults ?? []).map((fault) => ({ ...fault, atMs: 0 }))
  return { seed: 1, builds: [{ slices: [[{ ...STEP, ...changes.step }]] }], strikes }
}

const ran = (attempt: string, from = 1, to = 2): Effect[] => [
  { what: 'begin', attempt, at: from },
  { what: 'end', attempt, at: to },
]

/** All went well. */
function aHistory(changes: Partial<History> = {}): History {
  const steps = [aStep({ state: 'succeeded', exit_code: 0 })]
  const slices = [aSlice({ state: 'succeeded', reason: 'succeeded', steps })]
  return {
    builds: [aBuild({ state: 'succeeded', slices })],
    outputs: new Map([[KEY, { text: expectedOutput(KEY, STEP), isComplete: true }]]),
    effects: new Map([[KEY, ran('epoch-1-aa')]]),
    openJobs: [],
    liveAllocations: [],
    openRows: 0,
    processes: [],
    spools: [],
    ...changes,
  }
}

function ended(
  reason: 'node_lost' | 'exit_code' | 'agent_crashed' | 'drained' | 'canceled_by_user',
) {
  const state = (
    {
      exit_code: 'failed',
      canceled_by_user: 'canceled',
      node_lost: 'infrastructure_failed',
      agent_crashed: 'infrastructure_failed',
      drained: 'infrastructure_failed',
    } as const
  )[reason]
  const slices = [aSlice({ state, reason, steps: [aStep({ state: 'running' })] })]
  return [aBuild({ state, slices })]
}

const output = (text: string, isComplete = true) => new Map([[KEY, { text, isComplete }]])
const effects = (...lines: Effect[]) => new Map([[KEY, lines]])

t.test('a history in which all went well has no violation', async (t) => {
  t.strictSame(findViolations(aPlan(), aHistory()), [])
})

t.test('what is broken is told', async (t) => {
  const good = expectedOutput(KEY, STEP)
  const table: [string, RegExp, Partial<History>][] = [
    ['a build is lost', /0 builds of 1/, { builds: [] }],
    ['a build is open', /build 0 is running/, { builds: [aBuild()] }],
    ['a slice is lost', /has slices $/m, { builds: [aBuild({ state: 'succeeded', slices: [] })] }],
    [
      'build and slices differ',
      /build 0 is failed/,
      { builds: aHistory().builds.map((each) => ({ ...each, state: 'failed' })) },
    ],
    ['a result without a cause', /node_lost.*nothing in the plan/, { builds: ended('node_lost') }],
    [
      'a failure that no step made',
      /exit_code.*nothing in the plan/,
      { builds: ended('exit_code') },
    ],
    [
      'a step run by two agents',
      /ran twice/,
      { effects: effects(...ran('epoch-1-aa'), ...ran('epoch-1-bb', 3, 4)) },
    ],
    [
      'an epoch that never was',
      /ran in/,
      { effects: effects(...ran('epoch-1-aa'), ...ran('epoch-2-bb', 3, 4)) },
    ],
    [
      'two attempts at once',
      /ran beside the next/,
      { effects: effects(...ran('epoch-1-aa', 1, 5), ...ran('epoch-2-bb', 3, 9)) },
    ],
    [
      'a step begun twice',
      /was begun 2 times/,
      { effects: effects(...ran('epoch-1-aa'), ...ran('epoch-1-aa', 3, 4)) },
    ],
    ['a step that counts and never ran', /ended 0 times/, { effects: effects() }],
    ['a byte is missing', /no gap is marked/, { outputs: output(good.slice(0, -1)) }],
    ['a byte is doubled', /byte \d+ of \d+ is wrong/, { outputs: output(good + good.slice(-1)) }],
    [
      'a byte is lost in the middle',
      /byte 4 of/,
      { outputs: output(good.slice(0, 4) + good.slice(5), false) },
    ],
    ['no output at all', /has no output/, { outputs: new Map() }],
    ['a job is open', /1 Nomad jobs are open: one/, { openJobs: ['one'] }],
    ['an allocation is alive', /1 allocations are alive/, { liveAllocations: ['one'] }],
    ['a row is open', /2 rows have an open job/, { openRows: 2 }],
    ['a process is left', /1 processes are left/, { processes: ['1 sh'] }],
    ['a spool is left', /1 spools are left/, { spools: ['one'] }],
  ]
  for (const [what, wanted, changes] of table) {
    t.match(findViolations(aPlan(), aHistory(changes)).join('\n'), wanted, what)
  }
})

t.test('what the plan brought about is legal', async (t) => {
  const cut = { outputs: output('', false), effects: effects() }
  const table: [Fault, Parameters<typeof ended>[0]][] = [
    [{ kind: 'lose_node', node: 0, forMs: 1 }, 'node_lost'],
    [{ kind: 'drain_node', node: 0, forMs: 1 }, 'drained'],
    [{ kind: 'kill_farm', node: 0, downMs: 1 }, 'agent_crashed'],
    [{ kind: 'cancel_build', build: 0 }, 'canceled_by_user'],
  ]
  for (const [fault, reason] of table) {
    const history = aHistory({ ...cut, builds: ended(reason) })
    t.strictSame(findViolations(aPlan({ faults: [fault] }), history), [], reason)
    t.match(findViolations(aPlan(), history).join(), /nothing in the plan/, reason)
  }
})

t.test('a gap at the end is no violation when it is marked', async (t) => {
  const history = aHistory({ outputs: output(expectedOutput(KEY, STEP).slice(0, 10), false) })
  t.strictSame(findViolations(aPlan(), history), [])
})

t.test('a seed has one plan', async (t) => {
  const size = { builds: 4, slices: 50 }
  t.strictSame(planSeed(7, size), planSeed(7, size))
  t.notSame(planSeed(7, size), planSeed(8, size))
  const kinds = new Set(
    Array.from({ length: 300 }, (_, seed) =>
      planSeed(seed, size).strikes.map(({ kind }) => kind),
    ).flat(),
  )
  t.equal(kinds.size, 20, 'every kind of fault is planned by some seed')
})
