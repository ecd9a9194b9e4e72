/** One seed from its first process to its verdict. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog, systemClock, systemRandom } from '../../../src/platform/index.ts'
import { sweep } from '../../../src/build-agent/index.ts'
import { toConfig } from './content.ts'
import { readHistory, readUnrest } from './history.ts'
import { findViolations } from './invariants.ts'
import { planSeed, SMALL, sizeOf, type Plan } from './plan.ts'
import { rage } from './storm.ts'
import { startWorld, type World } from './world.ts'

export interface Verdict {
  seed: number
  violations: string[]
  /** What happened, a line each. */
  notes: string[]
  seconds: { start: number; storm: number; settle: number; all: number }
  /** How many slices ended for which reason. */
  reasons: Record<string, number>
  /** No violation, but something waited for the look that the server takes once a minute. */
  isSlow: boolean
  /** Logs and files, kept when something was violated, or slow. */
  folder: string | null
}

/** Nothing that is healed may take longer than this to come to its end. */
const SETTLE_MS = 90_000

export interface SeedOptions {
  keep?: boolean
  /** Path of a real Nomad program. Its one node has no room for the large seeds. */
  nomad?: string | undefined
}

export async function runSeed(seed: number, options: SeedOptions = {}): Promise<Verdict> {
  const size = options.nomad === undefined ? sizeOf(seed) : SMALL
  const plan = planSeed(seed, size)
  const folder = mkdtempSync(join(tmpdir(), `seed-${seed}-`))
  const notes: string[] = []
  const times = [performance.now()]
  const lap = () => times.push(performance.now())
  const world = await startWorld(folder, options.nomad)
  let violations: string[] = []
  let reasons: Record<string, number> = {}
  try {
    lap()
    const builds = await submit(world, plan)
    await rage({ world, builds, note: (line) => void notes.push(line) }, plan.strikes)
    lap()
    await settle(world, plan, (line) => void notes.push(line))
    await deliver(world)
    const history = await readHistory(world, plan, builds)
    violations = findViolations(plan, history)
    reasons = countReasons(history.builds)
    lap()
  } catch (cause) {
    violations.push(
      `the search itself failed: ${cause instanceof Error ? cause.stack : String(cause)}`,
    )
  } finally {
    await world.close()
  }
  lap()
  const [begin = 0, up = 0, over = 0, quiet = 0, end = 0] = times
  const isSlow = quiet - over > SLOW_MS
  const isKept = options.keep === true || violations.length > 0 || isSlow
  if (!isKept) rmSync(folder, { recursive: true, force: true })
  const toSeconds = (ms: number) => Math.round(ms / 100) / 10
  const seconds = {
    start: toSeconds(up - begin),
    storm: toSeconds(over - up),
    settle: toSeconds(quiet - over),
    all: toSeconds((end || quiet || over || up) - begin),
  }
  return { seed, violations, notes, seconds, reasons, isSlow, folder: isKept ? folder : null }
}

async function submit(world: World, plan: Plan): Promise<string[]> {
  const ids: string[] = []
  for (const [index, build] of plan.builds.entries()) {
    const body = {
      config: toConfig(index, build),
      org: 'search',
      repo: `build-${index}`,
      branch: 'main',
    }
    const response = await fetch(`${world.api()}/api/v1/builds`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`not submitted: ${response.status} ${text}`)
    ids.push((JSON.parse(text) as { id: string }).id)
  }
  return ids
}

/** @returns also when it is not quiet in time: the history then tells what is still open. */
async function settle(world: World, plan: Plan, note: (line: string) => void): Promise<void> {
  const beganMs = performance.now()
  let notedMs = 0
  for (;;) {
    const unrest = await readUnrest(world, plan)
    const spentMs = performance.now() - beganMs
    if (Object.keys(unrest).length === 0 || spentMs > SETTLE_MS) return
    if (spentMs - notedMs > NOTE_MS) {
      notedMs = spentMs
      note(`${Math.round(spentMs / 1000)} s after it healed: ${JSON.stringify(unrest)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const NOTE_MS = 10_000
const SLOW_MS = 45_000

/** As the timer on every node does it. An agent of a farm may be over while its process, the farm, lives. */
async function deliver({ allocationsDir, farms }: World): Promise<void> {
  await Promise.all(farms.map((farm) => farm.kill()))
  await sweep({
    spoolRoots: [],
    allocationsDir,
    spoolsMax: 1000,
    limitMs: 30_000,
    signal: new AbortController().signal,
    clock: systemClock,
    log: silentLog,
    random: systemRandom,
  })
}

function countReasons(builds: readonly { slices: { reason: string | null }[] }[]) {
  const counts: Record<string, number> = {}
  for (const { reason } of builds.flatMap(({ slices }) => slices)) {
    counts[reason ?? 'open'] = (counts[reason ?? 'open'] ?? 0) + 1
  }
  return counts
}
