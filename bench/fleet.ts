/** The fleet: one decision on a large pool, its hooks, calls in a quiet minute, and a whole day on a virtual clock. */
import { plan } from '../src/fleet/plan/plan.ts'
import type { Bench } from './harness/bench.ts'
import { runDayAlone } from './fleet/day-process.ts'
import { beatLatencies, completionLatencies } from './fleet/hooks.ts'
import { largePool } from './fleet/pool.ts'
import { quietCallsPerMinute } from './fleet/quiet.ts'

const SMALL = 1000
const LARGE = 10_000
const WAITING = 10_000
const P99_MS_MAX = 50
const ROUNDS = 200
const WARMUPS = 20
const HOOKS = 100
const BEAT_MS_MAX = 1000
const COMPLETE_MS_MAX = 1500
const CALLS_MAX = 30
/** What a simulation may take, to be of use. */
const DAY_S_MAX = 60

export const fleet: Bench = {
  name: 'fleet',
  against: `itself with ${SMALL} nodes`,
  reach:
    `p99 of at most ${P99_MS_MAX} ms with ${SMALL} nodes and ${WAITING} slices, at most linear to ${LARGE} nodes; ` +
    `${HOOKS} first beats within ${BEAT_MS_MAX} ms, an emptied node completed within ${COMPLETE_MS_MAX} ms, ` +
    `at most ${CALLS_MAX} calls in a quiet minute; a day of ${SMALL} nodes within ${DAY_S_MAX} s`,
  async run({ clock, interleave, note }) {
    const timed = (nodes: number) => {
      const { view, policy, memory, nowMs } = largePool(nodes, WAITING)
      return () => {
        const startMs = clock.monotonic()
        const { why } = plan(view, policy, memory, nowMs)
        const elapsedMs = clock.monotonic() - startMs
        if (why.target <= why.desired) throw new Error('ten thousand slices were left waiting')
        return elapsedMs
      }
    }
    const { large, small } = await interleave(
      { large: timed(LARGE), small: timed(SMALL) },
      { rounds: ROUNDS, warmups: WARMUPS, unit: 'ms' },
    )
    const beats = await beatLatencies(clock, HOOKS)
    note(`first beats of ${HOOKS} hooks, last of them after ${beats.toFixed(0)} ms`)
    const completions = await completionLatencies(clock)
    note(`an emptied node was completed after ${completions.toFixed(0)} ms at worst`)
    const calls = await quietCallsPerMinute()
    note(`${calls.toFixed(1)} calls to AWS in a quiet minute of 20 groups with 500 nodes each`)
    const day = await runDayAlone(SMALL)
    const dayS = day.elapsedMs / 1000
    note(
      `a day took ${dayS.toFixed(1)} s, ${day.cpuS.toFixed(1)} s of CPU: ${day.looks} looks, ${day.slices} slices on up to ${day.most} nodes, ` +
        `${day.released} machines drained and let go, ${day.calls} calls to AWS`,
    )
    const ratio = large.ratioTo(small)
    const missed: string[] = []
    if (small.p99 > P99_MS_MAX) missed.push(`p99 is ${small.p99.toFixed(1)} ms`)
    if (ratio > LARGE / SMALL) missed.push(`ten times the nodes take ${ratio.toFixed(1)} times`)
    if (beats > BEAT_MS_MAX) missed.push(`the last first beat came after ${beats.toFixed(0)} ms`)
    if (completions > COMPLETE_MS_MAX) missed.push(`a completion took ${completions.toFixed(0)} ms`)
    if (calls > CALLS_MAX) missed.push(`${calls.toFixed(1)} calls in a quiet minute`)
    if (dayS > DAY_S_MAX) missed.push(`a day took ${dayS.toFixed(1)} s`)
    return {
      ratio,
      missed,
      figures: {
        p99_ms: small.p99,
        median_ms: small.median,
        large_p99_ms: large.p99,
        first_beats_ms: beats,
        complete_ms: completions,
        calls_per_minute: calls,
        day_s: dayS,
        day_cpu_s: day.cpuS,
      },
    }
  },
}
