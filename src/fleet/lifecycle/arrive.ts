/**
 * One instance on its way in: when its group has a launching hook of ours, it is held there until its node
 * takes work, so that the group counts no machine that can do nothing.
 *
 * When the node does not come, the beats end, and the hook does what it is set to: by default the group ends
 * the machine and launches another.
 */
import { backoffMs, sleep } from '../../platform/index.ts'
import { keepBeating, type Leaving } from './beats.ts'
import { completeAtLast } from './complete.ts'
import { chooseLaunchHook, mayHaveAction } from './hooks.ts'
import type { LeaveDeps, LifecycleNomad } from './leave.ts'
import { ownNodeId } from './nodes.ts'

/** A machine that has no node by then does not get one; the slowest are known to take ten minutes. */
const ARRIVE_MS = 20 * 60_000

const RETRY = { baseMs: 1000, maxMs: 15_000 }
/** Nomad's agent is on the same machine. */
const LOOK_MS = 1000

/** Ends when the machine is in, or is not held by us. Never throws: what does not work is told. */
export async function arrive(
  deps: LeaveDeps,
  instanceId: string,
  signal: AbortSignal,
): Promise<void> {
  const { aws, clock, random, tell } = deps
  if (!(await isHeld(deps, instanceId, signal))) return
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  const sinceMs = clock.now()
  const leaving: Leaving = { instanceId, hook: undefined, transition: 'launching', sinceMs }
  const trouble = (cause: unknown) => tell.trouble('aws', cause)
  const news = {
    beat: (hook: string, capMs: number) => tell.beat(hook, capMs),
    cap: (hook: string, share: number, capMs: number) => tell.cap(hook, share, capMs),
    // Somebody else has let it in, or its time is over: both are seen by who asks the group.
    over: () => over.abort(),
    trouble,
  }
  const beating = keepBeating({ aws, clock, random }, leaving, { signal: until, news })
  try {
    if (!(await comesUp(deps, until))) return
    const completing = { signal: until, result: 'CONTINUE' as const, trouble }
    const done = await completeAtLast({ aws, clock, random }, leaving, completing)
    if (done !== null) tell.completed(done.hook, done.completion === 'completed')
  } finally {
    over.abort()
    await beating
  }
}

/** Whether the instance waits, or is about to, in a launching hook of ours. */
async function isHeld(
  { aws, clock, random, tell }: LeaveDeps,
  instanceId: string,
  signal: AbortSignal,
): Promise<boolean> {
  for (let tries = 0; !signal.aborted; tries += 1) {
    try {
      const [member] = await aws.readMembers([instanceId], { signal })
      if (member === undefined || !mayHaveAction(member.lifecycle, 'launching')) return false
      return chooseLaunchHook(await aws.readHooks(member.group, { signal })).kind === 'one'
    } catch (cause) {
      if (signal.aborted) return false
      tell.trouble('aws', cause)
    }
    await sleep(clock, backoffMs(tries, { ...RETRY, random }), signal)
  }
  return false
}

/** @returns false when it did not come in time, or the signal aborted before. */
async function comesUp({ nomad, clock }: LeaveDeps, signal: AbortSignal): Promise<boolean> {
  const endMs = clock.monotonic() + ARRIVE_MS
  while (!signal.aborted && clock.monotonic() < endMs) {
    if (await isReady(nomad)) return true
    await sleep(clock, LOOK_MS, signal)
  }
  return false
}

async function isReady(nomad: LifecycleNomad): Promise<boolean> {
  try {
    return (await nomad.readNode(await ownNodeId(nomad)))?.Status === 'ready'
  } catch {
    // Nomad is still coming up: that is what is waited for.
    return false
  }
}
