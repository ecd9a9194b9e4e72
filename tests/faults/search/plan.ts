/** What one seed does: its load and its storm. The same seed gives the same plan. Pure. */
import { createDice, type Dice } from './random.ts'

export interface StepPlan {
  /** Lines of output; each names its place and its number. */
  lines: number
  /** How long the step sleeps in the middle of its output. */
  pauseMs: number
  exitCode: number
}

/** Steps by slice. */
export interface BuildPlan {
  slices: StepPlan[][]
}

export type Fault =
  /** SIGKILL, and a new process `downMs` later. */
  | { kind: 'kill_server' | 'kill_engine'; downMs: number }
  | { kind: 'kill_farm'; node: number; downMs: number }
  /** SIGKILL for the agents that are processes of their own. */
  | { kind: 'kill_agents' }
  | { kind: 'freeze_engine'; forMs: number }
  | { kind: 'cut_agents'; node: number }
  | { kind: 'lose_agent_answer'; node: number; call: string }
  | { kind: 'blackhole_agents' | 'refuse_agents'; node: number; forMs: number }
  | { kind: 'cut_engine' | 'cut_streams' }
  | { kind: 'blackhole_engine' | 'refuse_engine'; forMs: number }
  | { kind: 'slow_engine'; delayMs: number; forMs: number }
  /** Answers of the engine get lost, after it has done what it was asked. */
  | { kind: 'lose_engine_answers'; url: string; times: number }
  | { kind: 'fail_engine_calls'; url: string; times: number; text: string; committed: boolean }
  | { kind: 'lose_node' | 'drain_node'; node: number; forMs: number }
  | { kind: 'cancel_build'; build: number }
  /** An operator's `nomad job stop`. */
  | { kind: 'stop_job'; build: number; slice: number }

export type Strike = Fault & { atMs: number }

export interface Plan {
  seed: number
  builds: BuildPlan[]
  strikes: Strike[]
}

export interface Size {
  builds: number
  slices: number
}

/**
 * Every fifth seed fills the cluster with two hundred slices; the others are small, so that as much time
 * sees four times as many storms, on a machine that still answers at once.
 */
export function sizeOf(seed: number): Size {
  return seed % 5 === 0 ? { builds: 4, slices: 50 } : SMALL
}
export const SMALL: Size = { builds: 4, slices: 10 }

export const NODES = 3
/** Of every build, the slice whose agent is a process of its own. */
export const OWN_PROCESS_SLICE = 7

/** From the last submission; long enough for every slice to be hit in every state. */
const STORM_MS = 2500
const STRIKES = { low: 3, high: 7 }

export function planSeed(seed: number, size = sizeOf(seed)): Plan {
  const dice = createDice(seed)
  const builds = times(size.builds, () => ({
    slices: times(size.slices, () => planSlice(dice)),
  }))
  const strikes = times(dice.whole(STRIKES.low, STRIKES.high), () => ({
    ...planFault(dice, size),
    atMs: dice.whole(0, STORM_MS),
  })).sort((a, b) => a.atMs - b.atMs)
  return { seed, builds, strikes }
}

function planSlice(dice: Dice): StepPlan[] {
  const steps = times(dice.chance(0.3) ? 2 : 1, () => ({
    lines: dice.chance(0.1) ? dice.whole(500, 2000) : dice.whole(1, 40),
    pauseMs: dice.chance(0.7) ? dice.whole(0, 1500) : 0,
    exitCode: dice.chance(0.08) ? dice.whole(1, 9) : 0,
  }))
  const failing = steps.findIndex((step) => step.exitCode !== 0)
  return failing < 0 ? steps : steps.slice(0, failing + 1)
}

function planFault(dice: Dice, size: Size): Fault {
  const node = dice.whole(0, NODES - 1)
  const shortMs = dice.whole(20, 400)
  const longMs = dice.whole(300, 1500)
  const choices: (() => Fault)[] = [
    () => ({ kind: 'kill_server', downMs: shortMs }),
    () => ({ kind: 'kill_server', downMs: shortMs }),
    () => ({ kind: 'kill_engine', downMs: shortMs }),
    () => ({ kind: 'kill_farm', node, downMs: shortMs }),
    () => ({ kind: 'kill_agents' }),
    () => ({ kind: 'freeze_engine', forMs: longMs }),
    () => ({ kind: 'cut_agents', node }),
    () => ({ kind: 'lose_agent_answer', node, call: dice.pick(AGENT_CALLS) }),
    () => ({ kind: 'blackhole_agents', node, forMs: longMs }),
    () => ({ kind: 'refuse_agents', node, forMs: longMs }),
    () => ({ kind: dice.pick(['cut_engine', 'cut_streams'] as const) }),
    () => ({ kind: 'blackhole_engine', forMs: longMs }),
    () => ({ kind: 'refuse_engine', forMs: longMs }),
    () => ({ kind: 'slow_engine', delayMs: dice.whole(10, 150), forMs: longMs }),
    () => ({ kind: 'lose_engine_answers', url: dice.pick(ENGINE_CALLS), times: dice.whole(1, 9) }),
    () => ({ kind: 'fail_engine_calls', url: dice.pick(ENGINE_CALLS), ...planFailure(dice) }),
    () => ({ kind: 'lose_node', node, forMs: longMs }),
    () => ({ kind: 'drain_node', node, forMs: longMs }),
    () => ({ kind: 'cancel_build', build: dice.whole(0, size.builds - 1) }),
    () => ({
      kind: 'stop_job',
      build: dice.whole(0, size.builds - 1),
      slice: dice.whole(0, size.slices - 1),
    }),
  ]
  return dice.pick(choices)()
}

const AGENT_CALLS = ['/claim', '/accept', '/events', '/output', '/control']

/** Regular expressions on the paths of Nomad's API. */
const ENGINE_CALLS = ['^/v1/jobs', '^/v1/job/', '^/v1/allocation', '^/v1/']

function planFailure(dice: Dice): { times: number; text: string; committed: boolean } {
  const text = dice.pick([
    'No cluster leader',
    'rpc error: EOF',
    'leadership lost while committing log',
  ])
  return { times: dice.whole(1, 9), text, committed: dice.chance(0.5) }
}

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
