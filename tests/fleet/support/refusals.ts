/**
 * What AWS lets no controller know or do, however often it is asked: a wait that no answer has shown, and a
 * wait whose heartbeats were all refused or lost.
 */
import type { AwsIntercept, WorldEvent } from '../../../src/dev/aws/index.ts'

export type AwsCall = Parameters<AwsIntercept>[0]
export type AwsAnswer = Awaited<ReturnType<AwsIntercept>>

/** What the judges look at of a group in an answer. */
export interface ShownGroup {
  AutoScalingGroupName?: string
  DesiredCapacity?: number
  Instances?: { InstanceId?: string; LifecycleState?: string }[]
}

/** @returns none where something else was asked for. */
export function groupsIn({ action }: AwsCall, answer: AwsAnswer): readonly ShownGroup[] {
  if (action !== 'DescribeAutoScalingGroups') return []
  return (answer as { AutoScalingGroups?: ShownGroup[] }).AutoScalingGroups ?? []
}

/** Whoever asks more rarely than this has not tried. */
const APART_MS = 20_000
const KEPT = 1000

interface Wait {
  openedMs: number
  /** When an answer first showed it; null before. */
  shownMs: number | null
  /** When heartbeats were asked for. */
  beatsMs: number[]
}

export class Refusals {
  #looksMs: number[] = []
  readonly #waits = new Map<string, Wait>()

  onEvent(event: WorldEvent, nowMs: number): void {
    if (event.type === 'action-opened') {
      const wait = { openedMs: nowMs, shownMs: null, beatsMs: [] }
      this.#waits.set(keyOf(event.instance, event.hook), wait)
    }
    if (event.type === 'state' && event.to === 'Terminated') {
      for (const key of this.#waits.keys()) {
        if (key.startsWith(`${event.instance} `)) this.#waits.delete(key)
      }
    }
  }

  onCall({ action, input }: AwsCall, nowMs: number): void {
    if (action === 'DescribeAutoScalingGroups') {
      this.#looksMs = [...this.#looksMs.slice(-KEPT), nowMs]
    }
    if (action === 'RecordLifecycleActionHeartbeat') {
      const { InstanceId: instance, LifecycleHookName: hook } = input
      this.#waits.get(keyOf(String(instance), String(hook)))?.beatsMs.push(nowMs)
    }
  }

  /** Groups that a controller was shown. */
  onGroups(groups: readonly ShownGroup[], nowMs: number): void {
    if (this.#waits.size === 0) return
    const waiting = groups.flatMap(({ Instances = [] }) =>
      Instances.filter(({ LifecycleState: state }) => state?.endsWith(':Wait')),
    )
    const shown = new Set(waiting.map(({ InstanceId }) => InstanceId))
    for (const [key, wait] of this.#waits) {
      if (wait.shownMs === null && shown.has(key.split(' ')[0])) wait.shownMs = nowMs
    }
  }

  /** Whether a wait could not be known of, or not be beaten for, until now. */
  explain(instance: string, hook: string, nowMs: number): boolean {
    const wait = this.#waits.get(keyOf(instance, hook))
    if (wait === undefined) return false
    const { openedMs, shownMs, beatsMs } = wait
    // Of a longer hook the last heartbeat that was taken is long ago: whoever beat no more since is blamed.
    if (shownMs !== null) return isOften([shownMs, ...beatsMs.filter((ms) => ms > shownMs), nowMs])
    return isOften([openedMs, ...this.#looksMs.filter((ms) => ms > openedMs), nowMs])
  }
}

const keyOf = (instance: string, hook: string) => `${instance} ${hook}`

/** With something in between, and never long without. */
function isOften(times: readonly number[]): boolean {
  if (times.length < 3) return false
  return times.every((atMs, at) => atMs - (times[at - 1] ?? atMs) <= APART_MS)
}
