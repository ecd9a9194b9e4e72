/** One group by script: what Auto Scaling answers, and what it was told. */
import type { AwsHook, AwsMember } from '../../../src/platform/index.ts'
import { CaravanError } from '../../../src/model/index.ts'
import type { LifecycleAws } from '../../../src/fleet/lifecycle/leave.ts'

export const INSTANCE = 'i-0123456789abcdef0'

export function aHook(more: Partial<AwsHook> = {}): AwsHook {
  const timeoutMs = more.timeoutMs ?? 30_000
  return {
    name: 'caravan-drain',
    transition: 'terminating',
    timeoutMs,
    capMs: Math.min(172_800_000, timeoutMs * 100),
    defaultResult: 'CONTINUE',
    ...more,
  }
}

export function throttled(): CaravanError {
  return new CaravanError('AWS_THROTTLED', 'could not beat: Rate exceeded', {
    detail: { problem: 'throttled' },
  })
}

/** Each call takes the next of its faults, while there are some; then it answers. */
export class ScriptedGroup implements LifecycleAws {
  lifecycle: string | null = 'Terminating:Wait'
  hooks: AwsHook[] = [aHook()]
  /** By call, thrown one after the other. */
  faults: Partial<Record<keyof LifecycleAws, unknown[]>> = {}
  readonly calls: { call: string; hook?: string; result?: string }[] = []
  /** When beats came, by the clock that is given. */
  readonly beats: number[] = []
  readonly completed: { hook: string; result: string }[] = []
  readonly #now: () => number

  constructor(now: () => number = () => 0) {
    this.#now = now
  }

  /** Whether a hook of this name holds the instance. */
  isHeldBy(name: string): boolean {
    const transition = this.hooks.find((hook) => hook.name === name)?.transition
    return this.lifecycle === (transition === 'launching' ? 'Pending:Wait' : 'Terminating:Wait')
  }

  async readMembers(ids: readonly string[]): Promise<AwsMember[]> {
    this.#take('readMembers')
    if (this.lifecycle === null || !ids.includes(INSTANCE)) return []
    return [
      {
        instanceId: INSTANCE,
        group: 'nomad-clients',
        zone: 'us-east-1a',
        type: 'm5.4xlarge',
        lifecycle: this.lifecycle,
        isHealthy: true,
        isProtected: false,
        template: null,
      },
    ]
  }

  async readHooks(): Promise<AwsHook[]> {
    this.#take('readHooks')
    return this.hooks
  }

  async heartbeat({ hook }: { hook: string }): Promise<'done' | 'no_action'> {
    this.#take('heartbeat', { hook })
    if (!this.isHeldBy(hook)) return 'no_action'
    this.beats.push(this.#now())
    return 'done'
  }

  async completeAction(
    { hook }: { hook: string },
    result: 'CONTINUE' | 'ABANDON',
  ): Promise<'done' | 'no_action'> {
    this.#take('completeAction', { hook, result })
    if (!this.isHeldBy(hook)) return 'no_action'
    this.completed.push({ hook, result })
    this.lifecycle = this.lifecycle === 'Pending:Wait' ? 'InService' : 'Terminating:Proceed'
    return 'done'
  }

  #take(call: keyof LifecycleAws, more: { hook?: string; result?: string } = {}): void {
    this.calls.push({ call, ...more })
    const fault = this.faults[call]?.shift()
    if (fault !== undefined) throw fault
  }
}
